"""Drawn requests, accepted and malformed and mutated, to MLflow's own functions and to this package's stub path."""

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from servesim.payloads.encode import Payload
from servesim.payloads.signature import Signature
from servesim.strategies import formats_of, malformed, payloads, signatures

pytestmark = pytest.mark.mlflow

ODD: Final = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64, 0.5, 1e39, float("nan"), float("inf")),
    *("", "1", "1.5", "x", "true", "YWI=", "é", "2024-01-02", "2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
    *([], [1], ["x"], [[1], [2]], [1, "x"], {}, {"a": 1}),
)
"""What a mutation puts in the place of a value."""

MUTANTS: Final = 7
"""Mutants of each good request."""

KEYS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs", "params", "messages", "prompt", "index")
BYTES: Final = (
    *(bytes([code]) for code in b'"[]{},:01-.eE\\ \n\r\tNnI\x00'),
    b"\xff",
    b"\xc3\xa9",
    b"NaN",
    b"null",
    b"NA",
)


def _mutated(chance: Any, payload: Payload) -> Payload:
    if payload.format == "csv" or chance.random() < 0.25:
        return payload._replace(body=_bytes_mutated(chance, payload.body))
    document = payload.json()
    for _ in range(chance.randint(1, 2)):
        document = _changed(chance, document)
    return payload._replace(body=json.dumps(document).encode())


def _bytes_mutated(chance: Any, body: bytes) -> bytes:
    start = chance.randint(0, len(body))
    end = min(len(body), start + chance.randint(0, 3))
    return body[:start] + chance.choice((b"", body[start:end] * 2, *BYTES)) + body[end:]


def _changed(chance: Any, value: Any) -> Any:
    """Return a JSON value with one of its parts replaced, left out, repeated, wrapped or renamed."""
    if not isinstance(value, list | dict) or not value or chance.random() < 0.15:
        return chance.choice(([value], {"a": value}, *(chance.choice(ODD) for _ in range(6))))
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    match chance.randint(0, 7):
        case 0:
            return _without(value, key)
        case 1:
            return _with_one_more(chance, value, key)
    changed = _changed(chance, value[key])
    return {**value, key: changed} if isinstance(value, dict) else [*value[:key], changed, *value[key + 1 :]]


def _without(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != key}
    return [*value[:key], *value[key + 1 :]]


def _with_one_more(chance: Any, value: Any, key: Any) -> Any:
    if isinstance(value, list):
        return [*value[:key], value[key], *value[key:]]
    name = chance.choice((*KEYS, "a", f"{key} "))
    if chance.random() < 0.5:
        return {(name if old == key else old): inner for old, inner in value.items()}
    return {**value, name: value[key]}


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Signature | None, list[Payload]]:
    """Draw requests to one model: good ones in each format, each with mutants, and one that is malformed.

    Every fifth model keeps its signature to itself. The mutants hang on one seed, which takes far less time to draw
    than each of their parts would.
    """
    signature = draw(signatures(max_columns=3, max_params=2))
    good = [draw(payloads(signature, form)) for form in formats_of(signature)]
    chance = draw(st.randoms(use_true_random=True))
    mutants = [_mutated(chance, payload) for payload in good for _ in range(MUTANTS)]
    bad = draw(malformed(signature)).payload
    return draw(st.sampled_from((*[signature] * 4, None))), [*good, bad, *mutants]


def _column(kind: str, name: str | None = "a", *, required: bool = True) -> dict[str, Any]:
    return {**({"name": name} if name else {}), "type": kind, "required": required}


def _tensor(dtype: str, *shape: int, name: str | None = "a") -> dict[str, Any]:
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
    return {**spec, "name": name} if name else spec


_NESTED: Final = {"name": "a", "type": "array", "items": {"type": "array", "items": {"type": "long"}}}
_SPLIT: Final = "dataframe_split"
_RECORDS: Final = "dataframe_records"

PAST: Final[tuple[tuple[Any, Any], ...]] = (
    # Columns that are named on several levels, by a list for each.
    *((None, {_SPLIT: {"columns": columns, "data": [[1, 2]]}}) for columns in ([["x", "y"]], [["x", "y"], ["z", "z"]])),
    (None, {_SPLIT: {"columns": [["x"], ["y", "z"]], "data": [[1]]}}),
    *(([_column("long", required=False)], {_SPLIT: {"columns": [[name]], "data": [[1]]}}) for name in ("a", "b")),
    # Rows that are named on several levels.
    ([_column("long", None)] * 2, {_SPLIT: {"data": [[1, 2]], "index": [[1, 2]]}}),
    # Names of several types: a null beside texts, a float beside integers.
    *((None, {_SPLIT: {"columns": columns, "data": [[1, 2]]}}) for columns in (["x", None], [1, 2.5], [None, None])),
    # A name that comes twice, where the signature does not look at names and where it does.
    ([_column("double", None)], {_SPLIT: {"columns": ["x", "x"], "data": [[1, 2]]}}),
    ([_tensor("float64", -1)], {_SPLIT: {"columns": ["a", "a"], "data": [[1, 2]]}}),
    ([_tensor("float64", -1)], {_SPLIT: {"columns": ["a", "b", "b"], "data": [[1, 2, 3]]}}),
    # Rows that are lists after one that is an object: Python's dict reads pairs.
    *((None, {_RECORDS: [{"a": [1]}, row]}) for row in ([], [["a", 2]], [{"a": 1, "b": 2}], "", "ab", ["xy"])),
    # A text among lists is a row of its characters.
    *(([_column("string", None)], {_SPLIT: {"data": [["a"], row]}}) for row in ("", "x", "xy")),
    # A missing key is no null: it casts to true, and is no list.
    *(([_column("boolean", required=False)], {_RECORDS: rows}) for rows in ([{"a": True}, {"b": 1}, {"a": None}],)),
    ([{**_NESTED, "required": False}], {_RECORDS: [{"a": None}, {"b": 1}]}),
    # Numbers in flat lists take the type of all of them, then that of the tensor.
    ([_tensor("int64", -1, 1)], {_SPLIT: {"columns": ["a"], "data": [[[4235]], [[float("inf")]]]}}),
    ([_tensor("int8", -1, 2)], {_SPLIT: {"columns": ["a"], "data": [[[300, -129]]]}}),
    ([_tensor("uint64", -1, 2)], {_SPLIT: {"columns": ["a"], "data": [[[2**64 - 1, 1]]]}}),
    ([_tensor("int8", -1)], {_SPLIT: {"columns": ["a"], "data": [[300.5], [-1.5]]}}),
    *(([_tensor(dtype, -1)], {"inputs": {"a": [n]}}) for dtype in ("uint16", "uint32", "uint64") for n in (-1, 2**63)),
    ([_tensor("uint16", -1, 1)], {_RECORDS: [{"a": [707]}, {}, {}]}),
    *(([_tensor("str", -1)], {_RECORDS: [{"a": "x"}, row]}) for row in ({}, {"a": None}, {"a": 1})),
    # Booleans beside integers that need all 64 bits.
    *((None, {"instances": values}) for values in ([2**63, False], [2**63, 1, True], [[0, "1"], [2**63, False]])),
    (None, {"instances": [{"a": [0, "1"]}, {"a": [2**63, False]}]}),
    # A null for an array without a name: the label of records is a text, that of a split request a number.
    *(
        ([{"type": "array", "items": {"type": "long"}}], request)
        for request in ({_RECORDS: [{"0": [1]}, {"0": None}]}, {_SPLIT: {"data": [[[1]], [None]]}})
    ),
    # A missing key beside scalars in rows of `inputs`.
    *(
        ([_column(kind, required=False)], {"inputs": [{"a": value}, {"b": 1}]})
        for kind, value in (("datetime", "2024-01-02"), ("float", 1.5), ("long", 1), ("boolean", True), ("string", "x"))
    ),
    # Dates of one column in several forms.
    *(
        ([_column("datetime")], {_RECORDS: [{"a": f"2024-01-02{one}"}, {"a": f"2024-01-02{other}"}]})
        for one, other in (("T03:04:05", "T03:04:05.5"), ("T03:04:05", " 03:04:05"), ("T03:04:05,5", ""))
    ),
    *(
        ([_column("datetime")], {form: [{"a": f"2024-01-02T03:04:05{end}"}]})
        for form in ("inputs", _RECORDS)
        for end in ("+24:00", "-23:60", "-9", "+00:5", ".-965", ".", " ", ".5-9999")
    ),
    ([_column("boolean", required=False)], {"inputs": {"b": {"index": [False]}}}),
    # A comma before the fraction of a second.
    ([_column("datetime")], {_RECORDS: [{"a": "2000-01-01T00:00:00,25"}]}),
    # The unified format: a table where the signature has columns, and objects that are aligned by their keys.
    ([_column("string", "prompt")], {"prompt": "x"}),
    ([_column("string", "prompt")], {"prompt": ["x", "y"]}),
    ([_column("string", None)], {"a": {"x": [1], "y": 2}, "messages": {"z": True}}),
    ([_column("boolean", None)], {"a": {"x": [[False]]}, "prompt": {}}),
    # Infinity beside a date, and beside a number.
    *(
        ([_column("datetime")], {_RECORDS: [{"a": float("inf")}, {"a": other}]})
        for other in ("2024-01-02", 1.5, 1, float("nan"), None)
    ),
    # Blanks around a number, and around infinity.
    *(([_column("double")], f"a\n2.5\n{text}\n") for text in (" 1.5\t", " inf", "inf\t", "-INF", "iNfinity")),
    # Booleans in any case.
    *(([_column("boolean")], f"a\n{text}\n") for text in ("FalsE", "tRUE", "T", " true", "yes")),
    *((None, f"a\n{text}\n") for text in ("FalsE", "tRUE\nNA", "\u212a")),
    # Integers of which some fit no 64 bits.
    *((None, f"a\n{first}\n{other}\n") for first, other in ((-1, 2**64), (1, -(2**63) - 1), (-1, 2**63))),
)
"""Inputs and document, or CSV text, of requests that the two did not agree on once."""


def test_past_disagreements(differential: Any) -> None:
    cases = [
        differential.Case(
            inputs and Signature.from_mlflow(inputs),
            (request if isinstance(request, str) else json.dumps(request)).encode(),
            "text/csv" if isinstance(request, str) else "application/json",
        )
        for inputs, request in PAST
    ]
    assert not (found := differential.differences(cases, stop=len(cases))), "\n".join(found)


def _agree(differential: Any, examples: int) -> int:
    """Compare the requests of so many draws and return how many there were."""
    compared = 0

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(_requests())
    def check(drawn: tuple[Signature | None, list[Payload]]) -> None:
        nonlocal compared
        signature, requests = drawn
        cases = [differential.Case(signature, payload.body, payload.content_type) for payload in requests]
        cases = [case for case in cases if differential.excluded(case) is None]
        compared += len(cases)
        assert not (found := differential.differences(cases)), "\n".join(found)

    check()
    return compared


def test_the_stub_path_answers_as_mlflow(differential: Any) -> None:
    assert _agree(differential, 110) >= 2_000


@pytest.mark.deep
def test_the_stub_path_answers_as_mlflow_for_long(differential: Any) -> None:
    assert _agree(differential, 1_100) >= 20_000
