"""How a request that locust reports comes into the tally."""

from types import SimpleNamespace

import pytest

from servesim.load.settings import Settings
from servesim.load.tally import Sent, Tally
from servesim.load.work import ATTEMPT, FORM, Counting, Work, work_of
from servesim.payloads.encode import Payload

URL = "http://h/serving-endpoints/fraud/invocations"


def reported(url=URL, status=200, entity="champion", *, exception=None, **context):
    """Return the tally of one event."""
    counting = Counting(Tally(), "served-model-name")
    headers = {} if entity is None else {"served-model-name": entity}
    response = SimpleNamespace(status_code=status, headers=headers)
    counting.on_request(
        url=url, start_time=12.9, response_time=3.0, response=response, exception=exception, context=context, name=url
    )
    return counting.tally


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        ({}, Sent("champion", 200, retry=False)),
        ({"entity": None}, Sent(None, 200, retry=False)),
        ({"status": 429}, Sent(None, 429, retry=False)),
        ({"status": 200, "exception": ValueError()}, Sent(None, 200, retry=False)),
        ({"status": 0, "exception": OSError()}, Sent(None, 0, retry=False)),
        ({ATTEMPT: 2}, Sent("champion", 200, retry=True)),
    ],
)
def test_it_is_counted_by_who_answered_and_how(event, sent):
    tally = reported(**event)
    assert list(tally.seconds) == [12]
    assert list(tally.seconds[12]) == [sent]
    assert tally.endpoints == {"fraud": 1}


def test_its_format_is_counted():
    assert reported(**{FORM: "csv"}).formats == {"csv": 1}


@pytest.mark.parametrize(
    "url",
    [
        "http://h/api/2.0/serving-endpoints/fraud",
        "http://h/serving-endpoints/fraud/served-models/champion/invocations",
        "http://h/oidc/v1/token",
    ],
)
def test_what_the_router_does_not_deal_is_not_counted(url):
    assert reported(url).seconds == {}


def test_one_endpoint_alone_can_be_counted():
    counting = Counting(Tally())
    counting.only = "other"
    counting.on_request(url=URL, response_time=1.0)
    assert counting.tally.seconds == {}


def test_work_goes_to_workers_as_a_message():
    work = Work(Settings(endpoint="fraud", detect=5.0), (Payload("text/csv", b"a\n1\n", "csv"),))
    assert work_of(work.as_message()) == work
    assert work.path == "/serving-endpoints/fraud/invocations"
