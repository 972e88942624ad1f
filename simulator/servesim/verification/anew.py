"""What ``stored.py`` holds, simulated anew: minutes.

``python -m servesim.verification.anew > new && mv new simulator/servesim/verification/stored.py`` writes it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from servesim.verification.measured import POWER, RUNS, SPLITS, measure, measure_the_usual_check
from servesim.verification.search import Cell, requests_needed

if TYPE_CHECKING:
    from collections.abc import Iterator

ALPHAS = tuple(RUNS)
DETECTED = (1, 2, 5, 10)
PLANNED: tuple[tuple[float, ...], ...] = (
    (50, 50),
    (75, 25),
    (80, 20),
    (90, 10),
    (95, 5),
    (99, 1),
    (34, 33, 33),
    (50, 25, 25),
    (50, 30, 20),
    (80, 10, 10),
    (25,) * 4,
    (20,) * 5,
    (10,) * 10,
)


def cells() -> list[Cell]:
    """List the cases that are stored."""
    return [
        Cell(percentages, float(detect), alpha, POWER)
        for percentages in PLANNED
        for detect in DETECTED
        for alpha in ALPHAS
    ]


def lines() -> Iterator[str]:
    """Yield the lines of the module as they are found."""
    yield '"""Requests that plans need, and what was measured of them; made by ``servesim.verification.anew``."""'
    yield "\nfrom __future__ import annotations"
    yield "\n# Percentages, detect, alpha, power: requests."
    yield "REQUESTS: dict[tuple[tuple[float, ...], float, float, float], int] = {"
    requests: dict[tuple[Any, ...], int] = {}
    for cell in cells():
        requests[cell] = requests_needed(cell)
        yield f"    {tuple(cell)}: {requests[cell]},"
    yield "}"
    yield "\n# Percentages, alpha: requests, looks, alarms, caught."
    yield "MEASURED: dict[tuple[tuple[float, ...], float], tuple[int, int, int, int]] = {"
    for percentages in SPLITS:
        for alphas in ((0.05, 0.01), (0.001,)):
            found = measure(percentages, alphas, requests)
            yield from (f"    {(percentages, alpha)}: {tuple(one)}," for alpha, one in found.items())
    yield "}"
    yield "\n# True percentage: runs in which 100 requests are more than 5 off 50:50."
    yield f"USUAL_CHECK: dict[int, int] = {measure_the_usual_check()}"


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(f"{line}\n")
