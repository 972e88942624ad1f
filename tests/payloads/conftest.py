"""MLflow's own scoring functions, called in process beside this package's stub path; models of recorded servers."""

import csv
import json
import logging
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import pytest

from servesim.models.answer import refusal
from servesim.models.stubs import Stub, score, score_callable
from servesim.payloads.refusal import Refused
from servesim.payloads.request import Request
from servesim.payloads.scoring_protocols import protocol_of
from servesim.payloads.signature import Signature


class Case(NamedTuple):
    """A request to a model with a signature."""

    signature: Signature | None
    body: bytes
    content_type: str | None = "application/json"


_TIME = rb"[T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{0,9})?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)? *"
_ISO = re.compile(rb"[0-9]{4}-[0-9]{2}(-[0-9]{2}(%s)?)?" % _TIME)


def _shows(kind: str, part: bytes) -> Any:
    """Return a condition on the text of the signature and on the body."""
    return lambda case: kind in str(case.signature) and part in case.body


def _implicit_index(case: Case) -> bool:
    """Whether a CSV body has more fields in its first row than in its header, and the signature has no names."""
    if case.content_type != "text/csv" or case.signature is None or case.signature.named:
        return False
    text = re.sub("[\r\0]", "\n", case.body.decode("utf-8", "replace"))
    rows = [row for row in csv.reader(text.splitlines()) if row]
    return len(rows) > 1 and len(rows[1]) > len(rows[0])


def _unhashable_label(case: Case) -> bool:
    """Whether a column of dataframe_split is named by an object, or by a list beside a name."""
    try:
        columns = json.loads(case.body)["dataframe_split"]["columns"]
    except (ValueError, LookupError, TypeError):
        return False
    kinds = set(map(type, columns)) if isinstance(columns, list) else set()
    return dict in kinds or (list in kinds and len(kinds) > 1)


def _empty_objects(case: Case) -> bool:
    """Whether columns are given by objects, all of them empty."""
    try:
        document = json.loads(case.body)
        columns = document.get("inputs") or document.get("dataframe_split", {}).get("data") or document
        objects = [value for value in columns.values() if isinstance(value, dict)]
    except (ValueError, AttributeError):
        return False
    return bool(objects) and not any(objects)


def _labelled_tensors(case: Case) -> bool:
    """Whether rows of tensors come with labels of their own."""
    if case.signature is None or not case.signature.tensors:
        return False
    try:
        split = json.loads(case.body)["dataframe_split"]
        return "index" in split or isinstance(split["data"], dict)
    except (ValueError, LookupError, TypeError):
        return False


def _broken_date(case: Case) -> bool:
    """Whether a text for a datetime looks like a date or a time, and is no ISO date."""
    dates = re.findall(rb'"([0-9][^"]*[-:][^"]*)"', case.body) if "datetime" in str(case.signature) else ()
    return not all(map(_ISO.fullmatch, dates))


def _half_a_character(case: Case) -> bool:
    """Whether a JSON body has half of a surrogate pair."""
    try:
        json.dumps(json.loads(case.body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:
        return False
    return False


EXCLUDED = (
    (_empty_objects, "pandas gives a column without rows a type by what it came from"),
    (_shows("binary", b'{"a": []'), "pandas 3 infers no dtype for an empty column after decoding; MLflow refuses that"),
    (_shows("Array(string)", b"null"), "NumPy cuts the text of a null to the width of its neighbours"),
    (_shows("Array(binary)", b"null"), "NumPy cuts the text of a null to the width of its neighbours"),
    (_shows("Array(datetime)", b""), "pandas guesses whether a mixed list holds dates"),
    (_broken_date, "NumPy names the first part of a date that is wrong; pandas has dateutil guess what it may be"),
    (_labelled_tensors, "MLflow looks for the first row of a tensor under the label 0"),
    (_implicit_index, "pandas counts the columns of an implicit index when it looks up types by position"),
    (_unhashable_label, "pandas keeps names that it cannot look up, and MLflow's server fails with a 500 on some"),
    (_half_a_character, "pandas has no UTF-8 for half of a surrogate pair; it refuses some columns and not others"),
    (
        lambda case: case.signature is None and re.search(rb'"dataframe.*[0-9]{16}', case.body),
        "without a signature, pandas holds integers beside a float as floats, and long ones lose digits",
    ),
)
"""Where the two may differ, and why."""


class Outcome(NamedTuple):
    """What a request comes to: status, error code, message up to its first quote; rows and parameters if accepted."""

    status: int
    error_code: str | None = None
    prefix: str = ""
    seen: Any = None


class Differential:
    """Compares the two, on models that answer with the rows and the parameters that they were given."""

    Case = Case

    def __init__(self) -> None:
        """Import MLflow, which takes seconds."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside of the imported packages
            import mlflow.pyfunc
            import mlflow.pyfunc.scoring_server
            import mlflow.types

        self._twin = lru_cache(maxsize=256)(lambda signature: _twin(mlflow, signature, self.given))
        self._invocations = mlflow.pyfunc.scoring_server.invocations
        self._error = mlflow.exceptions.MlflowException
        self._given: Any = None

    def given(self, data: Any) -> None:
        """Keep what a model was given."""
        self._given = data

    def excluded(self, case: Case) -> str | None:
        """Return why the two may differ on a request, None where they may not."""
        return next((why for holds, why in EXCLUDED if holds(case)), None)

    def differences(self, cases: Iterable[Case], *, stop: int = 8) -> list[str]:
        """Return the first few cases on which the two differ, with what they come to."""
        found: list[str] = []
        with _quiet():
            for case in cases:
                theirs, ours = self._theirs(case), self.ours(case)
                if theirs != ours and len(found) < stop:
                    shown = f"{case.signature} {case.content_type} {case.body[:400]!r}"
                    found.append(f"{shown}\n  MLflow {theirs}\n  ours   {ours}")
        return found

    def theirs(self, case: Case) -> Outcome:
        """Return what MLflow's functions make of a request."""
        with _quiet():
            return self._theirs(case)

    def _theirs(self, case: Case) -> Outcome:
        model = self._twin(case.signature)
        self._given = None
        try:
            answer = self._invocations(case.body, case.content_type, model, model.metadata.get_input_schema())
        except self._error as error:
            return Outcome(error.get_http_status_code(), error.error_code, _prefix(error.message, case))
        except Exception:  # noqa: BLE001 - as the web server around it
            return Outcome(500, None, "Internal Server Error")
        if answer.status != 200:
            return Outcome(answer.status, None, _prefix(answer.response, case))
        return _accepted(answer.response, case)

    def values(self, case: Case) -> Any:
        """Return what MLflow gives the model, its values with the names of their types; None if it refuses."""
        return None if self.theirs(case).status != 200 else typed(self._given)

    def ours(self, case: Case) -> Outcome:
        """Return what this package's path for stubs makes of a request."""
        answer = score_callable(_Rows(), case.body, case.content_type, case.signature)
        text = answer.body.decode()
        if answer.status == 200:
            return _accepted(text, case)
        if answer.content_type != "application/json":
            return Outcome(answer.status, None, _prefix(text, case))
        fields = json.loads(text)
        return Outcome(answer.status, fields["error_code"], _prefix(fields["message"], case))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings of pandas and MLflow, and MLflow's log, to themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


class _Rows:
    """A callable that answers with what it is given, in the words of `plain`."""

    def __call__(self, rows: Any, params: Any = None) -> Any:
        return {"rows": plain(rows), "params": plain(params)}


class _Echo:
    def __init__(self, keep: Any) -> None:
        self._keep = keep

    def predict(self, data: Any, params: Any = None) -> Any:
        self._keep(data)
        return {"rows": plain(data), "params": plain(params)}


def _twin(mlflow: Any, signature: Signature | None, keep: Any) -> Any:
    meta = mlflow.models.Model(flavors={"python_function": {"loader_module": "none"}})
    if signature is not None:
        stored = signature.to_json()
        inputs, params = stored["inputs"], stored["params"]
        meta.signature = mlflow.models.ModelSignature(
            inputs=inputs and mlflow.types.Schema.from_json(inputs),
            params=params and mlflow.types.ParamSchema.from_json(params),
        )
    return mlflow.pyfunc.PyFuncModel(model_meta=meta, model_impl=_Echo(keep), predict_fn="predict")


def _accepted(text: str, case: Case) -> Outcome:
    """Return what a model was given, split into rows, and whether its answer came wrapped."""
    answer = json.loads(text)
    wrapped = answer.keys() == {"predictions"}
    seen = answer["predictions"] if wrapped else answer
    rows = Request("inputs", seen["rows"]).rows() if wrapped else seen["rows"]
    # Without a signature nobody looks at parameters.
    return Outcome(200, seen=(wrapped, rows, None if case.signature is None else seen["params"] or None))


def _prefix(message: str, case: Case) -> str:
    if case.signature is not None and case.signature.tensors and not case.signature.named:
        message = re.sub(r"convert column \S+", "convert column", message)  # MLflow walks a set of the columns
    return message.replace('"', "'").replace("`", "'").split("'")[0]


def plain(data: Any) -> Any:
    """Return data as plain JSON values: dates as text, bytes as Latin-1, everything missing as None."""
    return _walked(data, _scalar)


def typed(data: Any) -> Any:
    """Return data as its values beside the names of their Python types, everything missing as None."""
    return _walked(data, lambda value: None if _scalar(value) is None else (_name(value), _scalar(value)))


def _name(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    return "date" if hasattr(value, "isoformat") else type(value).__name__


def _walked(data: Any, leaf: Any) -> Any:
    kind = type(data).__name__
    if kind == "DataFrame":
        rows = data.astype(object).itertuples(index=False)
        return [
            {str(name): _walked(value, leaf) for name, value in zip(data.columns, row, strict=True)} for row in rows
        ]
    if kind == "ndarray":
        return _walked((data.astype("datetime64[us]") if data.dtype.kind == "M" else data).tolist(), leaf)
    if isinstance(data, dict):
        return {str(name): _walked(value, leaf) for name, value in data.items()}
    return [_walked(value, leaf) for value in data] if isinstance(data, list) else leaf(data)


def _scalar(value: Any) -> Any:
    if (
        value is None
        or type(value).__name__ in ("NaTType", "NAType")
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    if hasattr(value, "floor") and hasattr(value, "isoformat"):  # a pandas Timestamp
        return value.floor("us").to_pydatetime(warn=False).isoformat()
    if type(value).__name__ == "datetime64":
        return _scalar(value.astype("datetime64[us]").item())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item") and not isinstance(value, float):
        return _scalar(value.item())
    return value.decode("latin-1") if isinstance(value, bytes) else value


@pytest.fixture(scope="session")
def differential():
    """MLflow and this package, to be compared."""
    return Differential()


class Recorded(NamedTuple):
    """A model as a recorded scoring server had it."""

    function: Any
    signature: Signature | None = None


def _tensor(shape: list[int], **name: str) -> dict[str, Any]:
    return {**name, "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}


def _add_up(rows: Any) -> list[float]:
    if any(row["a"] is not None and row["a"] < 0 for row in rows):
        message = "no"
        raise ValueError(message)
    return [sum(math.nan if row[name] is None else row[name] for name in "ab") for row in rows]


def _add_up_tensors(rows: Any) -> dict[str, float]:
    ((row,),) = [rows] if len(rows) == 1 else [[{name: [one[name] for one in rows] for name in rows[0]}]]
    return {name: float(sum(map(sum, value) if isinstance(value[0], list) else value)) for name, value in row.items()}


@pytest.fixture(scope="session")
def models():
    """Models of recorded servers.

    `signed` adds up columns a and b, both doubles, and fails for an a below 0; `tensor` adds up the rows of an array of
    four columns; `named` adds up each of the tensors t1 and t2; `plain` counts what it is given, without a signature.
    """
    return {
        "signed": Recorded(_add_up, Signature.of({"a": "double", "b": "double"})),
        "tensor": Recorded(lambda rows: [sum(row) for row in rows], Signature.from_mlflow([_tensor([-1, 4])])),
        "named": Recorded(
            _add_up_tensors, Signature.from_mlflow([_tensor([-1], name="t1"), _tensor([-1, 2], name="t2")])
        ),
        "plain": Recorded(len),
    }


@pytest.fixture(scope="session")
def ask():
    """Status, body and content type of what a model of an MLflow version answers; it echoes if it has no function."""
    return _ask


def _ask(
    version: str, body: Any, content_type: str | None = "application/json", **model: Any
) -> tuple[int, bytes, str]:
    protocol, signature = protocol_of(version), model.get("signature")
    try:
        asked = protocol.request(body.encode() if isinstance(body, str) else body, content_type)
    except Refused as refused:
        answer = refusal(refused)
        return answer.status, answer.body, answer.content_type
    if model.get("function") is None:
        answer = score(Stub("echo"), asked.body, asked.content_type, signature)
    else:
        answer = score_callable(model["function"], asked.body, asked.content_type, signature)
    return *protocol.outcome(answer.status, answer.body, asked.form), answer.content_type


@pytest.fixture(scope="session")
def said():
    """Return the JSON of a body without its stack trace, or its text."""
    return _said


def _said(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode()
    if isinstance(document, dict):
        document.pop("stack_trace", None)
    return json.dumps(document)
