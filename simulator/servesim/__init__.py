"""servesim: Databricks Model Serving, simulated on your own machine."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # as typing has it: importing servesim imports nothing
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from servesim.delivery.run import Run


def run(*, port: int = 0, scenario: str | Path | None = None, **options: Any) -> Run:
    """Return a context manager that serves one workspace on loopback, as the fixture ``servesim`` does.

    ``with servesim.run() as sim:`` gives the sync handle, ``async with servesim.run() as sim:`` the async one.
    ``port`` 0 is a free one; ``options`` are those of ``@pytest.mark.servesim``: clock, seed, profile, ...
    """
    from servesim.delivery.run import Run  # noqa: PLC0415 - whoever asks for the version alone waits for nothing

    return Run(port, {"scenario": scenario, **options})
