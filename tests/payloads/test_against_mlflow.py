"""The same generated requests to MLflow's own scoring functions and to this package: same verdict, same rows."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from servesim.payloads.signature import Signature

pytestmark = pytest.mark.mlflow

JSON: Final = "application/json"
SCALARS: Final = ("boolean", "integer", "long", "float", "double", "string", "binary", "datetime")


class Case(NamedTuple):
    """A request to a model with a signature."""

    signature: Signature | None
    body: bytes
    content_type: str = JSON


def _case(signature: Signature | None, request: Any) -> Case:
    return Case(signature, json.dumps(request).encode())


def _array(items: str, *, required: bool = True) -> Signature:
    return Signature.from_mlflow([{"name": "t", "type": "array", "items": {"type": items}, "required": required}])


def _tensors(*specs: tuple[str | None, str, list[int]]) -> Signature:
    return Signature.from_mlflow(
        [
            {**({"name": name} if name else {}), "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
            for name, dtype, shape in specs
        ]
    )


VALUES: Final = (
    *(True, False, 0, 1, -1, 2**31, 2**40, 2**63, 2**64, 1.5, 1e20, float("nan"), float("inf"), None),
    *("12", "1.5", " 7 ", "1_0", "x", "", "true", "YWIA", "YWI", "é", "2024-01-02", "2024-01-02T03:04:05.678"),
    *("2024-01-02T03:04:05Z", "3024-01-02", "01/02/2024", [], [1], ["a"], [1, [2]], {"a": 1}, {}),
)


def _one_column() -> Iterator[Case]:
    for kind, value in itertools.product(SCALARS, VALUES):
        signature = Signature.of({"a": kind})
        for rest in ((), (1,), (None,), ("x",)):
            cells = [value, *rest]
            yield _case(signature, {"dataframe_records": [{"a": cell} for cell in cells]})
            yield _case(signature, {"inputs": {"a": cells}})
        yield _case(signature, {"instances": [{"a": value}, {"a": 1}]})
        for form in ({"inputs": {"a": value}}, {"instances": [value]}, {"inputs": value}, {"inputs": [{"a": value}]}):
            yield _case(signature, form)
        yield _case(signature, {"messages": 1, "a": value})
        yield _case(signature, {"messages": [1], "a": value})


TABLE: Final = Signature.from_mlflow(
    [
        {"name": "a", "type": "integer"},
        {"name": "b", "type": "double"},
        {"name": "c", "type": "string", "required": False},
        {"name": "d", "type": "float", "required": False},
    ]
)
SHAPES: Final = (
    None,
    TABLE,
    *(Signature.from_mlflow([{"type": kind} for kind in kinds]) for kinds in (["double"], ["long", "double"])),
    *(Signature.from_mlflow([{"type": kind} for kind in kinds]) for kinds in (["string"], ["integer"])),
    Signature.from_mlflow(
        [{"name": "a", "type": "double"}, {"name": "t", "type": "array", "items": {"type": "string"}}]
    ),
    *(_array(kind) for kind in ("long", "integer", "boolean")),
    _array("double", required=False),
    _tensors((None, "float32", [-1, 4])),
    *(_tensors((None, dtype, [-1, 2])) for dtype in ("str", "bool", "uint8")),
    _tensors((None, "int64", [-1, 2, 2])),
    *(_tensors((None, dtype, [-1])) for dtype in ("float64", "object")),
    _tensors(("x", "float32", [-1, 2])),
    _tensors(("x", "float32", [-1, 2]), ("y", "int32", [-1])),
    _tensors(("x", "str", [-1]), ("y", "float64", [-1, 1])),
)
ROWS: Final[tuple[list[Any], ...]] = (
    *([{"a": 1, "b": 2.5}], [{"a": 1, "b": 2.5, "c": "x"}, {"a": 1, "b": 2.5}], [{"a": 1}], [{}], []),
    *([{"a": 1, "b": 1, "zz": [3]}], [{"a": 1, "b": 1, "d": 1}, {"a": 1, "b": 1}], [{"a": 1}, {"b": 1}]),
    *([{"a": 1, "b": [1]}], [{"a": 1, "b": 1}, 5], [5, {"a": 1}], [None], [[1, 2]], [[1, 2, 3]], ["x"]),
    *([{"a": 1, "b": 1, "d": 1.5}], [{"a": 1, "b": 1, "c": 5}], [{"a": [1], "b": [2]}], [{"a": "1", "b": "2"}]),
    *([[1, 2], [3]], [[1, 2], [3, 4]], [["a", "b"], ["c", "d"]], [[[1, 2], [3, 4]]], [[[1, 2], [3]]], [[1, 2, 3, 4]]),
    *([1, 2], [1.5, "x"], ["a", None], [[True, False]], [None, 1], [1, [2]], [[1], 2], [[]], [[1], None]),
    *([{"x": [1, 2], "y": 1}, {"x": [3, 4], "y": 2}], [{"x": [1, 2], "y": 1}, {"x": [3], "y": 2}], [{"x": 1, "y": 2}]),
    *([{"x": ["a"], "y": [2]}], [{"x": "a", "y": [2]}], [{"x": [1, 2], "y": "q"}], [{"x": [1, 2], "y": 1.5}]),
    *([{"t": ["a"]}], [{"t": [1, 2]}], [{"t": [0, 1]}], [{"t": [1.5]}], [{"t": [True]}], [{"t": []}], [{"t": None}]),
    *([{"t": "x"}], [{"t": [1, "a"]}], [{"t": [1, None]}], [{"a": 1.0, "t": ["a", "b"]}], [{"a": 1.0, "t": [5]}]),
)
VALUES_OF_INPUTS: Final = (
    *(None, 1, 2.5, "x", True, {}, {"a": [1, 2], "b": [1, 2]}, {"a": [1, 2], "b": [1]}, {"a": [1], "b": 1}),
    *({"a": [[1]], "b": [1]}, {"a": 1, "b": 2, "c": "q"}, {"a": [1], "b": [2], "zz": "s"}, {"a": {"k": 1}, "b": 2}),
    *({"x": [[1, 2], [3, 4]], "y": [1, 2]}, {"x": [[1, 2]], "y": [1, 2]}, {"x": ["a"], "y": [[1]]}, {"x": 1}),
    *({"t": ["a", "b"]}, {"t": [1]}, {"t": [[1], [2]]}, {"a": 1.0, "t": ["x"]}, {"t": "x"}, {"x": [1, [2]]}),
)


def _many_shapes() -> Iterator[Case]:
    for signature, rows in itertools.product(SHAPES, ROWS):
        for key in ("dataframe_records", "instances", "inputs"):
            yield _case(signature, {key: rows})
        if rows and isinstance(rows[0], dict):
            yield _case(signature, {"prompt": ["x"], **rows[0]})
            yield _case(signature, {"instances": rows[0]})
        else:
            yield _case(signature, {"dataframe_split": {"data": rows}})
            yield _case(signature, {"dataframe_split": {"data": rows, "columns": ["x"]}})
    for signature, value in itertools.product(SHAPES, VALUES_OF_INPUTS):
        yield _case(signature, {"inputs": value})
        yield _case(signature, {"dataframe_split": {"data": value}})
        yield _case(signature, {"dataframe_split": {"data": value, "columns": ["a", "b"], "index": [0, 1]}})


def _splits() -> Iterator[Case]:
    datas = (
        *([[1, 2]], [[1, 2], [3, 4]], [1, 2], [], [[]], [{"a": 1}, {"b": 2}], {"a": [1], "b": [2]}, None, "x", 5),
        *([[1, 2], [3]], [[1, 2], {"a": 1}], [[1, 2], 3], [None, [1, 2]]),
    )
    columns = (None, ["a", "b"], ["b", "a"], ["a", "a"], ["a"], "ab", 5, [], {"a": 1, "b": 2}, [1, 2])
    indexes = (None, [0], [0, 1], "x", [], {"a": 1})
    signatures = (None, Signature.of({"a": "double", "b": "double"}))
    for signature, data, names, index in itertools.product(signatures, datas, columns, indexes):
        split = {"data": data, "columns": names, "index": index}
        yield _case(signature, {"dataframe_split": {key: value for key, value in split.items() if value is not None}})


PARAMS: Final[dict[str, tuple[str, Any]]] = {
    "b": ("boolean", False),
    "i": ("integer", 1),
    "l": ("long", 10),
    "f": ("float", 0.5),
    "d": ("double", 0.5),
    "s": ("string", "q"),
    "dt": ("datetime", "2024-01-02T00:00:00"),
    "ls": ("string", ["x"]),
    "ld": ("double", [1.0]),
}


def _params() -> Iterator[Case]:
    values = (*VALUES, [1, 2], [1.5], [None], [[1]], [{}], ["2024-01-02"], "2024", "20240102")
    for (name, spec), value in itertools.product(PARAMS.items(), values):
        signature = Signature.of({"a": "double"}, {name: spec})
        yield _case(signature, {"inputs": {"a": [1.0]}, "params": {name: value, "zz": 1}})
        yield _case(signature, {"messages": 1, "a": 1.0, name: value})
    for params in (None, {}, [], [1], "x", 5, {"l": 1, "zz": 2}, {"l": "x", "d": "y"}, True):
        for cells in ([1.0], ["x"]):
            yield _case(Signature.of({"a": "double"}, PARAMS), {"inputs": cells, "params": params})
            yield _case(Signature.of({"a": "double"}), {"inputs": cells, "params": params})


CSVS: Final = (
    *("a\n1\n", "a,b\n1,2\n", "a,b\n1\n", "a,b\n1,2,3\n", "a,b\n1,2\n1,2,3\n", ",a\n0,1\n", "a,a\n1,2\n", "a\nx\n"),
    *("a,a,a.1\n1,2,3\n", "a\n1.5\n", "a\n\n1\n", "a\n \n1\n", "a\nTrue\nFalse\n", "a\nTrue\nNA\n", "a,b\n,1\n2,\n"),
    *("a,b\n1,x\nNA,y\n", "", "\n", "a", "a\r\n1\r\n", "a\r1\r", 'a\n"x,y"\n', 'a,b\n"x\ny",1\n', 'a\n"x""y"\n'),
    *('a\n"x\n', 'a\n""\n', 'a\n"NA"\n', "a\n99999999999\n", "a\n9223372036854775808\n", "a\n18446744073709551616\n"),
    *("a\n-1\n9223372036854775808\n", "a\n1e5\n", "a\n+1\n", "a\n 1\n", "a\n1 \n", "a\ninf\n", "a\n-Infinity\n"),
    *("a\n1.\n", "a\n.5\n", "a\n1_0\n", "a\n0x1\n", "a\n01\n", "a\nT\n", "a\n1\nx\n", "a\n1\n2.5\n", "a\nTrue\n1\n"),
    *("a\nnull\n1\n", "a\né\n", "\ufeffa\n1\n", "b\n1\n", "b,a\n1,2\n", "a;b\n1;2\n", "a,b\n1,2,\n3,4\n", "a,\n1,2\n"),
    *("a\n2024-01-02\n", "a\nYWIA\n", "a\n1e400\n", "a\n1,5\n", '"a"\n1\n', 'a\nx"y\n', 'a\n"x"y\n', "a\n1\n\n\n2\n"),
)


def _csvs() -> Iterator[Case]:
    signatures = (
        None,
        *(Signature.of({"a": kind}) for kind in SCALARS),
        *(Signature.from_mlflow([{"type": kind}]) for kind in ("double", "string")),
        _tensors(("x", "float32", [-1, 2])),
        Signature.of({"a": "long", "b": "string"}),
        _array("long"),
    )
    for signature, text in itertools.product(signatures, CSVS):
        yield Case(signature, text.encode(), "text/csv")


@pytest.mark.parametrize(
    ("cases", "at_least"),
    [(_one_column, 3000), (_many_shapes, 3000), (_splits, 1500), (_params, 500), (_csvs, 700)],
    ids=lambda value: getattr(value, "__name__", str(value)).strip("_"),
)
def test_same_verdict_as_mlflow(cases: Any, at_least: int, differential: Any) -> None:
    compared = [case for case in cases() if differential.excluded(case) is None]
    assert not (found := differential.differences(compared)), "\n".join(found)
    assert len(compared) >= at_least
