"""Notices that a server has cut a prompt, from the tokens that it counts: some do so without any error.

A cut prompt has fewer tokens than its text can have, fewer than other prompts lead to expect, or the same number as
other prompts of other lengths, which is then the server's limit.
"""

_MOST_BYTES_PER_TOKEN = 6
"""Maximum plausible bytes per token of formulas; tokenizers reach two to four."""

_LONG = 256
"""Bytes of a prompt above which what a chat format adds to it hardly changes the bytes per token."""

_SHORTFALL = 2
"""Factor between the tokens that other prompts lead to expect and those that are counted."""

_ALIKE = 3
"""Number of prompts with the same number of tokens that are taken for cut ones."""

_SPREAD = 1.15
"""Minimum factor between the lengths of the longest and the shortest of them."""


class PromptLengths:
    """The lengths of an endpoint's prompts in bytes and in tokens."""

    def __init__(self) -> None:
        self._most_tokens_per_byte = 0.0
        self._longest = 0
        self._sizes_at_longest: set[int] = set()

    def is_cut(self, size: int, tokens: int) -> bool:
        """Whether the server has cut a prompt of `size` bytes, of which it counted so many tokens."""
        expected = max(size / _MOST_BYTES_PER_TOKEN, self._most_tokens_per_byte * size / _SHORTFALL)
        if size >= _LONG:
            self._most_tokens_per_byte = max(self._most_tokens_per_byte, tokens / size)
        return tokens < expected or self._is_limit(size, tokens)

    def _is_limit(self, size: int, tokens: int) -> bool:
        """Whether so many tokens are the server's limit: no prompt has more, and prompts of other lengths as many."""
        if tokens > self._longest:
            self._longest, self._sizes_at_longest = tokens, set()
        if tokens < self._longest:
            return False
        self._sizes_at_longest.add(size)
        sizes = self._sizes_at_longest
        return len(sizes) >= _ALIKE and max(sizes) >= _SPREAD * min(sizes)
