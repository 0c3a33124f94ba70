"""Random points at which equations are tested.

A point gives every name a positive real value. The values come from a keyed stream: the same key gives the same points,
and names are told apart by a cryptographic hash, so no text can be written that fits the points it is tested at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from flint import acb, arb

RANGES = ((0.4, 1.6), (1.6, 5.0), (0.05, 0.4), (0.3, 3.0))
"""Bounds of the values of names; a name takes one of them at each point."""

MAX_REMEMBERED = 1_000
"""Maximum number of names whose values a point remembers; some points last as long as the process."""

UNIT = "i"
"""The name that may be the imaginary unit."""


@dataclass(frozen=True)
class Stream:
    """The stream of points of a key.

    Attributes:
        has_unit: whether the name `i` may be the imaginary unit, which it then is at every second point.
        values: values that names have at every point.
    """

    key: bytes
    has_unit: bool = False
    values: Mapping[str, acb] = field(default_factory=dict)
    _points: dict[int, "Point"] = field(default_factory=dict, init=False, repr=False, compare=False)

    def point(self, draw: int) -> "Point":
        if draw not in self._points:
            values = {**self.values, UNIT: acb(0, 1)} if self.has_unit and draw % 2 else self.values
            self._points[draw] = Point(self.key, draw, values)
        return self._points[draw]


@dataclass(frozen=True)
class Point:
    """A point of the keyed stream.

    Attributes:
        key: the stream's key.
        draw: the point's number.
        values: values that replace those of the stream.
    """

    key: bytes
    draw: int
    values: Mapping[str, acb] = field(default_factory=dict)
    _known: dict[str, acb] = field(default_factory=dict, init=False, repr=False, compare=False)

    def value(self, name: str) -> acb:
        """The value of a name."""
        if name in self.values:
            return self.values[name]
        if name not in self._known:
            if len(self._known) == MAX_REMEMBERED:
                self._known.clear()
            self._known[name] = self._drawn(name)
        return self._known[name]

    def _drawn(self, name: str) -> acb:
        digest = self._digest(name)
        # The first two points keep all names in one range, where most expressions are of moderate size.
        low, high = RANGES[self.draw] if self.draw < 2 else RANGES[digest[8] % len(RANGES)]
        return acb(arb(low + (high - low) * fraction(digest)))

    def number(self, label: str) -> float:
        """A number between 0 and 1 for a label; it does not depend on the point."""
        return fraction(blake2b(label.encode(), key=self.key, digest_size=8).digest())

    def number_of(self, label: str, values: Sequence[acb]) -> acb:
        """A number between 1 and 2 for a label and some values; it changes smoothly with each of them."""
        mixed = arb(self.number(f"{label} {len(values)}"))
        for place, value in enumerate(values):
            for name, share in (("real", value.real), ("imaginary", value.imag)):
                mixed += share.asinh() * arb(1 + self.number(f"{label} {place} {name} {self.draw}"))
        return acb(arb(3) / 2 + mixed.sin() / 2)

    def _digest(self, name: str) -> bytes:
        return blake2b(f"{self.draw} {name}".encode(), key=self.key, digest_size=9).digest()


def fraction(digest: bytes) -> float:
    """The number between 0 and 1 that the first 53 bits of a digest spell."""
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def key_of(*texts: str) -> bytes:
    """The key of the stream that belongs to these texts."""
    return blake2b("\x00".join(texts).encode("utf-8", "surrogatepass"), digest_size=32).digest()
