"""Find how many callers an endpoint takes, and what it does then.

    locust -f saturation.py --headless -u 100 -r 100 --host https://WORKSPACE --endpoint fraud --step-users 10

Adds users until requests are refused with 429, each user with one request in flight, and then holds their number until
that ends, because replicas were added. Against servesim the queue is known too, and with it where refusals may begin,
where they must, and whether they go; against a real workspace it tells where they began. Exit code 0: it is as the
config says, or refusals were found, 1: it isn't, 4: there were too few users to see it, 5: it could not run.
"""

from servesim.load import endpoint
from servesim.load.conductor import Conductor
from servesim.load.register import load_test
from servesim.load.saturating import Saturation
from servesim.load.users import LoopingUser


def course(run: Conductor) -> None:
    """Try one number of users after the other."""
    run.metrics_every_s = 1
    found = endpoint.read(run.server, run.settings.endpoint)
    tried = Saturation(run, found)
    for users in tried.planned:
        tried.level(users)
        if tried.is_over:
            break
    run.checks += tried.checks()


load_test("saturation", course, ("step_users", "step_s"), ramps=True)


class User(LoopingUser):
    """One of the callers."""
