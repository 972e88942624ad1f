"""JSON Schemas of the requests that a signature accepts, one for each input format.

They are strict: what they accept, `parse` and `enforce` accept. The reverse does not hold, because MLflow casts much
that nobody should send: other orders of columns, numbers as text, unknown columns, which it drops.

Four things no schema can say. Inner dimensions of any length must be the same everywhere. The dates of one column must
all have fractions of seconds or none. 1.0 is an integer in JSON and none in a parameter or a list. And MLflow casts
nothing inside of lists: those of `integer`, `float` and `datetime` cannot be sent as JSON at all, those of `double`
only with a fraction somewhere; they are described by their type.
"""

import re
from typing import Any, Final

from servesim.payloads.signature import Array, Column, Param, Signature, Tensor

Schema = dict[str, Any]

_YEAR: Final = r"(?:1[7-9]|2[01])[0-9][0-9]"
_LEAP_YEAR: Final = r"(?:(?:1[7-9]|2[01])(?:0[48]|[2468][048]|[13579][26])|2000)"
_DAY: Final = r"(?:0[1-9]|1[0-9]|2[0-8])"
_DATE: Final = (
    rf"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-{_DAY}|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
_TIME: Final = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_DATETIME: Final = rf"^{_DATE}{_TIME}(?:\.[0-9]{{1,6}})?$"
_BASE64: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_SCALARS: Final[dict[str, Schema]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64},
    "datetime": {"type": "string", "description": "Without a time zone.", "pattern": _DATETIME},
}


def _whole(bits: int, least: int, beyond: int) -> Schema:
    wide = 32  # formats of OpenAPI exist for these two widths with a sign
    form = {"format": f"int{bits}"} if least and bits >= wide else {}
    return {"type": "integer", **form, "minimum": least, "maximum": beyond - 1}


_ELEMENTS: Final[dict[str, Schema]] = {
    "bool": {"type": "boolean"},
    **{f"int{bits}": _whole(bits, -(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": _whole(bits, 0, 2**bits) for bits in (8, 16, 32, 64)},
    "float16": {"type": "number"},
    "float32": _SCALARS["float"],
    "float64": _SCALARS["double"],
    "str": {"type": "string"},
    "object": {"type": ["string", "number", "boolean", "null"]},
}


def request_schemas(signature: Signature) -> dict[str, Schema]:
    """Return the schema of a whole request by the name of its format; none if the signature has no inputs."""
    if not signature.inputs:
        return {}
    forms = (_of_tensors if signature.tensors else _of_columns)(signature.inputs)
    optional: Schema = {"client_request_id": {"type": "string"}}
    if signature.params:
        optional["params"] = _params(signature.params)
    return {name: _object({name: form}, optional=optional) for name, form in forms.items()}


def outputs_schema(outputs: Signature) -> Schema:
    """Return what a model with this signature of its outputs should answer, loosely: models need not keep to it."""
    columns = outputs.inputs
    if not columns:
        return {}
    if outputs.tensors and not outputs.named:
        return _loose(columns[0])
    if outputs.named:
        properties = {str(column.name): _loose(column) for column in columns}
        if outputs.tensors:
            return {"type": "object", "properties": properties}
        return {"type": "array", "items": {"type": "object", "properties": properties}}
    return {"type": "array"}


def _loose(column: Column) -> Schema:
    if isinstance(column.type, Tensor):
        inner: Schema = {}
        for _ in column.type.shape:
            inner = {"type": "array", "items": inner} if inner else {"type": "array"}
        return inner
    return {}


def _object(properties: dict[str, Any], *, optional: dict[str, Any] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


# --- columns --------------------------------------------------------------------------------------


def _of_columns(columns: tuple[Column, ...]) -> dict[str, Schema]:
    cells = [_cell(column.type) for column in columns]
    row = {"type": "array", "prefixItems": cells, "items": False, "minItems": len(cells)}
    rows = _rows(row)
    if columns[0].name is None:
        return {"dataframe_split": _object({"data": rows}), **_of_equal_columns(columns, rows)}
    split = _object({"columns": {"const": [column.name for column in columns]}, "data": rows})
    record = _object(
        {str(column.name): _cell(column.type) for column in columns if column.required},
        optional={str(column.name): _cell(column.type) for column in columns if not column.required},
    )
    records = {**_rows(record), **_everywhere_or_nowhere(columns)}
    forms = {"dataframe_split": split, "dataframe_records": records}
    # Both make arrays of lists, and `instances` stacks those of all rows: lengths would have to agree.
    if any(isinstance(column.type, Array) for column in columns):
        return forms
    return {**forms, "inputs": records, "instances": records}


def _of_equal_columns(columns: tuple[Column, ...], rows: Schema) -> dict[str, Schema]:
    """Return the two formats that read a table without names as one array: of one type."""
    kinds = {column.type for column in columns}
    if len(kinds) > 1 or isinstance(columns[0].type, Array):
        return {}
    return {"instances": rows, "inputs": rows}


def _rows(row: Schema) -> Schema:
    return {"type": "array", "items": row, "minItems": 1}


def _everywhere_or_nowhere(columns: tuple[Column, ...]) -> Schema:
    """Return rules for optional columns: in a row without it, one that others have is missing, not left out."""
    rules = [
        {"anyOf": [{"items": {"required": [column.name]}}, {"items": {"not": {"required": [column.name]}}}]}
        for column in columns
        if not column.required
    ]
    return {"allOf": rules} if rules else {}


def _cell(kind: str | Array | Tensor) -> Schema:
    if isinstance(kind, Array):
        return {"type": "array", "items": _cell(kind.items)}
    return _SCALARS[str(kind)]


# --- tensors --------------------------------------------------------------------------------------


def _of_tensors(columns: tuple[Column, ...]) -> dict[str, Schema]:
    tensors = [(column.name, column.type) for column in columns if isinstance(column.type, Tensor)]
    name, first = tensors[0]
    if name is None:
        whole = _nested(first.shape, first.dtype)
        return {"inputs": whole, "instances": whole}
    forms = {"inputs": _object({str(name): _nested(kind.shape, kind.dtype) for name, kind in tensors})}
    if all(kind.shape[:1] == (-1,) for _, kind in tensors):
        row = _object({str(name): _nested(kind.shape[1:], kind.dtype) for name, kind in tensors})
        forms["instances"] = _rows(row)
    return forms


def _nested(shape: tuple[int, ...], dtype: str) -> Schema:
    """Return nested arrays; that inner ones of any length must have one length no schema can say."""
    schema = _ELEMENTS[dtype]
    for length in reversed(shape):
        size = {"minItems": 1} if length == -1 else {"minItems": length, "maxItems": length}
        schema = {"type": "array", "items": schema, **size}
    return schema


# --- parameters -----------------------------------------------------------------------------------


def _params(params: tuple[Param, ...]) -> Schema:
    return _object({}, optional={param.name: _param(param) for param in params})


def _param(param: Param) -> Schema:
    schema = dict(_SCALARS[param.type])
    if param.is_list:
        schema = {"type": "array", "items": schema}
    default = param.default_value()
    if default is None:
        return {**schema, "type": [schema["type"], "null"], "default": None}
    if param.type == "datetime" and not _is_written_so(default):
        return schema
    return {**schema, "default": default}


def _is_written_so(dates: Any) -> bool:
    listed = dates if isinstance(dates, list) else [dates]
    return all(isinstance(date, str) and re.search(_DATETIME, date) for date in listed)
