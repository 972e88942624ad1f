"""Refusals as a real workspace words them, read from YAML, in place of those that servesim has in its table."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code
from servesim.generations.ga_texts import TEXTS
from servesim.generations.text import Text
from servesim.service.documents import read_document

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDED = "recorded"
"""The grade of every answer that a file gives."""
SOURCE = "a file of answers"
"""What such an answer rests on where the file does not say."""

MORE_FIELDS: dict[Code, frozenset[str]] = {
    Code.NAME_INVALID: frozenset({"endpoint"}),
    Code.NOT_SERVED: frozenset({"endpoint"}),
    Code.ENTITY_NOT_SERVED: frozenset({"endpoint", "entity"}),
}
"""What a refusal knows beside the fields of its own text."""


def read_answers(path: str | Path, folder: Path | None = None) -> dict[Code, Text]:
    """Return the table of texts with the answers of a file in it; raise DocumentError.

    The file has under ``answers`` a status, an error_code and a message for each refusal, by the words of its Code.
    """
    document = read_document((folder or Path()) / path, "answers")
    texts = dict(TEXTS)
    for name, entry in document.content["answers"].items():
        at = ("answers", name)
        if (code := _CODES.get(name)) is None:
            near = get_close_matches(name, _CODES, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "; docs/fidelity.md lists them"
            raise document.error(at, f"servesim has no refusal of this name{hint}")
        if (wrong := _wrong(code, entry["message"])) is not None:
            raise document.error((*at, "message"), wrong)
        texts[code] = _text(entry)
    return texts


def fields_of(code: Code) -> frozenset[str]:
    """Return the fields that a message of this refusal may name."""
    return frozenset(_named(TEXTS[code].template)) | MORE_FIELDS.get(code, frozenset())


def changed(texts: Mapping[Code, Text]) -> dict[Code, Text]:
    """Return the texts that differ from servesim's own."""
    return {code: text for code, text in texts.items() if text is not TEXTS[code]}


def literal(text: str) -> str:
    """Return a text so that a template says just that."""
    return text.replace("{", "{{").replace("}", "}}")


_CODES = {str(code): code for code in TEXTS}


def _text(entry: dict[str, Any]) -> Text:
    return Text(entry["status"], entry["error_code"], entry["message"], RECORDED, entry.get("source", SOURCE))


def _named(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _wrong(code: Code, template: str) -> str | None:
    """Return what is wrong with a template, None for a good one."""
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        return f"{error}; a brace that is part of the text is written twice"
    known = fields_of(code)
    for _, name, form, conversion in parts:
        if name not in known or form or conversion:
            shown = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            fields = ", ".join(f"{{{one}}}" for one in sorted(known)) or "none"
            return f"{shown} is no field of this refusal; it has {fields}"
    return None
