"""Secret values: resolved for a deployment's life, redacted wherever somebody reads."""

from __future__ import annotations

import json

import pytest

from servesim.service import vault as module
from servesim.service.vault import REDACTED, Unresolved, Vault

ASKED = (("KEY", "{{secrets/s/k}}"), ("MODE", "fast"))


@pytest.fixture
def vault():
    vault = Vault()
    vault.put("s", "k", b"first value")
    return vault


def test_a_deployment_keeps_what_it_began_with(vault):
    assert vault.environment("one", ASKED) == (("KEY", "first value"), ("MODE", "fast"))
    vault.put("s", "k", b"second value")
    assert vault.environment("one", ASKED)[0] == ("KEY", "first value")
    assert vault.environment("two", ASKED)[0] == ("KEY", "second value")
    vault.delete("s")
    assert vault.environment("one", ASKED)[0] == ("KEY", "first value")
    with pytest.raises(Unresolved, match="variable 'KEY' needs secret 'k' of scope 's': there is no such secret"):
        vault.environment("three", ASKED)
    assert not vault.has_secrets("three")


def test_what_is_gone_is_forgotten_after_others(vault, monkeypatch):
    monkeypatch.setattr(module, "KEPT_GONE", 1)
    vault.environment("one", ASKED)
    vault.put("s", "k", b"second value")
    vault.environment("two", ASKED)
    vault.delete("s", "k")
    vault.keep_only({"two"})
    assert vault.known("one", ASKED)[0] == ("KEY", "first value")
    assert vault.scrub("it was first value") == f"it was {REDACTED}"  # what it printed may still be shown
    vault.keep_only({})
    assert vault.known("one", ASKED) is None
    assert vault.known("two", ASKED) is not None
    assert not vault.has_secrets("one")
    assert vault.scrub("it was first value") == "it was first value"  # no secret any more


def test_an_environment_without_secrets_is_left_as_it_is(vault):
    plain = (("MODE", "{{secrets}}"),)
    assert vault.environment("one", plain) is plain
    assert not vault.has_secrets("one")


PRINTED = {
    "as it is": ("pass\nword one", "say pass\nword one!"),
    "as a literal": ("pass\nword one", "{'KEY': 'pass\\nword one'}"),
    "as a literal in ASCII": ("päss", "{'KEY': 'p\\xe4ss'}"),
    "as JSON": ('pass"wörd\\one', json.dumps({"KEY": 'pass"wörd\\one'})),
    "as JSON in UTF-8": ('pass"wörd\\one', json.dumps({"KEY": 'pass"wörd\\one'}, ensure_ascii=False)),
    "line by line": ("-----BEGIN\nabcdefgh\n", "worker: -----BEGIN\nworker: abcdefgh\n"),
    "twice": ("x1y2z3", "x1y2z3 x1y2z3"),
    "with signs of a pattern": ("a.b*c(", "a.b*c("),
}


@pytest.mark.parametrize(("value", "text"), PRINTED.values(), ids=PRINTED)
def test_values_are_redacted_as_programs_print_them(value, text):
    vault = Vault()
    vault.put("s", "k", value.encode())
    scrubbed = vault.scrub(text)
    assert REDACTED in scrubbed
    assert not [part for part in value.split() if len(part) > 3 and part in scrubbed]


def test_of_two_values_that_begin_alike_the_longer_goes_whole():
    vault = Vault()
    vault.put("s", "short", b"abc")
    vault.put("s", "long", b"abcdef")
    assert vault.scrub("abcdef abc") == f"{REDACTED} {REDACTED}"


@pytest.mark.parametrize("values", [("abcdef", "defghi"), ("abcdefghij", "cdefghijklmn"), ("abcd", "bcdefghijklm")])
def test_of_two_values_that_overlap_neither_leaves_its_end(values):
    vault = Vault()
    for number, value in enumerate(values):
        vault.put("s", str(number), value.encode())
    whole = "abcdefghijklmn"[: max("abcdefghijklmn".index(value) + len(value) for value in values)]
    assert vault.scrub(f"<{whole}>") == f"<{REDACTED}>"


def test_a_value_that_is_in_the_mark_itself_breaks_no_mark():
    vault = Vault()
    vault.put("s", "k", b"planted")
    vault.put("s", "short", b"RED")
    assert vault.scrub("planted RED") == f"{REDACTED} {REDACTED}"


def test_many_long_values_are_looked_for_at_once():
    vault = Vault()
    values = ["\n".join(f"{number} {line:040}" for line in range(2_000)) for number in range(50)]
    for number, value in enumerate(values):
        vault.put("s", str(number), value.encode())
    text = "".join(map(str, range(10_000)))
    # As alternatives of one pattern they would take a minute.
    assert vault.scrub(text + values[7] + text) == text + REDACTED + text


def test_blank_values_redact_nothing():
    vault = Vault()
    vault.put("s", "k", b" ")
    vault.put("s", "e", b"")
    assert vault.scrub("a b") == "a b"


def test_nothing_of_it_is_shown(vault):
    vault.environment("one", ASKED)
    assert "first" not in repr(vault)
