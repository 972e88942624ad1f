"""Judge whether an endpoint keeps its traffic split.

    locust -f traffic_split.py --headless -u 20 -r 20 --host https://WORKSPACE --endpoint fraud --detect 2

The routes are read from the endpoint, the requests made from the signature that it publishes, in every format that it
takes; DATABRICKS_TOKEN is the token. It ends when enough requests are counted, when a fail is sure, or after
``--duration``. Exit code 0: the split is kept, 1: it isn't, 4: too little was counted, 5: it could not run.
"""

from servesim.load import endpoint, options
from servesim.load.conductor import Conductor
from servesim.load.judging import name_of
from servesim.load.register import load_test
from servesim.load.users import LoopingUser


def course(run: Conductor) -> None:
    """Judge the split that is configured until the verdict is sure."""
    found = endpoint.read(run.server, run.settings.endpoint)
    judged = run.phase(name_of(found.split), found.split, judged_after_s=0)
    run.until_decided(judged, run.settings.duration_s)


load_test("traffic_split", course, options.JUDGING, splits=lambda _, found: [found.split])


class User(LoopingUser):
    """One of the callers."""
