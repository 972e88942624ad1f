"""Judge whether every step of a rollout sends the traffic where it should.

    locust -f rollout.py --headless -u 20 -r 20 --host https://WORKSPACE --endpoint fraud --steps 10,50,100

Changes the endpoint's config under traffic, one step after the other, waits until the service says that the update has
ended, and judges each step by the requests that were *sent* while it was in force: from ``--drain`` seconds after the
switch to the next one. The split that was there before is put back, unless ``--no-restore``. Exit code 0: every step is
kept, 1: one isn't, 4: too little was counted, 5: it could not run.
"""

from servesim.load import endpoint, options
from servesim.load.conductor import Conductor
from servesim.load.register import load_test
from servesim.load.settings import Settings, shares
from servesim.load.users import LoopingUser


def course(run: Conductor) -> None:
    """Go through the steps until one fails."""
    before = endpoint.read(run.server, run.settings.endpoint)
    try:
        for share, split in zip(shares(run.settings.steps), splits(run.settings, before), strict=True):
            switch(run, split, f"{share} %")
            judged = run.phase(f"{share} %", split, judged_after_s=run.settings.drain_s)
            run.until_decided(judged, run.settings.duration_s + run.settings.drain_s)
            run.end_judging()
            if not judged.judging.is_passed:
                run.note(f"the rollout ended at {share} %: {judged.judging.verdict.why}")
                return
    finally:
        if run.settings.restore:
            switch(run, before.split, "the split before")


def splits(settings: Settings, before: endpoint.Endpoint) -> list[dict[str, float]]:
    """Return the split of each step."""
    challenger = endpoint.challenger_of(before.split, settings.challenger)
    return [endpoint.stepped(before.split, challenger, share) for share in shares(settings.steps)]


def switch(run: Conductor, split: dict[str, float], to: str) -> None:
    """Ask for other shares and wait until they are in force; nothing is judged meanwhile."""
    run.phase(f"switch to {to}")
    found = endpoint.read(run.server, run.settings.endpoint)
    if found.split != split:
        endpoint.change_split(run.server, found, split)
        endpoint.await_split(run.server, run.settings.endpoint, split)


load_test("rollout", course, (*options.JUDGING, "steps", "challenger", "drain_s", "restore"), splits=splits)


class User(LoopingUser):
    """One of the callers."""
