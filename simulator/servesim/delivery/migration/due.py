"""When something breaks, and what counts as broken: the options of every ``migrate`` command that asks for days."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from servesim.core.calendar import CALENDAR
from servesim.delivery.migration.served import DAY_MS, SURFACES
from servesim.service.calendar import amended, read_dates
from servesim.service.clock import wall_second
from servesim.service.instants import instant_of, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from servesim.core.calendar import Ending

CHOSEN = [ending for ending in CALENDAR if ending.grade == "chosen"]
"""What ended on a day that nobody published; a date of your own is not among them."""


class Due(NamedTuple):
    """Today, the calendar, and until when things have to work."""

    today: int
    """In milliseconds since 1970."""
    by: int | None
    """What breaks before it fails the run; None: what is broken today does."""
    calendar: Mapping[str, Ending]

    def breaks_on(self, ends: str, *, is_new: bool = False) -> int | None:
        """Return when something breaks; None if no day is known. What begins something new breaks sooner."""
        ending = self.calendar.get(ends)
        if ending is None:
            return None
        days = [day for day in (ending.no_new_from if is_new else None, ending.retired_on) if day is not None]
        return min(days, default=None)

    def is_broken(self, day: int | None) -> bool:
        """Tell whether what breaks on a day fails the run."""
        if day is None:
            return False
        return day <= self.today if self.by is None else day < self.by

    def told(self, ends: str, day: int | None) -> str:
        """Say when something breaks, as people count it."""
        if day is None:
            name = SURFACES[ends].title if ends in SURFACES else ends
            return f"{name} is retired; no day was published" if ends else "no date"
        days = abs(day - self.today) // DAY_MS
        counted = "today" if days == 0 else f"{days:,} day{'s' * (days != 1)}"
        chosen = "; the day is not known, servesim chose it" if self.calendar[ends] in CHOSEN else ""
        if day <= self.today:
            return f"broken since {day_of(day)}" + (f", {counted} ago" if days else ", today") + chosen
        return f"breaks on {day_of(day)}, " + (f"in {counted}" if days else "within a day") + chosen

    def counted(self, broken: int) -> str:
        """Say how many are broken: ``3 are broken today``, ``1 breaks before 2026-04-01``."""
        number = f"{broken:,}" if broken else "none"
        if self.by is None:
            return f"{number} {'is' if broken <= 1 else 'are'} broken today"
        return f"{number} {'breaks' if broken <= 1 else 'break'} before {day_of(self.by)}"

    def document(self) -> dict[str, Any]:
        """Return what was asked, for programs."""
        return {"today": day_of(self.today), "by": None if self.by is None else day_of(self.by)}


def day_of(instant: int) -> str:
    """Write an instant: the day alone where it is the first of one."""
    return iso(instant).removesuffix("T00:00:00Z")


def due_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``due``: today, the calendar, and until when things have to work."""

    @functools.wraps(function)
    def run(today: int | None, by: int | None, dates: tuple[str, ...], **options: Any) -> None:
        function(due=due_of(today, by, dates), **options)

    command: Callable[..., None] = run
    for option in (
        click.option(
            "--date",
            "dates",
            multiple=True,
            metavar="WHAT=DATES",
            help="A date of your own, as `servesim serve --date` takes it: serverless_preview=2026-04-01.",
        ),
        click.option("--today", metavar="DATE", callback=parse_day, help="Count from this day.  [default: today]"),
        click.option(
            "--by",
            metavar="DATE",
            callback=parse_day,
            help="Exit with 1 for what breaks before it.  [default: is broken today]",
        ),
    ):
        command = option(command)
    return command


def due_of(today: int | None, by: int | None, dates: tuple[str, ...]) -> Due:
    """Read the options; raise BadParameter."""
    now = wall_second() * 1000
    try:
        calendar = amended(CALENDAR, read_dates(dates))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--date") from error
    return Due(
        now - now % DAY_MS if today is None else today,
        by,
        {ending.what: ending for ending in calendar},
    )


def parse_day(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Read a day or an instant of an option; raise BadParameter."""
    try:
        return None if text is None else instant_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; a day such as 2026-04-01 will do.") from error
