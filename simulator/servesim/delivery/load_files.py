"""The files that a load test leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.delivery.load_target import CouldNotRun
from servesim.load.document import NoRun, read_run

if TYPE_CHECKING:
    from pathlib import Path

    from servesim.load.document import Run

RUN, REPORT, JUNIT = "run.json", "report.html", "junit.xml"
LOG, SERVER_LOG, PROGRESS = "locust.log", "servesim.log", "progress.jsonl"
_TAIL = 12
_TAIL_BYTES = 8_192


def fresh_folder(out: Path) -> None:
    """Make the folder, without what an earlier run left in it; raise CouldNotRun."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (RUN, REPORT, JUNIT, LOG, SERVER_LOG, PROGRESS):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise CouldNotRun(f"--out {out} can't be written: {error.strerror}.") from error


def write_reports(run: Run, out: Path) -> list[Path]:
    """Write the report and JUnit's file of a run and return their paths; raise OSError."""
    from servesim.load.junit import junit  # noqa: PLC0415 - a run that failed needs none of it
    from servesim.load.report import report  # noqa: PLC0415 - as above

    out.mkdir(parents=True, exist_ok=True)
    page, cases = out / REPORT, out / JUNIT
    page.write_text(report(run), encoding="utf-8")
    cases.write_bytes(junit(run))
    return [page, cases]


def found_run(out: Path, secrets: tuple[str, ...]) -> Run:
    """Return the document that locust's process left; raise CouldNotRun with what it said instead."""
    try:
        return read_run(out / RUN)
    except FileNotFoundError as error:
        raise CouldNotRun(f"locust left no result. {told(out / LOG, secrets)}") from error
    except (NoRun, OSError) as error:
        raise CouldNotRun(f"the result can't be read: {error}") from error


def told(log: Path, secrets: tuple[str, ...]) -> str:
    """Return the end of a log, without the secrets."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return "It said nothing."
    lines = [line for line in hidden(text, secrets).splitlines() if line.strip()][-_TAIL:]
    return "\n".join(["It said:", *lines]) if lines else "It said nothing."


def hidden(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text without the secrets."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def tidy(out: Path, secrets: tuple[str, ...]) -> None:
    """Take secrets out of the logs, should somebody's code have printed one, and away what says nothing."""
    (out / PROGRESS).unlink(missing_ok=True)
    for path in (out / LOG, out / SERVER_LOG):
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if any(secret in text for secret in filter(None, secrets)):
            path.write_text(hidden(text, secrets), encoding="utf-8")
    if not _size(out / SERVER_LOG):
        (out / SERVER_LOG).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
