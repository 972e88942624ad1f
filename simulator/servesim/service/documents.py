"""YAML files that people write, with errors that point at file, line and key."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of a file."""
GIVEN = Path("the request body")
"""Where a value stands that was sent; paths in it are relative to the server's own folder."""
NODE_LIMIT = 200_000
"""Values of a file, counted with what its aliases stand for."""

_WITHOUT_VALUE = frozenset({"required", "additionalProperties", "dependentRequired", "dependencies"})
"""Rules of a schema whose errors name keys and show no value."""
_EITHER = {
    "stub": "a stub is echo, hash, fail, {constant: VALUE} or {fail: MESSAGE}",
    **dict.fromkeys(("model", "models"), "a model has either stub or mlflow"),
    **dict.fromkeys(("principal", "principals"), "a principal has either user or service_principal"),
    **dict.fromkeys(("service_time", "delay"), "write a duration such as 300ms, or {median: 300ms, p99: 900ms}"),
}
"""What is wrong where a value fits none of the schema's alternatives, or several, by the key that it stands under."""

Key = tuple[str | int, ...]


class DocumentError(ValueError):
    """A file is not what it should be; the text names file, line and key."""


class Document(NamedTuple):
    """The content of a file and the line of each of its keys."""

    path: Path
    content: Any
    lines: dict[Key, int]

    def error(self, key: Sequence[str | int], message: str) -> DocumentError:
        """Return the error about a key, or about the nearest that encloses it."""
        place = tuple(key)
        while place and place not in self.lines:
            place = place[:-1]
        where = str(GIVEN) if self.path is GIVEN else f"{self.path}, line {self.lines.get(place, 1)}"
        return DocumentError(plain(f"{where}: {_dotted(key)}: {message}" if key else f"{where}: {message}", kept="\n"))


def read_document(path: str | Path, schema: str) -> Document:
    """Read a YAML file that fits a definition of the scenario schema; raise DocumentError."""
    from servesim.service.yaml_text import parse  # noqa: PLC0415 - most runs read no file

    path = Path(path)
    return _checked(parse(path, _text(path)), schema)


def given_document(content: Any, schema: str) -> Document:
    """Return a value that was sent rather than written to a file, once it fits a definition; raise DocumentError."""
    return _checked(Document(GIVEN, content, {}), schema)


def _checked(document: Document, schema: str) -> Document:
    try:
        found = next(iter(_validator(schema).iter_errors(document.content)), None)
    except ValueError as error:  # a value that nests too deep, or text that UTF-8 cannot write
        raise document.error((), f"it cannot be checked: {str(error)[:200]}") from error
    if found is not None:
        raise document.error([*found.instance_path], _message(schema, found))
    return document


def _message(schema: str, found: Any) -> str:
    """Say what is wrong; a value that may be a token or a secret is not shown."""
    path, rule = list(found.instance_path), str(list(found.schema_path)[-1])
    if rule == "anyOf":
        return "a principal has a token, or client_id and client_secret"
    if rule == "oneOf":
        return _EITHER[next((str(part) for part in reversed(path) if isinstance(part, str)), schema)]
    if rule in _WITHOUT_VALUE or not (schema == "principal" or {"principals", "secrets"} & set(path[:1])):
        return str(found.message)
    return f"does not fit the rule {rule!r} of the schema (what stands there may be secret and is not shown)"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)  # some files have no size, and no end
        if len(data) > SIZE_LIMIT:
            raise DocumentError(f"{path}: larger than {SIZE_LIMIT:,} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


@cache
def _validator(definition: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415 - as above

    schema = json.loads(shipped("scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for({**schema, "$ref": f"#/$defs/{definition}"})


def plain(text: str, kept: str = "") -> str:
    """Return a text as one line that changes nothing on a terminal: signs that print nothing are written out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in kept else ascii(sign)[1:-1] for sign in text)


def _dotted(key: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")
