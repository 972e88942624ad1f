"""A run of the contract suite: case after case, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from servesim.contracts.documents import OF_A_WORKSPACE
from servesim.delivery.admin_client import BASE
from servesim.delivery.client import ENDPOINTS, Unreachable, endpoint_path, no_answer
from servesim.delivery.contract_talk import CouldNotRun, NotRun, NotThere, Talk, dig
from servesim.service.clock import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from servesim.delivery.client import Answered
    from servesim.delivery.contract_cases import Case
    from servesim.delivery.contract_talk import Wrong

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
MISSING = 404


class Named(Protocol):
    """What a report names."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def surface(self) -> str:
        """Whose it is."""

    @property
    def shows(self) -> str:
        """What it shows, in a sentence."""


class Result(NamedTuple):
    """What became of a case: what was wrong if it failed, why it did not run if it was skipped."""

    case: Named
    verdict: str
    wrong: tuple[Wrong, ...] = ()
    why: str = ""
    evidence: tuple[tuple[str, str], ...] = ()
    """Operations that were called, each with the grade of what is known about it."""
    seconds: float = 0.0

    @property
    def grades(self) -> str:
        """The grades in words, each once."""
        return ", ".join(dict.fromkeys(grade for _, grade in self.evidence))


def run(talk: Talk, cases: Iterable[Case], tell: Callable[[Result], None]) -> list[Result]:
    """Run cases and tell each result at once; raise CouldNotRun. What was made is removed, come what may."""
    results = []
    left: list[str] = []
    try:
        _knock(talk)
        for case in cases:
            results.append(_run(talk, case))
            tell(results[-1])
    finally:
        left = talk.tidy()
    if left:
        raise CouldNotRun(f"what the suite made could not be removed: {', '.join(left)}. Remove it by hand")
    return results


def _knock(talk: Talk) -> None:
    """Look whether somebody answers and takes the tokens, and has the endpoint; raise CouldNotRun."""
    surfaces = set(talk.plan.surfaces)
    try:
        if surfaces.intersection(OF_A_WORKSPACE):
            _check(talk, talk.get(ENDPOINTS), "--token or DATABRICKS_TOKEN")
            if (name := talk.plan.endpoint) is not None and talk.get(endpoint_path(name)).status == MISSING:
                raise NotThere(f"there is no endpoint {name!r}")
        if "admin" in surfaces:
            _check(talk, talk.get(BASE, token=talk.admin_token), "--admin-token or SERVESIM_ADMIN_TOKEN")
        if "scoring" in surfaces:
            talk.get("/ping", surfaces=("scoring",))
    except Unreachable as reason:
        raise CouldNotRun(no_answer(reason)) from reason


def _check(talk: Talk, answered: Answered, given_by: str) -> None:
    if answered.status in {401, 403}:
        message = dig(answered.document, "message")
        said = f": {talk.redacted(message)}" if isinstance(message, str) else "."
        raise CouldNotRun(f"the token is refused with {answered.status}{said} Give another with {given_by}")


def _run(talk: Talk, case: Case) -> Result:
    talk.begin()
    watch = Stopwatch()
    why = ""
    try:
        case.steps(talk)
    except NotRun as reason:
        why = str(reason)
    except Unreachable:
        pass  # noted where it happened
    verdict = FAILED if talk.wrong else SKIPPED if why else PASSED
    return Result(case, verdict, tuple(talk.wrong), why, tuple(talk.met.items()), watch.seconds())
