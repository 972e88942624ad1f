"""What is asked of traffic across the end of a surface."""

import json

import pytest

from servesim.load.calls import Answer, CannotRun
from servesim.load.retiring import Asked, approach, checks, end_of
from servesim.load.settings import Settings, changed
from servesim.load.tally import Sent, Tally
from servesim.load.work import Counting

END = 1_757_894_400_000
"""2025-09-15T00:00:00Z."""
OWN, BESIDE = "/model/churn/Production/invocations", "/serving-endpoints/churn/invocations"
WELL = [
    Asked(1, END - 10, OWN, 200, ""),
    Asked(2, END - 5, BESIDE, 200, ""),
    Asked(3, END + 40, OWN, 200, "", came_ms=END - 1),
    Asked(4, END, OWN, 404, "FEATURE_DISABLED"),
    Asked(5, END + 9, OWN, 404, "FEATURE_DISABLED"),
    Asked(6, END + 9, BESIDE, 200, ""),
]


class Run:
    """As much of a run as the checks read."""

    def __init__(self, sent, headers=(), clock=None):
        self.settings = Settings(endpoint="churn", retiring="model/churn/Production")
        self.tally = Tally()
        self.tally.endpoints["model/churn"] = sent
        self.server, self.admin, self.url = self, self, "http://here"
        self.headers, self.told = dict(headers), clock
        self.moved = []

    def get(self, path):
        assert path == "/api/2.0/mlflow/endpoints/get-status?registered_model_name=churn"
        return Answer(200, b"{}", self.headers)

    def clock(self):
        return self.told

    def advance(self, seconds):
        self.moved.append(seconds)


def outcomes(asked, sent=4):
    """Return the outcome of each check by its name."""
    return {check.name: check.outcome for check in checks(Run(sent), END - 100, END, asked)}


def test_all_is_well():
    assert outcomes(WELL) == dict.fromkeys(
        ["answered until its end", "refused from its end on", "the endpoint beside it", "nothing is lost"], "pass"
    )


@pytest.mark.parametrize(
    ("number", "change", "fails"),
    [
        (1, {"status": 404, "code": "FEATURE_DISABLED"}, "answered until its end"),
        (3, {"came_ms": END}, "refused from its end on"),
        (4, {"status": 503}, "refused from its end on"),
        (5, {"code": "RESOURCE_DOES_NOT_EXIST"}, "refused from its end on"),
        (6, {"status": 500}, "the endpoint beside it"),
    ],
)
def test_one_request_that_goes_otherwise_is_seen(number, change, fails):
    asked = [one._replace(**change) if one.number == number else one for one in WELL]
    assert {name for name, outcome in outcomes(asked).items() if outcome != "pass"} == {fails}


def test_a_request_that_waited_while_the_clock_was_moved_is_not_judged():
    for moved, outcome in ((END - 101, "pass"), (END - 100, "fail")):
        asked = [WELL[0]._replace(number=0, status=504, came_ms=moved), *WELL]
        assert outcomes(asked, sent=5)["answered until its end"] == outcome
        told = "; 1 that failed while the clock was moved" in checks(Run(5), END - 100, END, asked)[-1].why
        assert told == (outcome == "pass")


def test_a_request_that_users_sent_and_nobody_has_seen_is_lost():
    assert outcomes(WELL, sent=5)["nothing is lost"] == "fail"


def test_a_record_with_gaps_decides_nothing():
    assert outcomes([one for one in WELL if one.number != 2])["nothing is lost"] == "inconclusive"


def test_without_requests_nothing_is_decided():
    assert set(outcomes([], sent=0).values()) >= {"inconclusive"}
    assert "fail" not in outcomes([], sent=0).values()


def test_the_end_is_that_which_answers_announce():
    assert end_of(Run(0, {"sunset": "Mon, 15 Sep 2025 00:00:00 GMT"})) == END
    with pytest.raises(CannotRun, match="announces no end"):
        end_of(Run(0))


@pytest.mark.parametrize(
    ("now", "mode", "says"),
    [("2025-09-14T23:00:00Z", "frozen", "needs `paced`"), ("2025-09-14T23:59:58Z", "paced", "already")],
)
def test_a_clock_that_does_not_cross_the_end_is_refused(now, mode, says):
    with pytest.raises(CannotRun, match=says):
        approach(Run(0, clock={"now": now, "mode": mode, "rate": 1.0}), END)


def test_the_clock_is_taken_to_a_step_before_the_end():
    run = Run(0, clock={"now": "2025-09-14T23:00:00Z", "mode": "paced", "rate": 2.0})
    assert approach(run, END) == END - 6_000
    assert run.moved == [3600 - 2 * 3.0]


@pytest.mark.parametrize("written", ["churn", "model/churn", "models/churn/1", "model/churn/1/invocations"])
def test_what_retires_is_a_model_s_version_or_stage(written):
    with pytest.raises(ValueError, match=r"model/NAME/STAGE"):
        changed(Settings(), {"retiring": written})


@pytest.mark.parametrize(
    ("path", "name"), [(OWN, "model/churn"), ("/model-endpoint/a/1/invocations", "model-endpoint/a")]
)
def test_requests_to_a_retired_surface_are_counted_by_the_name_in_the_log(path, name):
    tally = Tally()
    Counting(tally).on_request(url=path, name=json.dumps({}), response=None, exception=None, response_time=1.0)
    assert dict(tally.endpoints) == {name: 1}
    assert [sent for sent, _ in tally.cells()] == [Sent(None, 0, retry=False)]
