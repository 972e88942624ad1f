"""Judge whether everything is answered that comes while an endpoint wakes up; needs servesim, whose clock it moves.

    locust -f cold_start.py --headless -u 20 -r 100 --host http://127.0.0.1:8765 --endpoint fraud --rounds 3

In each round the clock is moved until the endpoint has scaled to zero, and then every user sends one request at the
same instant. They are held while the endpoint starts; all have to be answered, none lost, in the order in which they
came, the first as soon as the start has ended. SERVESIM_ADMIN_TOKEN is the token of servesim's admin API. Exit code 0:
so it is, 1: it isn't, 4: it was ended too early, 5: it could not run.
"""

from servesim.load.conductor import Conductor
from servesim.load.register import load_test
from servesim.load.users import BurstingUser
from servesim.load.waking import burst, checks, sleep


def course(run: Conductor) -> None:
    """Let it sleep and wake it, as often as asked for."""
    run.metrics_every_s = 1
    woken = []
    for number in range(1, run.settings.rounds + 1):
        sleep(run, number)
        woken += burst(run, number)
    run.checks += checks(run, woken)


load_test("cold_start", course, ("rounds",), needs_servesim=True)


class User(BurstingUser):
    """One of the callers."""
