"""Judge what becomes of traffic across the end of a retired surface; needs servesim, whose clock it moves.

    locust -f retirement.py --headless -u 10 -r 10 --host http://127.0.0.1:8765 --endpoint churn \
        --retiring model/churn/Production

Half of the users ask the surface that ends, half the endpoint of Model Serving beside it. The clock is taken to a few
seconds before the end that the answers announce (Sunset), and goes on by itself across it. Up to that instant every
request is answered, from then on every one is refused, a request that was admitted before completes, and the endpoint
beside it never notices. SERVESIM_ADMIN_TOKEN is the token of servesim's admin API. Exit code 0: so it is, 1: it isn't,
4: too few requests were seen, 5: it could not run.
"""

from servesim.load.conductor import Conductor
from servesim.load.register import load_test
from servesim.load.retiring import approach, checks, end_of, traffic
from servesim.load.users import TurningUser


def course(run: Conductor) -> None:
    """Go to the end, and over it."""
    end = end_of(run)
    since = approach(run, end)
    asked = traffic(run, end)
    run.checks += checks(run, since, end, asked)


load_test("retirement", course, ("retiring", "step_s"), needs_servesim=True)


class User(TurningUser):
    """One of the callers."""
