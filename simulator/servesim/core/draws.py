"""Chance as an index: a draw is a function of (seed, stream, ordinal).

Nothing shares a generator, so a new consumer, another order of tests or eight threads change no other
outcome. Ids come from here too.
"""

from __future__ import annotations

from hashlib import blake2b

_SCALE = 2.0**-53


class Stream:
    """One named sequence of draws; any ordinal can be asked for, in any order."""

    __slots__ = ("_base",)

    def __init__(self, seed: int, *names: str) -> None:
        """Name the stream; two streams agree only if seed and every name agree."""
        key = f"{seed}".encode()
        # Lengths keep ("ab", "c") and ("a", "bc") apart.
        label = "".join(f"{len(name)}:{name}/" for name in names)
        if len(key) > blake2b.MAX_KEY_SIZE:
            key = blake2b(key).digest()
        self._base = blake2b(label.encode("utf-8", "surrogatepass"), digest_size=16, key=key)

    def _digest(self, ordinal: int) -> bytes:
        state = self._base.copy()
        state.update(ordinal.to_bytes(8, "big"))
        return state.digest()

    def fraction(self, ordinal: int) -> float:
        """Draw a number in [0, 1)."""
        return (int.from_bytes(self._digest(ordinal)[:8], "big") >> 11) * _SCALE

    def hexadecimal(self, ordinal: int) -> str:
        """Draw 32 lower-case hexadecimal digits."""
        return self._digest(ordinal).hex()

    def between(self, ordinal: int, low: int, high: int) -> int:
        """Draw an integer from low to high, both included."""
        return low + int(self.fraction(ordinal) * (high - low + 1))


class Draws:
    """The streams of one seed."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        """Start from a seed; equal seeds give equal worlds."""
        self.seed = seed

    def stream(self, *names: str) -> Stream:
        """Name a stream, e.g. ``stream("route", endpoint_id)``."""
        return Stream(self.seed, *names)
