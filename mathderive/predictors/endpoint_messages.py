"""Messages about a chat endpoint: what it says, in its own words without secrets, and which setting to change."""

from collections.abc import Mapping, Sequence

import tenacity

from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.predictors.completions import LONGEST_WAIT, asked_wait, describe_error
from mathderive.predictors.connection import proxy_in_use
from mathderive.predictors.ledger_records import Request
from mathderive.predictors.prompt_lengths import PromptLengths
from mathderive.predictors.redaction import MOST_CHARACTERS, Redactor
from mathderive.predictors.refusals import Refused, is_too_long, setting_to_change
from mathderive.predictors.settings import ChatSettings

_MOST_TOLD = 3
"""Maximum number of different refusals that are told."""


class EndpointMessages:
    """The messages about one endpoint; each kind of them is said once, or a few times."""

    def __init__(self, settings: ChatSettings, redactor: Redactor) -> None:
        self._settings, self._redactor = settings, redactor
        self._prompt_lengths = PromptLengths()
        self._has_told_wait = self._has_told_cut = False
        self._told_refusals: set[str] = set()

    def redact(self, words: str, longest: int = MOST_CHARACTERS) -> str:
        """An endpoint's words without secrets, on one line."""
        return self._redactor.redact(words, longest)

    def redact_words(self, error: str, longest: int = MOST_CHARACTERS) -> str:
        """An error `KIND: WORDS` without secrets in the words."""
        kind, colon, words = error.partition(": ")
        return f"{kind}{colon}{self.redact(words, longest)}"

    def describe(self, error: BaseException) -> str:
        """An attempt's error in a few words."""
        words = self.redact_words(describe_error(error))
        return words + (proxy_in_use() if words == "no connection" else "")

    def unusable(self, refused: Refused) -> InputError:
        """The error for a key or a model that cannot be used at all."""
        settings = self._settings
        key = f" for the key in {settings.api_key_variable}" if settings.api_key_variable else ""
        quota = " (insufficient quota)" if refused.status == 429 else ""
        has_path = "/" in settings.endpoint.partition("://")[2]
        hint = "" if has_path or refused.status != 404 else ", which often ends in /v1,"
        return InputError(
            f"predictors: {self._answered(refused, quota)}; expected the base URL of an API{hint} and a model that can "
            f"be used there{key}{self._quote(refused)}"
        )

    def refused_setting(self, refused: Refused, request: Request) -> InputError | None:
        """The error for a setting that the endpoint would refuse in every request; null if it refuses none."""
        expected = setting_to_change(refused, request.parameters)
        problem = f"predictors: {self._answered(refused)}; expected {expected}{self._quote(refused)}"
        return InputError(problem) if expected else None

    def tell_refusal(self, refused: Refused, request: Request) -> None:
        """Says why an endpoint refuses a question, and the settings that may be the reason."""
        words = self.redact(refused.words)
        if words in self._told_refusals or len(self._told_refusals) >= _MOST_TOLD:
            return
        self._told_refusals.add(words)
        if is_too_long(refused):
            settings = "the context of the server, few_shot, max_tokens"
        else:
            own = ("temperature", "max_tokens")
            settings = ", ".join(name if name in own else f"parameters.{name}" for name in request.parameters) or "none"
        say(
            f"predict: {self._answered(refused)}{self._quote(refused)}; the item counts as failed, and "
            f"`ledger retry --failed status` asks it again; settings to look at: {settings}"
        )

    def warn_if_cut(self, messages: Sequence[Mapping[str, str]], tokens: int) -> None:
        """Says, once, that the server seems to cut prompts.

        Args:
            tokens: the tokens that the server counted in the messages.
        """
        size = sum(len(message["content"].encode()) for message in messages)
        if not self._prompt_lengths.is_cut(size, tokens) or self._has_told_cut:
            return
        self._has_told_cut = True
        say(
            f"predict: {self._settings.name}: warning: {self._settings.endpoint} counted {tokens:,} tokens in a prompt "
            f"of {size:,} bytes, so it may have cut the prompt; expected a server whose context holds prompt and "
            "answer (num_ctx of Ollama, --max-model-len of vLLM, --ctx-size of llama-server)"
        )

    def tell_long_wait(self, state: tenacity.RetryCallState) -> None:
        """Says, once, that the endpoint asks for a longer wait than it gets."""
        asked = asked_wait(state)
        if asked > LONGEST_WAIT and not self._has_told_wait:
            self._has_told_wait = True
            say(
                f"predict: {self._settings.name}: {self._settings.endpoint} asks to wait for {asked:.3g} s; "
                f"it is asked again after {LONGEST_WAIT:.0f} s"
            )

    def _answered(self, refused: Refused, quota: str = "") -> str:
        settings = self._settings
        return f"{settings.name}: {settings.endpoint} answered {refused.status}{quota} for model {settings.model}"

    def _quote(self, refused: Refused) -> str:
        words = self.redact(refused.words)
        return f'; it says "{words}"' if words else ""
