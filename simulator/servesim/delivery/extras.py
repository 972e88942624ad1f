"""Optional packages: one that is missing gives an error that names its extra."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class MissingExtra(ImportError):  # noqa: N818 - named for what is so
    """A package of an extra is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into one that says what to install."""
    try:
        yield
    except ImportError as error:
        message = f"this needs the {extra!r} extra: pip install 'servesim[{extra}]' ({error})"
        raise MissingExtra(message, name=error.name) from error
