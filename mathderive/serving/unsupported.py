"""Parameters of other servers that this one does not have, and the values of them that change nothing.

Clients send many of them unasked. A parameter that would change the answer is refused by name; one with a value that
changes nothing, or without any effect on the answer of a derivation model, is accepted.
"""

import re
from collections.abc import Mapping
from typing import Any

from mathderive.serving.protocol import Refusal

_FALSE = (False,)
_NONE: tuple[Any, ...] = ()

_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    # OpenAI's
    "logprobs": _FALSE,
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "best_of": (1,),
    "echo": _FALSE,
    "suffix": ("",),
    "tools": _NONE,
    "functions": _NONE,
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": _NONE,
    "web_search_options": _NONE,
    # those of vLLM, llama.cpp, Ollama and others
    "top_k": (0, -1),
    "min_p": (0,),
    "typical_p": (1,),
    "tfs_z": (1,),
    "repetition_penalty": (1,),
    "repeat_penalty": (1,),
    "no_repeat_ngram_size": (0,),
    "length_penalty": (1,),
    "use_beam_search": _FALSE,
    "num_beams": (1,),
    "do_sample": _FALSE,
    "min_tokens": (0,),
    "ignore_eos": _FALSE,
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "include_stop_str_in_output": _FALSE,
    "prompt_logprobs": (0, False),
    "truncate_prompt_tokens": _NONE,
    "add_generation_prompt": (True,),
    "continue_final_message": _FALSE,
    "chat_template": _NONE,
    "documents": ([],),
    "guided_json": _NONE,
    "guided_regex": _NONE,
    "guided_choice": _NONE,
    "guided_grammar": _NONE,
    "structured_outputs": _NONE,
    "grammar": _NONE,
    "json_schema": _NONE,
    "mirostat": (0,),
    "dry_multiplier": (0,),
    "xtc_probability": (0,),
    "prompt": _NONE,
    "input": _NONE,
    "prefix": _NONE,
}
"""The values of each parameter that change nothing; null is one for all."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def refuse_unsupported(given: Mapping[str, Any]) -> None:
    """Checks the parameters that the protocol here does not know.

    Raises:
        Refusal: one would change the answer, or has a name that no parameter can have.
    """
    for name, value in given.items():
        if not _NAME.fullmatch(name):
            raise Refusal(400, f"{name[:100]!r}: unknown parameter", param=None)
        neutral = _NEUTRAL.get(name)
        if neutral is not None and value is not None and not any(_is_equal(value, one) for one in neutral):
            values = " or ".join(["null", *map(repr, neutral)])
            raise Refusal(400, f"{name}: not supported; expected {values}", param=name)


def _is_equal(value: Any, other: Any) -> bool:
    """Whether two JSON values are equal; Python would take true for 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
