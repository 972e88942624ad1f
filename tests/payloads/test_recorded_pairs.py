"""Every recorded pair of the MLflow scoring server that a stub can answer: status, code, and message up to its data."""

import base64
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from servesim.models.stubs import Stub, score, score_callable
from servesim.payloads import decode
from servesim.payloads.signature import Signature, Unsupported

PAIRS: Final = [
    json.loads(line) for line in Path(__file__).with_name("recorded_pairs.jsonl").read_text("utf-8").splitlines()
]

IRIS: Final = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
TYPED: Final = {
    "b": "boolean",
    "i": "integer",
    "l": "long",
    "f": "float",
    "d": "double",
    "s": "string",
    "bin": "binary",
    "dt": "datetime",
}
MODEL_DECIDES: Final = {
    "records_uneven": "the recorded model rejects NaN itself",
    "null_for_double": "the recorded model rejects NaN itself",
    "inf_literal": "the recorded model rejects infinity itself",
    "ct_parquet_bad": "Parquet is not read without the mlflow extra",
    "c_bad_role": "ChatModel has a signature of objects",
    "c_messages_str": "ChatModel has a signature of objects",
    "c_temp_str": "ChatModel has a signature of objects",
}


def _tensor(dtype: str, shape: list[int], **name: str) -> dict[str, Any]:
    return {**name, "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}


SIGNATURES: Final[dict[str, Signature | None]] = {
    "iris": Signature.of(dict.fromkeys(IRIS, "double")),
    "iris_nosig": None,
    "echo_nosig": None,
    "chat": None,
    "chatagent": None,
    "tensor": Signature.from_mlflow(
        [
            _tensor("str", [-1], name="t1"),
            _tensor("float64", [-1, 5], name="t2"),
            _tensor("int64", [-1, 3, 2], name="t3"),
        ]
    ),
    "tensor1": Signature.from_mlflow([_tensor("float32", [-1, 4])]),
    "typed": Signature.from_mlflow(
        [
            *({"name": name, "type": kind} for name, kind in TYPED.items()),
            {"name": "opt", "type": "double", "required": False},
        ]
    ),
    "params": Signature.of(
        {"q": "string"},
        {
            "temperature": ("double", 0.5),
            "max_len": ("long", 10),
            "stop": ("string", ["x"]),
            "flag": ("boolean", False),
        },
    ),
    "onestr": Signature.from_mlflow([{"type": "string"}]),
    "noparams": Signature.of({"a": "double"}),
}
COVERED: Final = [pair for pair in PAIRS if pair["model"] in SIGNATURES and pair["id"] not in MODEL_DECIDES]


def _body(pair: dict[str, Any]) -> bytes:
    request = pair["request"]
    return base64.b64decode(request["body_b64"]) if "body_b64" in request else (request["body"] or "").encode()


def _essence(status: int, body: str) -> tuple[Any, ...]:
    """Return what must be equal: sets of keys and dumps of data are printed differently by different servers."""
    if status == 200:
        return (200,)
    if not body.startswith("{"):
        return status, body
    fields = json.loads(body)
    return (
        status,
        *(fields[name] for name in ("error_code", "sqlstate", "error_class")),
        fields["message"].split("'")[0],
    )


@pytest.mark.parametrize("parser", ["installed", "standard"])
@pytest.mark.parametrize("pair", COVERED, ids=lambda pair: pair["id"])
def test_recorded_answer(pair: dict[str, Any], parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if parser == "standard":
        monkeypatch.setattr(decode, "fast_loads", None)
    answer = score(Stub("echo"), _body(pair), pair["request"]["headers"].get("Content-Type"), SIGNATURES[pair["model"]])
    recorded = pair["response"]
    assert _essence(answer.status, answer.body.decode()) == _essence(recorded["status"], recorded["body"])
    assert answer.content_type == recorded["headers"]["content-type"]


@pytest.mark.parametrize(
    "pair",
    [pair for pair in COVERED if pair["model"] == "params" and pair["response"]["status"] == 200],
    ids=lambda pair: pair["id"],
)
def test_recorded_params_reach_the_model(pair: dict[str, Any]) -> None:
    answer = score_callable(
        lambda _rows, params: {"predictions": {"params": params}},
        _body(pair),
        pair["request"]["headers"]["Content-Type"],
        SIGNATURES["params"],
    )
    recorded = json.loads(pair["response"]["body"])
    ours = json.loads(answer.body)["predictions"]
    ours = ours.get("predictions", ours)
    assert ours["params"] == recorded.get("predictions", recorded)["params"]


def test_whole_message_where_no_data_is_printed() -> None:
    compared = 0
    for pair in COVERED:
        message = json.loads(pair["response"]["body"]).get("message", "") if pair["response"]["status"] == 400 else ""
        if not message or "Failed to predict data" in message or re.search(r"\{'|Error: '", message):
            continue
        answer = score(Stub("echo"), _body(pair), pair["request"]["headers"]["Content-Type"], SIGNATURES[pair["model"]])
        assert json.loads(answer.body)["message"] == message, pair["id"]
        compared += 1
    assert compared >= 10


def test_the_recorded_object_signature_needs_the_extra() -> None:
    inputs = [
        {"name": "tags", "type": "array", "items": {"type": "string"}},
        {"name": "obj", "type": "object", "properties": {"k": {"type": "string", "required": True}}},
    ]
    with pytest.raises(Unsupported, match="object"):
        Signature.from_mlflow(inputs)
