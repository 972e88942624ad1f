"""Every refusal has a text, every text its evidence, and known texts are the known ones."""

import ast
import string
from pathlib import Path

import pytest

import servesim
from servesim.core.errors import Code, Rejected
from servesim.core.model_endpoint import GENERATIONS
from servesim.generations.ga_texts import LISTED, QUOTED, TEXTS, describe

SOURCES = sorted(Path(servesim.__file__).parent.rglob("*.py"))
DERIVED = {"hint"}
"""Placeholders that are made of other fields."""


MADE_BY = {"Rejected": set(), "retired": {"what", "since", "now", "instead", "link"}}
"""What makes a refusal, and the fields that it adds by itself."""


def raised():
    """Yield every ``Rejected(Code.X, field=...)`` of the source: where, which code, which fields."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MADE_BY:
                fields = {word.arg for word in node.keywords} | MADE_BY[node.func.id]
                for code in (code for part in node.args for code in codes(part)):
                    yield f"{path.name}:{node.lineno}", code, fields


def codes(node):
    """Return the codes that an argument stands for: one, or that of each generation."""
    match node:
        case ast.Attribute(value=ast.Name(id="Code"), attr=name):
            return {Code[name]}
        case ast.Attribute(attr="not_enabled" | "version_missing" as name):
            return {getattr(generation, name) for generation in GENERATIONS.values()}
    return set()


def placeholders(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_text_with_its_evidence(code):
    text = TEXTS[code]
    assert 400 <= text.status < 600
    assert text.error_code.isupper()
    assert text.grade in {"recorded", "documented", "observed", "chosen"}
    assert text.source


def test_every_refusal_fills_its_text():
    found = list(raised())
    assert {code for _, code, _ in found} == set(Code)
    missing = {
        where: placeholders(TEXTS[code].template) - DERIVED - fields
        for where, code, fields in found
        if None not in fields and not placeholders(TEXTS[code].template) - DERIVED <= fields
    }
    assert missing == {}


KNOWN = {
    Code.MODEL_NAME_EMPTY,
    Code.STAGE_INVALID,
    Code.NAME_INVALID,
    Code.ENDPOINT_MISSING,
    Code.NEEDS_CONFIG,
    Code.INFERENCE_TABLE_RETIRED,
    Code.TAG_KEY_INVALID,
    Code.NOT_SERVED,
    Code.EXECUTION_LIMIT,
    Code.PARALLEL_LIMIT,
    Code.QUEUE_FULL,
    Code.NOT_PERMITTED,
    Code.SCOPE_EXISTS,
    Code.SECRET_MISSING,
    Code.SERVING_DISABLED,
    Code.TELEMETRY_UNSUPPORTED,
    Code.TELEMETRY_WHILE_UPDATING,
}


def test_what_is_known_and_what_is_chosen():
    assert {code for code, text in TEXTS.items() if text.grade != "chosen"} == KNOWN


def test_no_message_makes_a_client_retry():
    # The SDK repeats a call for minutes when a message has one of these.
    contagious = ("Unexpected error", "Please try again later or try a faster operation.", "ClusterNotReadyException")
    assert not [text for text in TEXTS.values() if any(words in text.template for words in contagious)]


def test_a_near_name_is_suggested():
    refused = Rejected(Code.MODEL_MISSING, model="a", near="b", known=["b"])
    assert describe(refused)[1] == "Registered model 'a' does not exist. Did you mean 'b'?"
    refused = Rejected(Code.MODEL_MISSING, model="a", near=None, known=["b"])
    assert describe(refused)[1] == "Registered model 'a' does not exist."
    refused = Rejected(Code.MODEL_MISSING, model="a", near=None, known=[])
    assert "No model is registered in this workspace" in describe(refused)[1]


def test_long_lists_and_long_names_are_cut():
    known = [str(number) for number in range(LISTED + 3)]
    message = describe(Rejected(Code.VERSION_MISSING, model="m" * 9999, version="v", known=known))[1]
    assert message.endswith(f"'{LISTED - 1}' and 3 more.")
    assert len(message) < 2 * QUOTED


def test_braces_in_what_was_sent_are_text():
    message = describe(Rejected(Code.ENDPOINT_MISSING, endpoint="{endpoint.__class__}"))[1]
    assert message == "Endpoint with name '{endpoint.__class__}' does not exist."
