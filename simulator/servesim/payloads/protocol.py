"""What a protocol of scoring is: how a request gets to a model, and how its answer gets back.

Models here speak that of the newest MLflow. `scoring_protocols` says which one a version of MLflow has.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from servesim.payloads import protocol_texts
from servesim.payloads.refusal import Refused
from servesim.payloads.texts import Text

TENSORS: Final = "tensors"
ARRAY: Final = "array"
_MISSING: Final = "Model is missing inputs "
_EXTRA: Final = "Note that there were extra inputs: "


class Translated(NamedTuple):
    """A request in the newest protocol, and the form that it came in, empty if nothing had to be changed."""

    body: bytes
    content_type: str | None
    form: str = ""


class Protocol:
    """That of the newest MLflow, which models speak themselves: nothing changes."""

    __slots__ = ()

    def request(self, body: bytes, content_type: str | None) -> Translated:
        """Return a request as models read it; raise `Refused` with what that version's scoring server answers."""
        return Translated(body, content_type)

    def outcome(self, status: int, body: bytes, form: str = "") -> tuple[int, bytes]:
        """Return status and body of a model's answer to a request of a form, as that version gives them."""
        del form
        return status, body

    def answer(self, status: int, body: bytes) -> bytes:
        """Return the body of an answer alone."""
        return self.outcome(status, body)[1]


NEWEST: Final = Protocol()
"""What a model speaks that declares no version."""


def check_tensors(document: dict[str, Any], refusal: Callable[[Text], Refused], *, even_inputs: bool = False) -> str:
    """Return TENSORS for tensors by name, ARRAY for one without; raise what `refusal` makes of a text.

    With ``even_inputs``, `inputs` must be of equal lengths as `instances` must.
    """
    if "signature_name" in document:
        raise refusal(protocol_texts.SIGNATURE_NAME)
    if list(document) not in (["instances"], ["inputs"]):
        raise refusal(protocol_texts.NOT_ONE_KEY)
    if "instances" in document:
        columns: dict[str, Any] = _columns(document["instances"], refusal)
    else:
        columns = document["inputs"] if isinstance(document["inputs"], dict) else {}
    lengths = {len(values) for values in columns.values() if isinstance(values, list)}
    if len(lengths) > 1 and ("instances" in document or even_inputs):
        raise refusal(protocol_texts.UNEVEN)
    return TENSORS if columns else ARRAY


def _columns(rows: Any, refusal: Callable[[Text], Refused]) -> dict[str, list[Any]]:
    """Return rows by name, as servers before 2.10 gather them; empty if the first of them has no names."""
    if isinstance(rows, str):  # a sequence to them as well
        return {}
    if not isinstance(rows, list) or (rows and isinstance(rows[0], dict) and not all(map(_is_dict, rows))):
        raise refusal(protocol_texts.NOT_TENSORS)
    columns: dict[str, list[Any]] = {}
    for row in rows if rows and isinstance(rows[0], dict) else ():
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns


def is_missing_from_array(message: str, form: str) -> bool:
    """Tell whether an array without names was refused for having none, which earlier servers cannot even read."""
    return form == ARRAY and message.startswith(_MISSING)


def innermost(message: str) -> str:
    """Return the innermost error of a refused prediction, which is all that servers before 2.10 say."""
    return without_full_stop(message.rpartition("Error: ")[2])


def without_full_stop(message: str) -> str:
    """Return a refusal without the full stop that came later."""
    return message.removesuffix(".") if _EXTRA in message else message


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)
