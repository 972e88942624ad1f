"""How much larger than its request a table and an answer may get.

A few kilobytes can ask for billions of cells (two columns of which every row has one, a label for each of a million
rows), and pandas would try. Here that would take the memory of whoever runs the server.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.refusal import bad_request

FILLED_CELLS: Final = 1_000_000
"""Cells that may be filled in or repeated, beside `FILLED_PER_SENT` for each that was sent."""
FILLED_PER_SENT: Final = 4

REPEATED_CHARACTERS: Final = 64 * 1024 * 1024
"""How much column names may come to, repeated for every row: as much as a worker may answer."""


def check_cells(rows: int, width: int, count_sent: Callable[[], int]) -> None:
    """Raise a 400 `Refused` for a table of which too little was sent; small ones are not counted."""
    cells = rows * width
    if cells <= FILLED_CELLS:
        return
    sent = count_sent()
    if cells - sent > FILLED_CELLS + FILLED_PER_SENT * sent:
        raise bad_request(texts.TABLE_GROWS, cells=cells, sent=sent)


def check_names(rows: int, columns: Iterable[Any]) -> None:
    """Raise a 400 `Refused` for column names that would be written too often."""
    size = rows * sum(len(str(name)) for name in columns)
    if size > REPEATED_CHARACTERS:
        raise bad_request(texts.NAMES_GROW, size=size, limit=REPEATED_CHARACTERS)
