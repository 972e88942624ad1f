"""The signature behind a published OpenAPI document: what `servesim.payloads.schemas` wrote, read back."""

from collections.abc import Mapping
from typing import Any, Final

from servesim.payloads.encode import FORMATS
from servesim.payloads.signature import SCALARS, Array, Column, Param, Signature, Tensor

_DTYPES: Final = {
    **{(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1): f"int{bits}" for bits in (8, 16, 32, 64)},
    **{(0, 2**bits - 1): f"uint{bits}" for bits in (8, 16, 32, 64)},
}
_FORMATTED: Final = {"int32": "integer", "int64": "long", "float": "float", "double": "double", "date-time": "datetime"}

Schema = Mapping[str, Any]


def signature_of_openapi(document: Any, entity: str | None = None) -> Signature:
    """Return the signature that an endpoint's OpenAPI document describes, of one served entity or of the first.

    Read is what servesim writes; how the real service describes types is unknown. Raises ValueError for what
    describes no inputs.
    """
    try:
        paths = document["paths"]
        path = next(iter(paths)) if entity is None else f"/served-models/{entity}/invocations"
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        alternatives = [one["properties"] for one in schema.get("oneOf", [schema])]
        forms: dict[str, Schema] = {name: one[name] for one in alternatives for name in FORMATS if name in one}
        params = alternatives[0].get("params")
        inputs = _columns(forms) if "dataframe_split" in forms else _tensors(forms["inputs"])
        return Signature(inputs, _params(params) if params else None)
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
        wanted = "" if entity is None else f" of the served entity {entity}"
        message = f"the endpoint's OpenAPI document describes no inputs{wanted} that servesim reads: give the signature"
        raise ValueError(message) from error


def _columns(forms: Mapping[str, Schema]) -> tuple[Column, ...]:
    split = forms["dataframe_split"]["properties"]
    cells = split["data"]["items"]["prefixItems"]
    if "columns" not in split:
        return tuple(Column(None, _kind(cell)) for cell in cells)
    required = forms["dataframe_records"]["items"].get("required", ())
    names = split["columns"]["const"]
    return tuple(Column(name, _kind(cell), name in required) for name, cell in zip(names, cells, strict=True))


def _kind(schema: Schema) -> str | Array:
    if schema["type"] == "array":
        return Array(_kind(schema["items"]))
    if schema.get("format") in _FORMATTED:
        return _FORMATTED[schema["format"]]
    if schema["type"] == "string":
        return "binary" if "contentEncoding" in schema else "datetime" if "pattern" in schema else "string"
    return {"boolean": "boolean", "integer": "long", "number": "double"}[schema["type"]]


def _tensors(inputs: Schema) -> tuple[Column, ...]:
    if inputs["type"] != "object":
        return (Column(None, _tensor(inputs)),)
    return tuple(Column(name, _tensor(schema)) for name, schema in inputs["properties"].items())


def _tensor(schema: Schema) -> Tensor:
    shape: list[int] = []
    while schema["type"] == "array":
        shape.append(schema.get("maxItems", -1))
        schema = schema["items"]
    return Tensor(_dtype(schema), tuple(shape))


def _dtype(schema: Schema) -> str:
    kind = schema["type"]
    if kind == "integer":
        return _DTYPES[schema["minimum"], schema["maximum"]]
    if kind == "number":
        return {"float": "float32", "double": "float64"}.get(schema.get("format", ""), "float16")
    return "object" if isinstance(kind, list) else {"boolean": "bool", "string": "str"}[kind]


def _params(schema: Schema) -> tuple[Param, ...]:
    return tuple(_param(name, one) for name, one in schema["properties"].items())


def _param(name: str, schema: Schema) -> Param:
    kinds = schema["type"]
    schema = {**schema, "type": kinds[0] if isinstance(kinds, list) else kinds}
    is_list = schema["type"] == "array"
    kind = _kind(schema["items"] if is_list else schema)
    default = schema.get("default")
    if kind not in SCALARS:
        raise TypeError(kind)
    return Param(name, str(kind), tuple(default) if isinstance(default, list) else default, is_list)
