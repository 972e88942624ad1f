"""Requests that a model must refuse: an accepted one with one thing wrong, and what that is.

Status and error code are those that this package answers, which the tests hold to MLflow's own.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from servesim.payloads.encode import Format, Payload
from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.refusal import Refused
from servesim.payloads.signature import Signature
from servesim.strategies import spoiled
from servesim.strategies.payloads import formats_of
from servesim.strategies.signatures import Given, signature_of


class Reason(StrEnum):
    """Why a request must be refused."""

    CONTENT_TYPE = "content type that no model reads"
    NOT_UTF8 = "bytes that are not UTF-8"
    NOT_JSON = "JSON that is cut short"
    NOT_AN_OBJECT = "JSON that is no object"
    NO_FORMAT = "no input format"
    TWO_FORMATS = "two input formats"
    NOT_ROWS = "no rows under a dataframe format"
    UNKNOWN_KEY = "unknown key of dataframe_split"
    MISSING_INPUT = "required input missing"
    WRONG_TYPE = "value of another type"
    EXTRA_DIMENSION = "dimension too many"
    WRONG_LENGTH = "length that the tensor's shape does not have"
    RAGGED = "rows or columns of different lengths"
    BAD_PARAMS = "parameter of another type"


class Malformed(NamedTuple):
    """A request and how it is refused; `error_code` is None where the answer is plain text."""

    payload: Payload
    reason: Reason
    status: int
    error_code: str | None


def malformed(
    signature: Given,
    format: Format | None = None,  # noqa: A002 - the word of the documentation for it
    reasons: Iterable[Reason] = Reason,
) -> SearchStrategy[Malformed]:
    """Return requests that a model with this signature refuses, each for one reason.

    The reasons are those of `reasons` that there are for the signature and the format; see `reasons_of`. Raises
    ValueError if there is none, and as `tables`.
    """
    found = signature_of(signature)
    chosen = formats_of(found) if format is None else (format,)
    wanted = set(reasons)
    pairs = [(reason, one) for reason in Reason if reason in wanted for one in chosen if _applies(reason, found, one)]
    if not pairs:
        message = f"nothing is wrong for these reasons with a request to a model of the signature {found}: give others"
        raise ValueError(message)
    return st.sampled_from(pairs).flatmap(lambda pair: _malformed(found, *pair))


def reasons_of(signature: Given, format: Format) -> tuple[Reason, ...]:  # noqa: A002 - as above
    """Return the reasons for which a model with this signature refuses requests in a format."""
    found = signature_of(signature)
    return tuple(reason for reason in Reason if _applies(reason, found, format))


@st.composite
def _malformed(draw: DrawFn, signature: Signature, reason: Reason, format: Format) -> Malformed:  # noqa: A002 - as above
    payload = _MAKERS[reason][1](draw, signature, format)
    refused = _refusal(payload, signature)
    assume(refused is not None)
    assert refused is not None  # noqa: S101 - assume is not known to the type checker
    return Malformed(payload, reason, refused.status, refused.error_code)


def _refusal(payload: Payload, signature: Signature) -> Refused | None:
    try:
        enforce(parse(payload.body, payload.content_type, signature), signature)
    except Refused as refused:
        return refused.with_traceback(None)
    return None


def _applies(reason: Reason, signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    return _MAKERS[reason][0](signature, format)


# --- which reason there is for which signature and format ------------------------------------------

_Applies = Callable[[Signature, Format], bool]
_Made = Callable[[DrawFn, Signature, Format], Payload]


def _always(_signature: Signature, _format: Format) -> bool:
    return True


def _in_json(_signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    return format != "csv"


def _in(*formats: Format) -> _Applies:
    return lambda _, format: format in formats  # noqa: A006 - as above


def _has_required(signature: Signature, _format: Format) -> bool:
    columns = signature.inputs or ()
    return any(column.required for column in columns) if signature.named else len(columns) > 1


def _has_params(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    return bool(signature.params) and format != "csv"


_MAKERS: Final[dict[Reason, tuple[_Applies, _Made]]] = {
    Reason.CONTENT_TYPE: (_always, spoiled.content_type),
    Reason.NOT_UTF8: (_always, spoiled.not_utf8),
    Reason.NOT_JSON: (_in_json, spoiled.not_json),
    Reason.NOT_AN_OBJECT: (_in_json, spoiled.not_an_object),
    Reason.NO_FORMAT: (_in_json, spoiled.no_format),
    Reason.TWO_FORMATS: (_in_json, spoiled.two_formats),
    Reason.NOT_ROWS: (_in("dataframe_split", "dataframe_records"), spoiled.not_rows),
    Reason.UNKNOWN_KEY: (_in("dataframe_split"), spoiled.unknown_key),
    Reason.MISSING_INPUT: (_has_required, spoiled.missing_input),
    Reason.WRONG_TYPE: (spoiled.may_be_wrong, spoiled.wrong_type),
    Reason.EXTRA_DIMENSION: (spoiled.may_be_deeper, spoiled.extra_dimension),
    Reason.WRONG_LENGTH: (spoiled.may_be_longer, spoiled.wrong_length),
    Reason.RAGGED: (spoiled.may_be_ragged, spoiled.ragged),
    Reason.BAD_PARAMS: (_has_params, spoiled.bad_params),
}
