"""Dates as people write them: what can end, in which steps, and what is said of those that make no sense."""

from __future__ import annotations

import pytest

from servesim.core.calendar import AUTO_CAPTURE, CALENDAR, LEGACY, SERVERLESS_PREVIEW, ending_of, iso
from servesim.core.profile import FAITHFUL
from servesim.service.calendar import LIMIT, amended, is_own, on_dates, read_dates, read_entry, row
from servesim.service.documents import DocumentError
from servesim.service.profiles import profile_named

FIRST, LAST = "2026-03-01T00:00:00Z", "2026-04-01T12:00:00Z"


def read(written):
    (entry,) = read_dates(written)
    return entry


def days(entry):
    return tuple(day and iso(day) for day in (entry.no_new_from, entry.retired_on))


@pytest.mark.parametrize(
    ("written", "dates"),
    [
        ("legacy=2026-04-01T12:00:00Z", (None, LAST)),
        ("legacy=2026-03-01/2026-04-01T12:00:00Z", (FIRST, LAST)),
        ("legacy=2026-03-01/2026-04-01T14:00:00+02:00", (FIRST, LAST)),
        ("legacy=2026-03-01/2026-03-01", (FIRST, FIRST)),
        ("legacy=2026-03-01/never", (FIRST, None)),
        ("legacy=never/2026-03-01", (None, FIRST)),
        (["legacy=2026-03-01"], (None, FIRST)),
        ({"legacy": "2026-03-01"}, (None, FIRST)),
        ({"operation:update_tags": "2026-03-01"}, (None, FIRST)),
        ("value:*:auto_capture_config.enabled=true=2026-03-01", (None, FIRST)),
        ({'value:create_endpoint:config.served_entities.workload_size="Small"': "2026-03-01"}, (None, FIRST)),
        ({"field:update_config:served_entities.environment_vars.SECRET": "2026-03-01"}, (None, FIRST)),
        ({"field:*:served_models": "2026-03-01"}, (None, FIRST)),
    ],
    ids=str,
)
def test_a_date_is_a_day_two_days_or_never(written, dates):
    assert days(read(written)) == dates
    assert read_dates(read_dates(written)) == read_dates(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("legacy", "'legacy' is no date: write WHAT=2026-04-01"),
        ("legacy=soon", "legacy: 'soon' is no day such as 2026-04-01"),
        ("legacy=2026-02-30", "legacy: '2026-02-30' is no day"),
        ("legacy=2026-04-01/2026-03-01", r"legacy: it cannot close at 2026-04-01T00:00:00Z, after its end at 2026-03"),
        (
            "legcay=2026-04-01",
            "nothing that ends is called 'legcay'; did you mean 'legacy'\\?; it is legacy, serverless",
        ),
        ("ga=2026-04-01", "nothing that ends is called 'ga'; it is legacy"),
        ("operation:=2026-04-01", "nothing that ends is called 'operation:'"),
        ("operation:update_confg=2026-04-01", "no operation 'update_confg'; did you mean 'update_config'"),
        ("operation:query=2026-04-01", "operation:query: a scoring request has no date of its own"),
        ("field:create:name=2026-04-01", "there is no operation 'create'"),
        (
            "field:update_config:served_entity=2026-04-01",
            "the request of update_config does not have a field 'served_entity'; did you mean 'served_entities'",
        ),
        ("field:create_endpoint:served_entities=2026-04-01", "of create_endpoint does not have a field 'served_ent"),
        (
            "field:get_endpoint:name=2026-04-01",
            "the request of get_endpoint does not have a field 'name'; docs|'name'$",
        ),
        pytest.param("value:*:name=" + "[" * 100_000 + "=2026-04-01", "the value that ends is JSON", id="nested"),
        ("field:*:nowhere=2026-04-01", "no request has a field 'nowhere'"),
        ("field:update_config:=2026-04-01", "does not have a field ''"),
        ({"value:update_config:name": "2026-04-01"}, "the value that ends is JSON, e.g. .*name=true"),
        ({"value:update_config:name=Small": "2026-04-01"}, 'the value that ends is JSON, e.g. ="Small"'),
        ({f"operation:{number}": "never" for number in range(LIMIT + 1)}, "101 dates: a workspace has 100 at most"),
    ],
    ids=lambda one: str(one)[:60],
)
def test_what_makes_no_sense_is_said(written, message):
    with pytest.raises(ValueError, match=message):
        read_dates(written)


def test_a_date_of_ones_own_takes_the_place_of_the_known_one():
    found = on_dates(FAITHFUL, read_dates({"legacy": "2026-03-01"}))
    ending = ending_of(found, LEGACY)
    assert (ending.no_new_from, iso(ending.retired_on)) == (None, FIRST)
    assert (ending.instead, ending.link) == (CALENDAR[0].instead, CALENDAR[0].link)
    assert is_own(ending)
    assert not is_own(ending_of(found, AUTO_CAPTURE))
    assert on_dates(FAITHFUL, ()) is FAITHFUL


def test_never_takes_a_date_away_and_another_gives_it_back():
    without = amended(CALENDAR, read_dates({"legacy": "never", SERVERLESS_PREVIEW: "2026-03-01/never"}))
    assert {one.what for one in without} == {SERVERLESS_PREVIEW, AUTO_CAPTURE}
    again = amended(without, read_dates({"legacy": "2026-03-01"}))
    assert next(one for one in again if one.what == LEGACY).link == CALENDAR[0].link


def test_an_end_without_a_day_is_announced_and_never_comes():
    (ending,) = amended((), [read_entry({"what": "operation:update_tags", "instead": "Write tags on paper."})])
    told = row(ending)
    assert (told["no_new_from"], told["retired_on"], told["instead"]) == (None, None, "Write tags on paper.")
    assert (told["link"], told["grade"], told["source"]) == ("", "chosen", "a date of your own")


PROFILE = """
calendar:
  - {what: legacy, retired_on: never}
  - what: serverless_preview
    no_new_from: 2026-03-01
    retired_on: 2026-04-01
    instead: Use the new one.
    link: https://example.com/new
"""


def profile(folder, text):
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    return profile_named("own.yaml", folder)


def test_a_profile_has_a_calendar(tmp_path):
    found = profile(tmp_path, PROFILE)
    assert ending_of(found, LEGACY) is None
    assert ending_of(found, AUTO_CAPTURE) == ending_of(FAITHFUL, AUTO_CAPTURE)
    told = row(ending_of(found, SERVERLESS_PREVIEW))
    assert (told["no_new_from"], told["retired_on"]) == (FIRST, "2026-04-01T00:00:00Z")
    assert (told["instead"], told["link"]) == ("Use the new one.", "https://example.com/new")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calendar:\n  - {what: legcay}", r"own.yaml, line 2: calendar\[0\]: nothing that ends is called 'legcay'"),
        ("calendar:\n  - {what: legacy}\n  - {what: legacy}", r"line 3: calendar\[1\]: legacy stands twice"),
        ("calendar: [{what: legacy, ends: 2026-04-01}]", "calendar.0.: .*'ends' was unexpected"),
        ("calendar: [{what: legacy, link: ftp://x}]", r"calendar\[0\].link"),
        ("calendar: {legacy: 2026-04-01}", "calendar: .* is not of type"),
    ],
    ids=["what", "twice", "key", "link", "mapping"],
)
def test_an_error_in_a_calendar_points_at_its_line(tmp_path, text, message):
    with pytest.raises(DocumentError, match=message):
        profile(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\ndates: {legcay: 2026-04-01}", r"world.yaml, line 2: dates.legcay: nothing that ends is called"),
        ("dates:\n  legacy: soon", r"line 2: dates.legacy: legacy: 'soon' is no day"),
        ("serverless_preview: perhaps", "serverless_preview: "),
        ("sunset_headers: 7", "sunset_headers: "),
    ],
    ids=["what", "day", "enrolment", "headers"],
)
def test_an_error_in_a_scenario_points_at_its_line(tmp_path, servesim_server, text, message):
    (tmp_path / "world.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        servesim_server.open(scenario=tmp_path / "world.yaml")
