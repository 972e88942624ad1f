"""Filters, orders and pages of registry searches, over plain objects."""

import itertools
import json
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.core.errors import Code, Rejected
from servesim.generations import pages
from servesim.generations.filters import FILTER_CHARACTERS, Attribute, Kind, like
from servesim.generations.search import Query, search


class Thing(NamedTuple):
    name: str
    size: int = 0
    colour: str = ""
    tags: dict[str, str] = {}  # noqa: RUF012 - nothing here changes it


KIND = Kind(
    "things",
    {
        "name": Attribute(lambda thing: thing.name, holds_within=True),
        "size": Attribute(lambda thing: thing.size, is_text=False),
        "colour": Attribute(lambda thing: thing.colour, orders=False),
        "age": Attribute(lambda thing: thing.size, is_text=False, filters=False),
    },
    tags=lambda thing: thing.tags,
    order=(("name", True),),
    ties=(("name", True),),
)
THINGS = [
    Thing("Fraud", 3, "red", {"team": "risk", "a b.c/d": "1"}),
    Thing("fraud_eu", 3, "blue", {"team": "RISK"}),
    Thing("churn", 1, "red"),
    Thing("o'hare", 2, "", {"and": " AND "}),
]


def found(text, **query):
    return [thing.name for thing in search(KIND, THINGS, Query("me", text, **query))[0]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Fraud", "churn", "fraud_eu", "o'hare"]),
        ("  ", ["Fraud", "churn", "fraud_eu", "o'hare"]),
        ("name = 'Fraud'", ["Fraud"]),
        ("name='Fraud'", ["Fraud"]),
        ('name="Fraud"', ["Fraud"]),
        ("`name` = 'Fraud'", ["Fraud"]),
        ("attribute.name = 'Fraud'", ["Fraud"]),
        ("name = 'o''hare'", ["o'hare"]),
        ("name != 'Fraud'", ["churn", "fraud_eu", "o'hare"]),
        ("name LIKE 'raud'", ["Fraud", "fraud_eu"]),
        ("name LIKE 'f%'", ["fraud_eu"]),
        ("name LIKE '%u_'", ["Fraud"]),
        ("name LIKE 'f%d%u'", ["fraud_eu"]),
        ("name LIKE '%'", ["Fraud", "churn", "fraud_eu", "o'hare"]),
        ("name ilike 'FRAUD%'", ["Fraud", "fraud_eu"]),
        ("colour LIKE 're'", []),
        ("name IN ('churn', 'Fraud')", ["Fraud", "churn"]),
        ("name not  in ('churn')", ["Fraud", "fraud_eu", "o'hare"]),
        ("size = 3 AND colour = 'blue'", ["fraud_eu"]),
        ("size >= 2 and size < 3", ["o'hare"]),
        ("size = '2'", ["o'hare"]),
        ("tags.team = 'risk'", ["Fraud"]),
        ("tags.`a b.c/d` = '1'", ["Fraud"]),
        ("tag.\"team\" ILIKE 'risk'", ["Fraud", "fraud_eu"]),
        ("tags.team != 'risk'", ["fraud_eu"]),
        ("tags.and = ' AND ' AND name LIKE 'o%'", ["o'hare"]),
        ("name = 'none'", []),
    ],
)
def test_what_a_filter_finds(text, names):
    assert found(text) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name", "at its end it must have one of =, !=, LIKE"),
        ("name = ", "a value in single quotes"),
        ("name = Fraud", "at 'Fraud' it must have a value in single quotes"),
        ("name = 'a", "at ''a' it must have a value"),
        ("name = 5", "the value 5 must stand in single quotes"),
        ("name < 'a'", "'name' cannot be compared by <, but by one of =, !=, LIKE, ILIKE, IN, NOT IN"),
        ("name = 'a' OR name = 'b'", "at 'OR name = 'b'' it must have AND and another condition"),
        ("name = 'a' AND", "the name of an attribute or a tag"),
        ("name = 'a' 'b'", "AND and another condition"),
        ("weight = 'a'", "'weight' is no attribute to search by; those are name, size, colour, and tags.`key`"),
        ("age = 1", "'age' is no attribute to search by"),
        ("metrics.a = '1'", "'metrics.a' is neither an attribute nor tags.`key`"),
        ("size LIKE '1'", "'size' cannot be compared by LIKE, but by one of =, !=, <"),
        ("size = 'x'", "'x' must be a whole number"),
        ("size = -1", "a whole number"),
        ("name IN 'a'", "a list of values"),
        ("name IN ()", "a value in single quotes"),
        ("name IN ('a' 'b')", "a comma and another value, or the ) of the list"),
        ("(name = 'a')", "the name of an attribute or a tag"),
        ("'; DROP TABLE", "the name of an attribute or a tag"),
        (f"name = '{'a' * FILTER_CHARACTERS}'", "it is longer than 4,000 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_says_where_and_what_may_stand_there(text, said):
    with pytest.raises(Rejected) as refusal:
        found(text)
    assert refusal.value.code is Code.FILTER_INVALID
    assert said in refusal.value.fields["reason"]
    assert refusal.value.fields["filter"] == text


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (("name DESC",), ["o'hare", "fraud_eu", "churn", "Fraud"]),
        (("size",), ["churn", "o'hare", "Fraud", "fraud_eu"]),
        (("size desc", "name DESC"), ["fraud_eu", "Fraud", "o'hare", "churn"]),
        (("age ASC", "`name` ASC"), ["churn", "o'hare", "Fraud", "fraud_eu"]),
        (("attribute.size DESC",), ["Fraud", "fraud_eu", "o'hare", "churn"]),
    ],
)
def test_orders(order, names):
    assert found("", order_by=order) == names


@pytest.mark.parametrize(
    "order", [("colour",), ("",), ("name UP",), ("name ASC DESC",), ("name", "name DESC"), ("size",) * 21]
)
def test_orders_that_do_not_exist(order):
    with pytest.raises(Rejected) as refusal:
        found("", order_by=order)
    assert refusal.value.code is Code.ORDER_INVALID


# --- pages ----------------------------------------------------------------------------------------


def walk(things, query):
    """Return the names on each page."""
    seen = []
    while True:
        page, token = search(KIND, things, query)
        seen.append([thing.name for thing in page])
        if not token:
            return seen
        query = query._replace(page_token=token)


@given(
    st.lists(st.builds(Thing, st.text(max_size=3), st.integers(0, 3)), unique_by=lambda thing: thing.name, max_size=12),
    st.integers(1, 5),
    st.sampled_from([(), ("name DESC",), ("size",), ("size DESC",), ("size DESC", "name DESC")]),
)
@settings(max_examples=40, deadline=None)
def test_pages_together_are_the_whole(things, most, order):
    whole = [thing.name for thing in search(KIND, things, Query("me", order_by=order))[0]]
    seen = walk(things, Query("me", order_by=order, most=most))
    assert [name for page in seen for name in page] == whole
    assert all(len(page) == most for page in seen[:-1])


def test_the_same_search_has_the_same_token_and_what_comes_in_between_shifts_nothing():
    query = Query("me", most=2)
    assert search(KIND, THINGS, query)[1] == search(KIND, reversed(THINGS), query)[1]
    page, token = search(KIND, THINGS, query)
    later = [Thing("Aaa"), *(thing for thing in THINGS if thing not in page)]
    assert [thing.name for thing in search(KIND, later, query._replace(page_token=token))[0]] == ["fraud_eu", "o'hare"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda query, _token: query._replace(page_token="x"),
        lambda query, _token: query._replace(page_token="é" * 4),
        lambda query, _token: query._replace(page_token="[" * 10_000),
        lambda query, token: query._replace(page_token=token[:-2]),
        lambda query, token: query._replace(page_token=token + "\n"),
        lambda query, token: query._replace(page_token=f"!!!!{token}"),
        lambda query, token: query._replace(page_token=token, asker="you"),
        lambda query, token: query._replace(page_token=token, filter="size = 3"),
        lambda query, token: query._replace(page_token=token, order_by=("name DESC",)),
    ],
    ids=["word", "no ascii", "long", "cut", "a line", "other signs", "another's", "another filter", "another order"],
)
def test_a_token_of_another_search_is_refused(spoil):
    query = Query("me", most=2)
    token = search(KIND, THINGS, query)[1]
    with pytest.raises(Rejected) as refusal:
        search(KIND, THINGS, spoil(query, token))
    assert refusal.value.code is Code.PAGE_TOKEN_INVALID


def test_values_of_another_kind_in_a_token_are_refused():
    asked = pages.fingerprint("things", "me", "")
    for forged in ([asked, 5], [asked], [asked, "a", "b"], [asked, True], {"a": 1}, "[" * 900, "[" * 6_000):
        text = forged if isinstance(forged, str) else json.dumps(forged)
        given_token = pages.base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        with pytest.raises(Rejected):
            search(KIND, THINGS, Query("me", page_token=given_token))


# --- patterns -------------------------------------------------------------------------------------


def words(signs, most):
    return ("".join(word) for length in range(most + 1) for word in itertools.product(signs, repeat=length))


def test_a_pattern_is_what_the_slow_way_says():
    """Held for every short pattern and text."""
    texts = list(words("ab", 4))
    for pattern in words("ab_%", 4):
        fits = like(pattern)
        assert [text for text in texts if fits(text)] == [text for text in texts if slow_like(pattern, text)], pattern


def slow_like(pattern, text):
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(slow_like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"_", text[0]} and slow_like(pattern[1:], text[1:])


def test_a_pattern_of_many_wildcards_ends_soon():
    assert not like("%a" * 1_000 + "%b")("a" * 5_000)


def test_signs_of_regular_expressions_are_themselves():
    assert like("a.b(c)[d]*\n%")("a.b(c)[d]*\nx")
    assert not like("a.b")("axb")
