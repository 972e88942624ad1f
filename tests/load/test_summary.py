"""The document of a run."""

import json

import pytest

from servesim.load import summary, words
from servesim.load.checks import held
from servesim.load.document import checked, points
from servesim.load.judging import Judging, Phase
from servesim.load.settings import Settings
from servesim.load.summary import Finished, Looked
from servesim.load.tally import Sent, Tally

SPLIT = {"champion": 90.0, "challenger": 10.0}
ORIGIN = 1_000


@pytest.fixture
def finished():
    """A run of four seconds: one before the split is in force, and one left out after the switch."""
    tally, settings = Tally(), Settings(test="rollout", endpoint="fraud", url="http://h", detect=20.0, min_rps=1.0)
    for second in range(4):
        for index in range(100):
            name = "challenger" if index % 10 == 0 else "champion"
            tally.count(ORIGIN + second, Sent(name, 200, retry=False), 5.0 + index % 7, "csv", "fraud")
    tally.count(ORIGIN + 2, Sent(None, 0, retry=False), 60_000.0, "csv", "fraud")
    tally.count(ORIGIN + 2, Sent("champion", 200, retry=True), 5.0, "csv", "fraud")
    judging = Judging("10 %", SPLIT, ORIGIN + 2, settings)
    judging.advance(tally, ORIGIN + 4)
    phases = [Phase("switch to 10 %", ORIGIN, None, ORIGIN + 1), Phase("10 %", ORIGIN + 1, SPLIT, None, judging)]
    looked = {ORIGIN + 1: Looked(8, {"champion": 4.0}, {"champion": 0.0})}
    checks = [held("all answered", kept=True, why="they were")]
    return Finished(settings, tally, phases, looked, checks, ["a note"], ORIGIN, ORIGIN + 4, 3.5, 8, 2, None)


def test_it_has_the_form_that_reports_read(finished):
    document = checked(json.loads(json.dumps(summary.document(finished), allow_nan=False)))
    assert document["outcome"] == "pass"
    assert [point.counts for point in points(document, document["judgements"][0])][-1] == {
        "champion": 180,
        "challenger": 20,
    }


def test_it_says_what_was_sent_and_when(finished):
    document = summary.document(finished)
    (judgement,) = document["judgements"]
    assert (judgement["from_s"], judgement["to_s"], judgement["retries"]) == (2.0, 4.0, {"champion": 1})
    assert document["phases"] == [
        {"name": "switch to 10 %", "from_s": 0.0, "to_s": 1.0, "split": None},
        {"name": "10 %", "from_s": 1.0, "to_s": 4.0, "split": SPLIT},
    ]
    asked = document["requests"]
    assert (asked["count"], asked["errors"], asked["retries"], asked["rps"]) == (402, 1, 1, round(402 / 3.5, 3))
    assert (asked["seconds"], document["seconds"]) == (3.5, 4.0)
    assert words.summary(document).startswith(f"402 requests in 3.5 s, {words.number(402 / 3.5)} a second")
    assert (asked["by_status"], asked["by_format"]) == ({"0": 1, "200": 401}, {"csv": 402})
    first, second, third, _ = document["series"]
    assert (first["users"], second["users"], second["provisioned"]) == (8, 8, {"champion": 4.0})
    assert (first["split"], second["split"], second["log_e"]) == (None, SPLIT, None)
    assert third["log_e"] == pytest.approx(finished.phases[1].judging.log_e[ORIGIN + 2])
    assert (third["unattributed"], third["entities"]) == (1, {"challenger": 10, "champion": 90})
    assert [check["name"] for check in document["checks"]] == ["all answered", "min rps"]


def test_progress_is_one_line(finished):
    line = summary.progress(finished, 210)
    assert line == {
        "s": 3,
        "requests": 402,
        "rps": 100,
        "errors": 1,
        "judged": min(200, finished.phases[1].judging.plan.requests),
        "needed": 210,
        "outcome": str(finished.phases[1].judging.verdict.outcome),
        "log_e": finished.phases[1].judging.verdict.log_e,
        "phase": "10 %",
    }


def test_it_is_told_in_words(finished):
    lines = summary.words(summary.document(finished))
    assert lines[0] == "rollout: pass"
    assert lines[1].startswith("  10 %: pass: the split is kept")
    assert "no answer x 1, 200 x 401" in lines[-2]
    assert lines[-1] == "  note: a note"


def test_a_run_in_which_nothing_was_sent_is_a_document_too():
    empty = Finished(Settings(test="cold_start"), Tally(), [], {}, [], [], ORIGIN, ORIGIN, 0.0, 1, 1, None)
    document = checked(summary.document(empty))
    assert (document["outcome"], document["requests"]["count"], document["series"]) == ("inconclusive", 0, [])
    assert summary.words(document) == ["cold_start: inconclusive"]
