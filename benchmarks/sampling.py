"""A sampling profiler for a server's main thread, driven by its own processor time."""

from __future__ import annotations

import atexit
import json
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

EVERY_S = 0.001


class Sampler:
    """Counts which function the processor is in, and the functions that called it."""

    def __init__(self, path: Path) -> None:
        """Begin at SIGUSR1 and write to ``path`` when the process ends."""
        self._path = path
        self._own: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        signal.signal(signal.SIGPROF, self._take)
        signal.signal(signal.SIGUSR1, self._begin)
        atexit.register(self._write)

    def _begin(self, _signal: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def _take(self, _signal: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None:
            names.append(_name(frame))
            frame = frame.f_back
        self._own[names[0]] += 1
        self._within.update(set(names))

    def _write(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._path.write_text(json.dumps({"own": self._own, "within": self._within}))


def _name(frame: FrameType) -> str:
    """Return ``package/module.py:function``, the file shortened to its last two parts."""
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"
