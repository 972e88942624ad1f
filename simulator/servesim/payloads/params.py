"""Inference parameters held against the signature: unknown names dropped, types checked, defaults filled in."""

from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.arrays import as_array
from servesim.payloads.dates import numpy_date
from servesim.payloads.refusal import Refused, bad_request, invalid_parameter, shown
from servesim.payloads.signature import Param

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "string": (str,),
}
_TARGETS: Final[dict[str, Any]] = {"float": float, "double": float}


class _InvalidError(ValueError):
    """A parameter that does not fit, with the words of MLflow."""


def check_params(params: Any, specs: tuple[Param, ...] | None, data: Any) -> Any:
    """Return the parameters that the model is called with: the given ones first, then defaults.

    Without specs every parameter is dropped. `data` is printed in the message. Raises a 400 `Refused`.
    """
    if specs is None:
        return params if params is None else {}
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise _refused(data, f"Parameters must be a dictionary. Got type '{type(params).__name__}'.")
    known = {spec.name: spec for spec in specs}
    checked = {name: value for name, value in params.items() if name in known}
    invalid = []
    for name, value in checked.items():
        try:
            checked[name] = _value(value, known[name])
        except _InvalidError as error:
            invalid.append((name, str(error)))
    if invalid:
        raise _refused(data, "Invalid parameters found: {" + ", ".join(map(repr, invalid)) + "}")
    return checked | {spec.name: spec.default_value() for spec in specs if spec.name not in checked}


def _refused(data: Any, error: str) -> Refused:
    return invalid_parameter(texts.PREDICT_FAILED, data=shown(data), error=error)


def _value(value: Any, spec: Param) -> Any:
    if spec.is_list and _dimensions(value) != 1:
        message = (
            f"Value must be a 1D array with shape (-1,) for param {spec}, received {type(value).__name__} "
            f"with ndim {_dimensions(value)}"
        )
        raise _InvalidError(message)
    try:
        return [_scalar(item, spec.type) for item in value] if spec.is_list else _scalar(value, spec.type)
    except (ValueError, OverflowError) as error:
        message = f"Failed to validate type and shape for {spec}, error: {error}"
        raise _InvalidError(message) from error


def _dimensions(value: Any) -> int:
    try:
        return len(as_array(value).shape)
    except ValueError as error:
        # MLflow measures with NumPy outside of its error handling, so a ragged list counts as the model's failure.
        raise bad_request(texts.MODEL_RAISED, stack_trace=f"ValueError: {error}") from error


def _scalar(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "datetime":
        return _datetime(value)
    if isinstance(value, list | dict):
        message = f"Value must be a scalar for type `{kind}`, got `{value}`"
        raise ValueError(message)  # noqa: TRY004 - one family of failures
    if type(value) not in _TYPES[kind]:
        message = f"Can not safely convert `{type(value)}` to `DataType.{kind}` for value `{value}`"
        raise ValueError(message)
    return _TARGETS.get(kind, type(value))(value)


def _datetime(value: Any) -> Any:
    try:
        return numpy_date(value)
    except (ValueError, OverflowError) as error:
        message = f"Failed to convert value `{value}` from type `{type(value)}` to `DataType.datetime`"
        raise ValueError(message) from error
