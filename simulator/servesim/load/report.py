"""A load run as one page of HTML that needs nothing beside it: no script, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from servesim.load.document import FAIL, INCONCLUSIVE, PASS
from servesim.load.drawing import NARROW, WIDE, svg
from servesim.load.figures import pictures
from servesim.load.report_style import STYLE
from servesim.load.words import number, place, span, split_text, summary
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from servesim.load.document import Run

_SIGNS = {PASS: "✓", FAIL: "✗", INCONCLUSIVE: "?"}
_ASKED = {"max error rate": "", "p99": " ms", "min rps": " a second"}
"""Units of the checks that somebody asked for; the others belong to the test."""
_MEANS = {
    PASS: "everything that was asked for holds",
    FAIL: "something that was asked for does not hold",
    INCONCLUSIVE: "too little was seen to say",
}


def report(run: Run) -> str:
    """Return the page, the same bytes for the same document."""
    parts = [_head(run), _asked(run), _judgements(run), _checks(run), _pictures(run), _shares(run), _phases(run)]
    parts += [_traffic(run), _capacity(run), _notes(run)]
    title = escape(plain(f"{run['outcome']}: {place(run)}"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(run: Run) -> str:
    outcome = run["outcome"]
    reasons = "".join(f"<li>{_why(one)}</li>" for one in (*run["judgements"], *run["checks"]))
    return (
        f'<header class="{outcome}">\n<h1>{_verdict(outcome)} <span>{_text(place(run))}</span></h1>\n'
        f"<p>{_MEANS[outcome]}: {_text(summary(run))}.</p>\n{f'<ul>{reasons}</ul>' if reasons else ''}\n</header>"
    )


def _why(one: dict[str, Any]) -> str:
    told = "; ".join([one["why"], *(one.get("remarks") or [])])
    return f"{_verdict(one['outcome'])} <b>{_text(one['name'])}</b>: {_text(told)}"


def _asked(run: Run) -> str:
    rows = [("Endpoint", _text(run.get("endpoint") or "-")), ("Server", _server(run))]
    rows += [("Users", f"{run.get('users', 0):,} in {_counted(run.get('processes', 1), 'process', 'processes')}")]
    for one in run["judgements"]:
        floor = f", floor {one['floor']:g}" if one["floor"] else ""
        asked = f"detect {one['detect']:g} points, alpha {one['alpha']:g}, power {one['power']:g}{floor}"
        rows.append((f"Split {_text(one['name'])}", f"{_text(split_text(one['split']))}; {asked}"))
    rows += [
        (_text(one["name"]), number(one.get("limit")) + _ASKED[one["name"]])
        for one in run["checks"]
        if one["name"] in _ASKED
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f"<h2>What was asked</h2>\n<dl>{cells}</dl>"


def _server(run: Run) -> str:
    url = _text(run.get("url") or "-")
    return f"{url}, simulated by servesim" if run.get("simulated") else url


def _judgements(run: Run) -> str:
    rows = [
        (
            _text(one["name"]),
            _verdict(one["outcome"]),
            f"{span(one['from_s'])} to {span(one['to_s'])}",
            f"{one['requests']:,} of {one['requests_planned']:,}",
            f"{one['unattributed']:,}",
            f"{number(one['greatest_e_value'])} of {1 / one['alpha']:,.0f}",
        )
        for one in run["judgements"]
    ]
    heads = ("Split", "Verdict", "Sent", "Requests, planned", "Unattributed", "e-value, limit")
    return _section("Verdicts on the split", heads, rows)


def _checks(run: Run) -> str:
    rows = [
        (
            _text(one["name"]),
            _verdict(one["outcome"]),
            number(one.get("value")),
            number(one.get("limit")),
        )
        for one in run["checks"]
    ]
    return _section("Checks", ("Check", "Verdict", "Measured", "Limit"), rows)


def _pictures(run: Run) -> str:
    narrow = {picture.name: svg(picture, "narrow") for picture in pictures(run, NARROW)}
    return "\n".join(
        f"<figure>\n<h2>{escape(picture.title)}</h2>\n{svg(picture, 'wide')}\n{narrow[picture.name]}\n"
        f"<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
        for picture in pictures(run, WIDE)
    )


def _shares(run: Run) -> str:
    rows = []
    for one in run["judgements"]:
        for name in {**one["split"], **one["counts"]}:
            share, asked = one["estimate"].get(name), one["split"].get(name, 0)
            off = "-" if share is None else f"{share - asked:+.2f}"
            seen = "-" if share is None else f"{share:.2f} %"
            retries = (one.get("retries") or {}).get(name, 0)
            counted = one["counts"].get(name, 0)
            rows.append((_text(one["name"]), _text(name), f"{asked:g} %", seen, off, f"{counted:,}", f"{retries:,}"))
    heads = ("Split", "Entity", "Configured", "Answered", "Off, points", "Answers", "On a retry")
    return _section("Shares", heads, rows)


def _phases(run: Run) -> str:
    phases = run.get("phases") or []
    rows = [
        (_text(one["name"]), span(one["from_s"]), span(one["to_s"]), _text(split_text(one.get("split") or {})) or "-")
        for one in phases
    ]
    return _section("Phases", ("Phase", "From", "To", "Split"), rows) if len(rows) > 1 else ""


def _traffic(run: Run) -> str:
    requests = run["requests"]
    latency = {f"latency {name}": f"{number(ms)} ms" for name, ms in (requests.get("latency_ms") or {}).items()}
    rows = [
        ("requests", f"{requests['count']:,}"),
        ("a second", number(requests["rps"])),
        ("errors", f"{requests['errors']:,}"),
        ("retries", f"{requests.get('retries', 0):,}"),
        *latency.items(),
        *((f"status {_text(status)}", f"{count:,}") for status, count in (requests.get("by_status") or {}).items()),
        *((f"format {_text(name)}", f"{count:,}") for name, count in (requests.get("by_format") or {}).items()),
    ]
    return _section("Requests", ("What", "How many"), rows)


def _capacity(run: Run) -> str:
    rows = run.get("capacity") or []
    heads = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(key)) for key in heads] for row in rows]
    return _section("Capacity", [_text(head.replace("_", " ")) for head in heads], cells)


def _cell(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if is_number or value is None else _text(str(value))


def _notes(run: Run) -> str:
    notes = "".join(f"<li>{_text(note)}</li>" for note in run.get("notes") or [])
    return f"<h2>Notes</h2>\n<ul>{notes}</ul>" if notes else ""


def _section(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table below a heading, nothing without rows; the cells are HTML."""
    body = "\n".join(f"<tr>{''.join(f'<td{_side(cell)}>{cell}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<h2>{title}</h2>\n<div class="table">{table}</div>' if body else ""


def _side(cell: str) -> str:
    """Numbers stand below each other."""
    return ' class="number"' if cell[:1] in "+-0123456789" and len(cell) < 24 and " to " not in cell else ""  # noqa: PLR2004 - longer ones are sentences


def _verdict(outcome: str) -> str:
    return f'<strong class="{outcome}">{_SIGNS[outcome]} {outcome}</strong>'


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _text(text: str) -> str:
    return escape(plain(str(text)))
