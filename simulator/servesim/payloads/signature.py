"""Model signatures, read from the JSON that MLflow stores in an MLmodel file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.refusal import Refused, not_implemented

SCALARS: Final = ("boolean", "integer", "long", "float", "double", "string", "binary", "datetime")
TENSOR_DTYPES: Final = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "str", "object"),
)


class Unsupported(ValueError):  # noqa: N818 - a finding about a signature; the caller answers 501
    """A signature that MLflow knows and this package does not check."""

    def refused(self) -> Refused:
        """Return the 501 for a request to a model with this signature."""
        return not_implemented(texts.SIGNATURE_NEEDS_MLFLOW, what=self)


@dataclass(frozen=True, slots=True)
class Array:
    """A column of lists; `items` is a scalar type or another array."""

    items: "str | Array"

    def __str__(self) -> str:
        """Return the name that MLflow prints."""
        return f"Array({self.items})"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An n-dimensional input; -1 in `shape` matches any length."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Return the name that MLflow prints."""
        return f"Tensor({self.dtype!r}, {self.shape!r})"


@dataclass(frozen=True, slots=True)
class Column:
    """One input; `name` is None in a signature that declares no names."""

    name: str | None
    type: str | Array | Tensor
    required: bool = True

    def __str__(self) -> str:
        """Return the line that MLflow prints for this input."""
        name = "" if self.name is None else f"{self.name!r}: "
        need = "" if isinstance(self.type, Tensor) else f" ({'required' if self.required else 'optional'})"
        return f"{name}{self.type}{need}"


@dataclass(frozen=True, slots=True)
class Param:
    """One inference parameter; `is_list` for the shape (-1,), whose default is kept as a tuple."""

    name: str
    type: str
    default: Any
    is_list: bool = False

    def __str__(self) -> str:
        """Return the line that MLflow prints for this parameter."""
        shape = " (shape: (-1,))" if self.is_list else ""
        return f"{self.name!r}: {self.type} (default: {self.default_value()}){shape}"

    def default_value(self) -> Any:
        """Return the default as the model is given it."""
        return list(self.default) if self.is_list else self.default


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and parameters of a model; None means that the model declares none."""

    inputs: tuple[Column, ...] | None = None
    params: tuple[Param, ...] | None = None

    @classmethod
    def from_mlflow(cls, inputs: str | list[Any] | None, params: str | list[Any] | None = None) -> "Signature":
        """Return the signature for the `inputs` and `params` of an MLmodel file, as JSON text or parsed.

        Raises `Unsupported` for types that only the `mlflow` extra checks, ValueError for what is no signature.
        """
        columns, parameters = _parsed(inputs), _parsed(params)
        return cls(
            None if columns is None else _checked(tuple(map(_column, columns))),
            None if parameters is None else tuple(map(_param, parameters)),
        )

    @classmethod
    def of(cls, columns: Mapping[str, str], params: Mapping[str, tuple[str, Any]] | None = None) -> "Signature":
        """Return a signature of required columns from `{"a": "double"}` and `{"p": ("long", 10)}`."""
        inputs = [{"name": name, "type": kind} for name, kind in columns.items()]
        if params is None:
            return cls.from_mlflow(inputs)
        return cls.from_mlflow(
            inputs,
            [
                {"name": name, "type": kind, "default": default, "shape": [-1] if isinstance(default, list) else None}
                for name, (kind, default) in params.items()
            ],
        )

    @property
    def named(self) -> bool:
        """Whether the inputs have names."""
        return bool(self.inputs) and self.inputs[0].name is not None  # type: ignore[index]  # not empty, as was asked

    @property
    def tensors(self) -> bool:
        """Whether the inputs are tensors rather than columns."""
        return bool(self.inputs) and isinstance(self.inputs[0].type, Tensor)  # type: ignore[index]  # as above

    def to_json(self) -> dict[str, str | None]:
        """Return `inputs` and `params` as MLflow stores them; `from_mlflow` reads them back."""
        return {
            "inputs": None if self.inputs is None else json.dumps([_column_json(c) for c in self.inputs]),
            "params": None if self.params is None else json.dumps([_param_json(p) for p in self.params]),
        }

    def __str__(self) -> str:
        """Return the inputs as MLflow prints them in its messages."""
        return "[" + ", ".join(map(str, self.inputs or ())) + "]"


def _parsed(value: str | list[Any] | None) -> list[Any] | None:
    parsed = json.loads(value) if isinstance(value, str) else value
    if parsed is not None and not isinstance(parsed, list):
        message = f"a signature is a list of inputs, got {type(parsed).__name__}"
        raise ValueError(message)
    return parsed


def _checked(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    if not columns:
        message = "a signature needs at least one input"
        raise ValueError(message)
    if len({column.name is None for column in columns}) > 1:
        message = "either all inputs have names or none has"
        raise ValueError(message)
    if len({isinstance(column.type, Tensor) for column in columns}) > 1:
        message = "columns and tensors do not mix in one signature"
        raise ValueError(message)
    if columns[0].name is None and (len(columns) > 1) and isinstance(columns[0].type, Tensor):
        message = "several tensors need names"
        raise ValueError(message)
    return columns


def _column(spec: Any) -> Column:
    if not isinstance(spec, dict) or "type" not in spec:
        message = f"an input is an object with a type, got {spec!r}"
        raise ValueError(message)
    kind = _tensor(spec) if spec["type"] == "tensor" else _type(spec)
    return Column(spec.get("name"), kind, spec.get("required", True))


def _type(spec: Mapping[str, Any]) -> str | Array:
    kind = spec["type"]
    if kind in SCALARS:
        return str(kind)
    if kind == "array" and isinstance(spec.get("items"), dict):
        return Array(_type(spec["items"]))
    message = f"inputs of type {kind!r}"
    raise Unsupported(message)


def _tensor(spec: Mapping[str, Any]) -> Tensor:
    inner = spec["tensor-spec"]
    if inner["dtype"] not in TENSOR_DTYPES:
        message = f"tensors of dtype {inner['dtype']!r}"
        raise Unsupported(message)
    return Tensor(inner["dtype"], tuple(inner["shape"]))


def _param(spec: Any) -> Param:
    kind = spec.get("type") or spec.get("dtype")
    if kind not in SCALARS or kind == "binary":
        message = f"parameters of type {kind!r}"
        raise Unsupported(message)
    default = spec["default"]
    if isinstance(default, list):
        default = tuple(default)
    return Param(str(spec["name"]), kind, default, bool(spec.get("shape")))


def _type_json(kind: str | Array) -> dict[str, Any]:
    return {"type": kind} if isinstance(kind, str) else {"type": "array", "items": _type_json(kind.items)}


def _column_json(column: Column) -> dict[str, Any]:
    name = {} if column.name is None else {"name": column.name}
    if isinstance(column.type, Tensor):
        spec = {"dtype": column.type.dtype, "shape": list(column.type.shape)}
        return {**name, "type": "tensor", "tensor-spec": spec}
    return {**_type_json(column.type), **name, "required": column.required}


def _param_json(param: Param) -> dict[str, Any]:
    shape = [-1] if param.is_list else None
    return {"name": param.name, "default": param.default_value(), "shape": shape, "type": param.type}
