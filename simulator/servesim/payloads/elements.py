"""One value into one dtype, by the rules with which NumPy stores a Python object in an array."""

import struct
from collections.abc import Callable
from typing import Any, Final

from servesim.payloads.dates import numpy_datetime

Convert = Callable[[Any], Any]

_INT64: Final = range(-(2**63), 2**63)
_WIDE: Final = range(-(2**63), 2**64)
_SHORT: Final = 32


def converter(dtype: str) -> Convert:
    """Return the function that stores a value as `dtype`.

    It raises TypeError, ValueError or OverflowError with NumPy's words.
    """
    return _CONVERTERS[dtype]


def float32(value: float) -> float:
    """Return the nearest 32 bit float, infinity where it does not fit."""
    return _narrow(value, "f")


def wrap(value: int, bits: int) -> int:
    """Return what is left of an integer in `bits` bits, two's complement."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def integer(value: float, dtype: str) -> int:
    """Return what a processor makes of a number as an integer of `dtype`, as NumPy's `astype` leaves it to that.

    Integers keep their lowest bits. Floats that do not fit give the lowest value of the conversion that is used: of
    32 bits for the short types.
    """
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    if isinstance(value, float):
        low = -(1 << (31 if bits < _SHORT or dtype == "int32" else 63))
        top = 1 << 64 if dtype == "uint64" else -low
        value = int(value) if low <= value < top else 0 if dtype == "uint64" and value >= top else low
    return wrap(int(value), bits) if dtype[0] == "i" else int(value) % (1 << bits)


def _narrow(value: float, code: str) -> float:
    try:
        return float(struct.unpack(code, struct.pack(code, value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _integer(dtype: str, fits: range) -> Convert:
    wide = _WIDE if dtype in ("uint32", "uint64") else _INT64

    def convert(value: Any) -> int:
        number = int(value)
        if number not in wide:
            message = "Python int too large to convert to C long"
            raise OverflowError(message)
        if number not in fits:
            message = f"Python integer {number} out of bounds for {dtype}"
            raise OverflowError(message)
        return number

    return convert


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _text(value: Any) -> str:
    return str(value).rstrip("\0")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode("ascii").rstrip(b"\0")


def _same(value: Any) -> Any:
    return value


_CONVERTERS: Final[dict[str, Convert]] = {
    "bool": bool,
    **{f"int{n}": _integer(f"int{n}", range(-(2 ** (n - 1)), 2 ** (n - 1))) for n in (8, 16, 32, 64)},
    **{f"uint{n}": _integer(f"uint{n}", range(2**n)) for n in (8, 16, 32, 64)},
    "float16": lambda value: _narrow(_float(value), "e"),
    "float32": lambda value: _narrow(_float(value), "f"),
    "float64": _float,
    "str": _text,
    "bytes": _bytes,
    "datetime64": numpy_datetime,
    "object": _same,
}
