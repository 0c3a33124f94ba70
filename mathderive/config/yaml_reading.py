"""YAML from outside, read within bounds: its size, depth, numbers and repetitions are limited before a value is made.

Only text, numbers, true, false, null, lists and mappings are read. An alias stands for a copy of its anchor, and counts
with all that the copy holds.
"""

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from mathderive.core.errors import InputError

MAX_DEPTH = 32
"""Maximum depth of lists and mappings inside each other, and of an override's key; the configs here reach 4."""

MAX_VALUES = 10_000
"""Maximum number of keys and values in a text, each alias counted with everything that it repeats."""

MAX_CHARACTERS = 2**20
"""Maximum number of characters in all keys and values of a text, each alias counted with everything it repeats."""

MAX_NUMBER_LENGTH = 100
"""Maximum number of characters of a number. Python takes quadratic time to read a number in base 10 or 60."""


def parse_yaml(text: str, place: str) -> Any:
    """Parses YAML safely and within bounds.

    Args:
        place: the file or override, named in errors.

    Raises:
        InputError: the text is not YAML, holds something else than plain values, or exceeds a bound.
    """
    try:
        return _copied(yaml.load(text, Loader=_Loader))
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise InputError(f"{place}: not valid YAML: {error}") from None


def _copied(value: Any) -> Any:
    """A copy in which no list or mapping stands in two places, so that changing one place changes no other."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


class _Loader(yaml.SafeLoader):
    """A YAML loader that reads 5e-5 as a number, as YAML 1.2 and JSON do, refuses a repeated key, and keeps bounds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = self._characters = 0
        self._sizes: dict[str, tuple[int, int]] = {}
        """Numbers of values and of characters of each anchor that is complete."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._count_alias(event)
            return super().compose_node(parent, index)
        if event.tag is not None:
            raise ConstructorError(None, None, f"the tag {event.tag} is not allowed", event.start_mark)
        values, characters = self._values, self._characters
        self._count(1, len(event.value) if isinstance(event, yaml.ScalarEvent) else 0, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConstructorError(None, None, f"expected a depth of at most {MAX_DEPTH}", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = (self._values - values, self._characters - characters)
        return node

    def _count_alias(self, event: Any) -> None:
        size = self._sizes.get(event.anchor)
        if size is not None:
            self._count(*size, event)
        elif event.anchor in self.anchors:
            raise ConstructorError(None, None, f"the anchor {event.anchor} contains itself", event.start_mark)

    def _count(self, values: int, characters: int, event: Any) -> None:
        self._values += values
        self._characters += characters
        if self._values > MAX_VALUES or self._characters > MAX_CHARACTERS:
            expected = f"expected at most {MAX_VALUES} keys and values of {MAX_CHARACTERS} characters together"
            raise ConstructorError(None, None, f"{expected}, repetitions by aliases included", event.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
            if key in keys:
                raise ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            keys.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_text(self, node: yaml.ScalarNode) -> str:
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise ConstructorError(None, None, "text holds half a surrogate pair", node.start_mark)
        return str(node.value)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        self._check_number(node)
        return int(self.construct_yaml_int(node))

    def construct_float(self, node: yaml.ScalarNode) -> float:
        self._check_number(node)
        return float(self.construct_yaml_float(node))

    def construct_date(self, node: yaml.ScalarNode) -> None:
        raise ConstructorError(None, None, "a date; expected numbers, text, lists and mappings only", node.start_mark)

    def _check_number(self, node: yaml.ScalarNode) -> None:
        if len(node.value) > MAX_NUMBER_LENGTH:
            problem = f"a number of {len(node.value)} characters; expected at most {MAX_NUMBER_LENGTH}"
            raise ConstructorError(None, None, problem, node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_text)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_date)
# Each run of digits can be matched in one way only, so that matching takes linear time.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)
