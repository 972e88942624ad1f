"""Scenario files with what YAML has and JSON has not, and files without an end."""

from pathlib import Path

import pytest

from servesim.service.documents import DocumentError, read_document
from servesim.service.scenario import read_scenarios


def written(tmp_path, text):
    path = tmp_path / "world.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_date_is_the_text_that_was_written(tmp_path):
    path = written(tmp_path, "start: 2026-02-01\n")
    assert read_scenarios([path])["default"].options == {"start": "2026-02-01"}


@pytest.mark.parametrize(
    "value", ["!!binary aGVsbG8=", "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "{1: 2}", "{null: 2}", "{[a]: 2}"]
)
def test_what_has_no_json_is_refused_with_its_line(tmp_path, value):
    path = written(tmp_path, f"seed: 1\nmodels:\n  - {{name: a, stub: {{constant: {value}}}}}\n")
    with pytest.raises(DocumentError, match=r"world\.yaml, line 3"):
        read_scenarios([path])


@pytest.mark.parametrize("text", ["&a [*a]", "models: &a [*a]", "seed: " + "[" * 2_000])
def test_what_has_no_end_is_refused(tmp_path, text):
    with pytest.raises(DocumentError):
        read_scenarios([written(tmp_path, text)])


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a file of a Unix system")
def test_a_file_without_an_end_is_not_read_to_its_end():
    with pytest.raises(DocumentError, match="larger than"):
        read_document("/dev/zero", "scenario")
