"""A real MLflow model that MLflow 1.28 logged: legacy serving lets it speak as that version does."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request

import pytest

from servesim.core.model_endpoint_commands import EnableModel

pytestmark = [pytest.mark.deep, pytest.mark.mlflow, pytest.mark.servesim(start="2025-06-01T00:00:00Z")]

COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
SPLIT = {"columns": COLUMNS, "data": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in SPLIT["data"]]


@pytest.fixture
def ask(servesim, golden_models, tmp_path):
    """Serve the iris model as one of an old MLflow and one of the installed one; give a call of either version."""
    old = tmp_path / "iris"
    shutil.copytree(golden_models / "iris", old)
    for name in ("MLmodel", "conda.yaml", "requirements.txt"):
        text = (old / name).read_text("utf-8")
        text = re.sub(r"(?m)^mlflow_version: .*", "mlflow_version: 1.28.0", text)
        (old / name).write_text(re.sub(r"\bmlflow==[0-9.]+", "mlflow", text), "utf-8")
    for path in (old, golden_models / "iris"):
        servesim.models.mlflow("iris", path)

    async def enable():
        servesim.workspace.clock.execute(EnableModel("legacy", "iris", None, serving=True))

    servesim._server.run(enable())

    def call(version, body, content_type="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(f"{servesim.host}/model/iris/{version}/invocations", data)
        request.add_header("Authorization", f"Bearer {servesim.token}")
        request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return call


def test_a_real_model_of_an_old_version_and_one_of_the_newest(ask):
    assert ask("1", SPLIT) == (200, [0, 2])
    assert ask("1", RECORDS) == (200, [0, 2])
    assert ask("1", RECORDS, "application/json; format=pandas-records") == (200, [0, 2])
    csv = "\n".join([",".join(COLUMNS), *(",".join(map(str, row)) for row in SPLIT["data"])])
    assert ask("1", csv, "text/csv") == (200, [0, 2])
    status, text = ask("1", {"dataframe_split": SPLIT})
    assert (status, "unexpected key(s): dataframe_split" in text) == (400, True)
    # These two are what MLflow 1.30.1 was recorded to say.
    status, text = ask("1", {"columns": ["a"], "data": [[1]]})
    assert status == 400
    assert text.startswith('{"error_code": "BAD_REQUEST", "message": "Model is missing inputs [')
    status, text = ask("1", {"columns": COLUMNS, "data": [["x", 1, 1, 1]]})
    assert status == 400
    assert "Failed to convert column sepal length (cm) from type object to DataType.double." in text

    assert ask("2", {"dataframe_split": SPLIT}) == (200, {"predictions": [0, 2]})
    assert ask("2", SPLIT)[0] == 400
    assert ask("2", RECORDS, "application/json; format=pandas-records")[0] == 415
