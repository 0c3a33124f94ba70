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
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def pop(count: int) -> list[Any]:
        if count > len(stack) - (marks[-1] if marks else 0):
            raise ValueError("the pickle takes more from its stack than is there")
        items = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        return items

    def pop_to_mark() -> list[Any]:
        items = pop(len(stack) - marks[-1])
        marks.pop()
        return items

    for opcode, argument, _ in pickletools.genops(data):
        match opcode.name:
            case "PROTO":
                if argument not in _PROTOCOLS:
                    raise InputError(f"its pickle is of protocol {argument}; expected 2, as PyTorch writes it")
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            case name if name in _LITERALS:
                stack.append(argument)
            case "MARK":
                marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.append(tuple(pop(int(name[-1]))))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "SETITEM":
                _set_items(pop(2), stack[-1])
            case "SETITEMS":
                _set_items(pop_to_mark(), stack[-1])
            case "GLOBAL":
                stack.append(_named(str(argument).replace(" ", "."), names))
            case "BINPERSID":
                stack.append(persistent_load(*pop(1)))
            case "REDUCE":
                function, arguments = pop(2)
                if not callable(function) or not isinstance(arguments, tuple):
                    raise InputError("its pickle calls something that is no function")
                stack.append(function(*arguments))
            case "BUILD":
                pop(1)  # attributes of a dictionary, which are not among its items
            case "STOP":
                (result,) = pop(1)
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
            raise InputError("its pickle has a dictionary whose keys are not text")
        target[key] = value
