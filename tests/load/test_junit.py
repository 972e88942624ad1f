"""JUnit's file of a load run."""

from xml.etree import ElementTree as ET

import pytest

from servesim.load.junit import junit


def cases(run):
    """Return the suite, and what each case says."""
    root = ET.fromstring(junit(run))  # noqa: S314 - made here
    (suite,) = root
    return suite.attrib, {case.get("name"): (case[0].tag, case[0].get("message") or case[0].text) for case in suite}


def test_a_run_that_passes_has_a_case_for_each_judgement_and_limit(kept):
    suite, told = cases(kept)
    assert suite == {"name": "traffic_split of fraud", "tests": "2", "failures": "0", "errors": "0", "time": "10.000"}
    assert {name: tag for name, (tag, _) in told.items()} == {"90/10": "system-out", "max error rate": "system-out"}
    assert told["90/10"][1].startswith("the split is kept within ")


def test_a_skew_is_a_failure_that_says_why(skewed):
    suite, told = cases(skewed)
    assert (suite["failures"], suite["errors"]) == ("1", "0")
    tag, message = told["90/10"]
    assert tag == "failure"
    assert message.startswith("fail: of 2,000 requests 'challenger' has 1")


def test_what_was_not_decided_is_no_pass(simulated):
    split = {"a": 50, "b": 50}
    suite, told = cases(simulated([("even", split, split)], seconds=1))
    assert (suite["failures"], suite["errors"]) == ("0", "1")
    assert told["even"][0] == "error"
    assert told["even"][1].startswith("inconclusive: 200 of 4,350 requests so far")


def test_a_run_without_anything_to_judge_is_one_case(kept):
    suite, told = cases({**kept, "judgements": [], "checks": [], "outcome": "inconclusive", "notes": ["no requests"]})
    assert suite["tests"] == "1"
    assert told == {"the run": ("error", "inconclusive: no requests")}


@pytest.mark.parametrize("name", ["<&>\"'", "a\nb", "\x00\x1b[31m", "\ud800"])
def test_any_text_makes_xml(kept, name):
    kept["judgements"][0]["name"] = kept["checks"][0]["why"] = kept["test"] = name
    _, told = cases(kept)
    assert len(told) == 2
