"""``python benchmarks/run.py`` runs; what it measures is not judged here."""

import importlib
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def measured(*rows):
    run = subprocess.run(
        [sys.executable, str(RUN), "--quick", "--rounds", "1", "--json", "--only", *rows],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(run.stdout)["figures"]


@pytest.mark.parametrize("rows", [("virtual", "month", "workspace"), ("list",)], ids=" ".join)
def test_rows_come_out_as_json(rows):
    figures = measured(*rows)
    assert [figure["row"] for figure in figures] == list(rows)
    for figure in figures:
        assert figure["value"] > 0
        assert figure["floor"] > 0
        assert isinstance(figure["met"], bool)


def test_a_row_that_does_not_exist_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as refused:
        measured("sundial")
    assert "invalid choice: 'sundial'" in refused.value.stderr


def test_what_the_row_on_registries_reads_is_there(servesim_server, monkeypatch):
    monkeypatch.syspath_prepend(str(RUN.parent))
    row = importlib.import_module("rows_registry")
    assert len(row.READS) == 6
    with servesim_server.open(scenario=str(RUN.parent / "world.yaml")) as sim:
        for path in row.READS.values():
            request = urllib.request.Request(sim.host + path, headers={"Authorization": f"Bearer {sim.token}"})
            with urllib.request.urlopen(request) as answer:
                assert {"churn", "fraud"} & set(re.findall(r"\w+", answer.read().decode()))


def test_what_the_row_on_retired_surfaces_asks_is_answered(servesim_server, monkeypatch):
    monkeypatch.syspath_prepend(str(RUN.parent))
    row = importlib.import_module("rows_retired")
    with servesim_server.open(scenario=str(row.WORLD)) as sim:
        headers = {"Authorization": f"Bearer {sim.token}", "Content-Type": "application/json"}
        for path in row.READS.values():
            with urllib.request.urlopen(urllib.request.Request(sim.host + path, headers=headers)) as answer:
                assert "READY" in answer.read().decode() or path.endswith("aliases?registered_model_name=tide")
        for path in row.SCORING.values():
            asked = urllib.request.Request(sim.host + path, row.ONE_ROW.body, headers)
            with urllib.request.urlopen(asked) as answer:
                assert json.load(answer) == {"predictions": [0.1]}
