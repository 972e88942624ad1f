"""The page ``docs/fidelity.md``: every operation, response and refusal with how it is known."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from servesim.contracts.documents import SURFACES, document
from servesim.contracts.operations import Operation, evidence, operations, responses
from servesim.generations.ga_texts import TEXTS
from servesim.service.contract_source import source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GRADES = {
    "documented": "stands in public documentation or in a generated client",
    "recorded": "was printed by a real workspace or a real MLflow server",
    "observed": "was quoted or relied on by people who use the service",
    "chosen": "is not known: this is servesim's choice",
}
HEAD = """\
# Fidelity

What each answer of servesim rests on. This page is generated from the contracts (`contracts/*.yaml`) and from the
table of refusals: `python -m servesim.contracts.fidelity > docs/fidelity.md` writes it anew.
"""
ASKING = """\
The grade of an answer is also in the request log, and in the header `X-Servesim-Evidence` of the answer to a request
that has such a header itself. `--strict-evidence` fails a run in which an answer rested on `chosen`; the answers of an
ordered fault are `injected`, those of a route that you wrote are `route`. To replace what was chosen by what your
workspace says, see `servesim contract probe` in [contracts.md](contracts.md).
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_grades(), "", ASKING, *_surfaces(), *_absent(), *_refusals()]) + "\n"


def _grades() -> Iterator[str]:
    counted = Counter(operation.evidence.grade for operation in operations())
    texts = Counter(text.grade for text in TEXTS.values())
    yield from _table(
        ("Grade", "What it says of an answer", "Operations", "Refusals"),
        ((f"`{grade}`", meaning, str(counted[grade]), str(texts[grade])) for grade, meaning in GRADES.items()),
    )


def _surfaces() -> Iterator[str]:
    for surface in SURFACES:
        yield f"## {source(surface)['info']['title']}"
        yield ""
        yield from _table(("Operation", "Grade", "Answers", "Source", "Not modelled"), _rows(surface))
        yield ""


def _rows(surface: str) -> Iterator[tuple[str, ...]]:
    for operation in operations(surface):
        grade, origin, not_modelled = operation.evidence
        yield f"`{operation.method} {operation.path}`", grade, _answers(operation), origin, not_modelled


def _answers(operation: Operation) -> str:
    """Return the statuses of an operation by grade, e.g. ``recorded: 200, 404; chosen: 503``."""
    known: dict[str, list[str]] = {}
    for status, (_, response) in sorted(responses(operation).items()):
        known.setdefault(evidence(response).grade, []).append(status)
    return "; ".join(f"{grade}: {', '.join(known[grade])}" for grade in GRADES if grade in known)


def _absent() -> Iterator[str]:
    yield "## Not simulated"
    yield ""
    yield "Calls that are known and that servesim answers with 501, as it does every call that is in no contract:"
    yield ""
    for one in document()["x-not-simulated"]:
        yield f"- `{one['call']}` ({one['grade']}): {one['source']}."
    yield ""


def _refusals() -> Iterator[str]:
    yield "## Refusals"
    yield ""
    yield from _table(
        ("Refusal", "Status", "`error_code`", "Grade", "Source"),
        (
            (f"`{code}`", str(text.status), f"`{text.error_code}`", text.grade, text.source)
            for code, text in TEXTS.items()
        ),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
