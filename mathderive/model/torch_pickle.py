"""Reads a pickle of plain data without the `pickle` module and without trusting the pickle.

A pickle is a program for a stack machine. Python's machine can be made to call any function. Even if its names are
restricted, a few bytes can allocate gigabytes or build a key whose hash takes years. The machine in this module knows
only the opcodes that Python's pickler writes for containers, numbers and text in protocol 2. It refuses all others, and
its time and memory are linear in the pickle's length.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from mathderive.core.errors import InputError

_PROTOCOLS = (2, 3)
_LITERALS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"})
_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}


class _Stack:
    """The stack of the machine, with marks that a pop cannot cross."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._marks: list[int] = []

    def push(self, item: Any) -> None:
        self._items.append(item)

    def top(self) -> Any:
        return self._items[-1]

    def mark(self) -> None:
        self._marks.append(len(self._items))

    def pop(self, count: int) -> list[Any]:
        """Removes and returns the last `count` items."""
        if count > len(self._items) - (self._marks[-1] if self._marks else 0):
            raise ValueError("the pickle takes more from its stack than is there")
        start = len(self._items) - count
        items = self._items[start:]
        del self._items[start:]
        return items

    def pop_to_mark(self) -> list[Any]:
        """Removes and returns the items after the last mark, and removes the mark."""
        items = self.pop(len(self._items) - self._marks[-1])
        self._marks.pop()
        return items


def read_pickle(data: bytes, names: Mapping[str, Any], persistent_load: Callable[[Any], Any]) -> Any:
    """Returns the object that the pickle describes.

    Args:
        data: the pickle.
        names: the object of each global name, `module.name`; the pickle can call only the functions among them.
        persistent_load: returns the object of a persistent id.

    Raises:
        InputError: the pickle has more than plain data, or asks for another name.
        ValueError, LookupError, TypeError: the pickle is damaged.
    """
    stack = _Stack()
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(data):
        match opcode.name:
            case "PROTO":
                if argument not in _PROTOCOLS:
                    raise InputError(f"its pickle is of protocol {argument}; expected 2, as PyTorch writes it")
            case name if name in _CONSTANTS:
                stack.push(_CONSTANTS[name]())
            case name if name in _LITERALS:
                stack.push(argument)
            case "MARK":
                stack.mark()
            case "TUPLE":
                stack.push(tuple(stack.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.push(tuple(stack.pop(int(name[-1]))))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack.top()
            case "BINGET" | "LONG_BINGET":
                stack.push(memo[argument])
            case "SETITEM":
                _set_items(stack.pop(2), stack.top())
            case "SETITEMS":
                _set_items(stack.pop_to_mark(), stack.top())
            case "GLOBAL":
                stack.push(_named(str(argument).replace(" ", "."), names))
            case "BINPERSID":
                stack.push(persistent_load(*stack.pop(1)))
            case "REDUCE":
                function, arguments = stack.pop(2)
                if not callable(function) or not isinstance(arguments, tuple):
                    raise InputError("its pickle calls something that is no function")
                stack.push(function(*arguments))
            case "BUILD":
                stack.pop(1)  # attributes of a dictionary, which are not among its items
            case "STOP":
                (result,) = stack.pop(1)
                return result
            case other:
                raise InputError(f"its pickle uses {other}, which no plain data needs")
    raise ValueError("the pickle has no end")


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if name not in names:
        raise InputError(f"its pickle asks for {name[:80]}, which no T5 weight needs")
    return names[name]


def _set_items(items: list[Any], target: Any) -> None:
    if type(target) is not dict or len(items) % 2:
        raise ValueError("the pickle sets items of something that is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str:
            raise InputError("its pickle has a dictionary with keys that are not text")
        target[key] = value
