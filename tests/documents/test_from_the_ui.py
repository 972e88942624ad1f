"""docs/from-the-ui.md is made from the tests of the published documents, and what they say can be read."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITER = runpy.run_path(str(Path(__file__).with_name("from_the_ui.py")))
DOCUMENTS = WRITER["documents"]()


def test_the_page_is_as_new_as_the_tests():
    written = (ROOT / "docs/from-the-ui.md").read_text(encoding="utf-8")
    assert written == WRITER["page"](), "run: python tests/documents/from_the_ui.py > docs/from-the-ui.md"


def test_every_document_is_there():
    assert len(DOCUMENTS) == 5
    assert len({document.address for document in DOCUMENTS}) == 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.file)
def test_every_test_names_its_step(document):
    assert [step.test for step in document.steps if not step.name] == []
    assert [step.test for step in document.steps if bool(step.clicks) != bool(step.here)] == []


def test_a_docstring_is_read():
    step = WRITER["step_of"]("Step 7: it\nstops.\n\nIn the UI: *Stop*.\n\n  Here: `POST\n  /x`", "test_it")
    assert step == ("Step 7: it stops", "*Stop*.", "`POST /x`", "test_it")
    assert WRITER["step_of"](None) == ("", "", "", "")


SAYS = """
def test_said_and_done(opens):
    \"""A step.

    In the UI: it.

    Here: `GET /api/2.0/serving-endpoints` or `servesim models`
    \"""
    world = opens()
    world.do("GET", "/api/2.0/serving-endpoints")
    world.run("servesim models")


def test_said_alone(opens):
    \"""A step.

    In the UI: it.

    Here: `GET /api/2.0/serving-endpoints`
    \"""
    opens()
"""


def test_what_a_docstring_says_has_to_be_done(pytester, guests):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(SAYS)
    result = guests()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*said, and not among what was asked*"])


def test_its_links_lead_somewhere():
    page = (ROOT / "docs/from-the-ui.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https:)([^)#]+)", page):
        assert (ROOT / "docs" / target).exists(), target
