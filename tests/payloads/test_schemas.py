"""What the schemas of a signature accept, the scoring layer accepts."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from servesim.payloads.enforce import enforce
from servesim.payloads.parse import JSON, parse
from servesim.payloads.refusal import Refused
from servesim.payloads.schemas import request_schemas
from servesim.payloads.signature import SCALARS, TENSOR_DTYPES, Array, Column, Param, Signature, Tensor

jsonschema = pytest.importorskip("jsonschema")

NAMES = ("a", "b", "c")
DEFAULTS = {
    "boolean": True,
    "integer": 3,
    "long": 4,
    "float": 0.5,
    "double": 1,
    "string": "x",
    "datetime": "2020-02-29T00:00:00",
}


def accepts(schema, value):
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def refusal(value, signature):
    try:
        enforce(parse(json.dumps(value).encode(), JSON, signature), signature)
    except Refused as refused:
        return refused
    return None


kinds = st.sampled_from(SCALARS)
# MLflow casts nothing inside of lists, so it refuses [1] for `integer` and `double`, and every [0.5] for `float`.
items = st.sampled_from(("boolean", "long", "string", "binary"))
arrays = st.recursive(items.map(Array), lambda inner: inner.map(Array), max_leaves=2)
# An inner dimension of any length must be the same everywhere, which no schema can say.
shapes = st.builds(
    lambda first, rest: (first, *rest), st.sampled_from((-1, -1, 2)), st.lists(st.integers(1, 2), max_size=2)
)
tensors = st.builds(Tensor, st.sampled_from(TENSOR_DTYPES), shapes)


@st.composite
def inputs(draw):
    count = draw(st.integers(1, 3))
    if draw(st.booleans()):
        found = [draw(tensors) for _ in range(count)]
        names = [None] if count == 1 and draw(st.booleans()) else NAMES
        return tuple(Column(name, kind) for name, kind in zip(names, found, strict=False))
    if draw(st.booleans()):
        kind = draw(kinds)
        return tuple(Column(None, kind if draw(st.integers(0, 3)) else draw(kinds)) for _ in range(count))
    return tuple(Column(name, draw(kinds | arrays), draw(st.booleans())) for name in NAMES[:count])


@st.composite
def parameters(draw):
    found = []
    for name in NAMES[: draw(st.integers(0, 2))]:
        kind, listed = draw(st.sampled_from(sorted(DEFAULTS))), draw(st.booleans())
        default = None if draw(st.integers(0, 4)) == 0 else (DEFAULTS[kind],) if listed else DEFAULTS[kind]
        found.append(Param(name, kind, default, listed and default is not None))
    return tuple(found) or None


signatures = st.builds(Signature, inputs(), parameters())


class Writer:
    """Writes a value that a schema accepts; an optional column stands in every row or in none."""

    def __init__(self, draw):
        self.draw = draw
        self.fraction = draw(st.sampled_from(("", ".25")))  # which no schema can ask of the dates of one column
        self.present = draw(st.fixed_dictionaries({name: st.booleans() for name in NAMES}))

    def value(self, schema):
        if "const" in schema:
            return schema["const"]
        kind = schema["type"]
        return getattr(self, kind if isinstance(kind, str) else self.draw(st.sampled_from(kind)))(schema)

    def object(self, schema):
        names = [name for name in schema["properties"] if name in schema["required"] or self.present.get(name)]
        return {name: self.value(schema["properties"][name]) for name in names}

    def array(self, schema):
        if "prefixItems" in schema:
            return [self.value(item) for item in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        count = self.draw(st.integers(least, min(schema.get("maxItems", 3), least + 2)))
        return [self.value(schema["items"]) for _ in range(count)]

    def integer(self, schema):
        return self.draw(st.integers(schema["minimum"], schema["maximum"]))

    def number(self, schema):
        return self.draw(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70))

    def boolean(self, schema):
        return self.draw(st.booleans())

    def null(self, schema):
        return None

    def string(self, schema):
        if "pattern" not in schema:
            return self.draw(st.text(max_size=5))
        text = self.draw(st.from_regex(schema["pattern"], fullmatch=True))
        return text.partition(".")[0] + self.fraction if text[4:5] == "-" else text


@st.composite
def written(draw):
    """Draw a signature, the schema of one of its formats, and a request that fits the schema."""
    signature = draw(signatures)
    found = request_schemas(signature)
    assume(found)
    schema = found[draw(st.sampled_from(sorted(found)))]
    return signature, schema, Writer(draw).value(schema)


EXTRA = (*NAMES, "params", "index", "z")

# 1.0 is an integer to a JSON schema, and none to MLflow where a parameter is one.
odd = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(-1e300, 1e300).filter(lambda number: not number.is_integer())
    | st.text(max_size=3)
    | st.sampled_from(["2020-02-29T10:00:00", "2021-02-29T10:00:00", "2020-01-01", "QQ=="])
    | st.just([])
    | st.just({})
    | st.just([[1], [1, 2]])
)


def altered(draw, value):
    """Change something somewhere inside a value: leave out, add, or replace."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(odd)
    items = dict(enumerate(value)) if isinstance(value, list) else dict(value)
    at = draw(st.sampled_from(sorted(items)))
    what = draw(st.sampled_from(("leave out", "add", "go in", "go in", "go in")))
    if what == "leave out":
        del items[at]
    elif what == "add":
        items[len(items) if isinstance(value, list) else draw(st.sampled_from(EXTRA))] = draw(odd)
    else:
        items[at] = altered(draw, items[at])
    return list(items.values()) if isinstance(value, list) else items


@given(written())
def test_a_request_that_fits_the_schema_is_accepted(case):
    signature, schema, value = case
    assert accepts(schema, value)
    assert refusal(value, signature) is None


@given(written(), st.data())
def test_so_is_one_that_still_fits_it_after_a_change(case, data):
    signature, schema, value = case
    value = altered(data.draw, value)
    if accepts(schema, value):
        assert refusal(value, signature) is None


ROWS = Signature(
    (Column("n", "long"), Column("when", "datetime"), Column("maybe", "integer", required=False)),
    (Param("top", "integer", 3),),
)


@pytest.mark.parametrize(
    "value",
    [
        {"dataframe_records": [{"n": "1", "when": "2020-01-01T00:00:00"}]},
        {"dataframe_records": [{"n": 2**63, "when": "2020-01-01T00:00:00"}]},
        {"dataframe_records": [{"n": 1, "when": "2020-13-01T00:00:00"}]},
        {"dataframe_records": [{"n": 1, "when": "2021-02-29T00:00:00"}]},
        {"dataframe_records": [{"n": 1, "when": "2020-01-01T00:00:00Z"}]},
        {"dataframe_records": [{"n": 1}]},
        {
            "dataframe_records": [
                {"n": 1, "when": "2020-01-01T00:00:00", "maybe": 1},
                {"n": 1, "when": "2020-01-01T00:00:00"},
            ]
        },
        {"dataframe_records": [{"n": 1, "when": "2020-01-01T00:00:00"}], "params": {"top": "3"}},
        {"dataframe_records": [{"n": 1, "when": "2020-01-01T00:00:00"}], "inputs": []},
    ],
    ids=["text", "too-large", "month", "leap", "zone", "missing", "here-and-there", "param", "two-formats"],
)
def test_what_nobody_should_send_fits_no_schema(value):
    assert not any(accepts(schema, value) for schema in request_schemas(ROWS).values())
