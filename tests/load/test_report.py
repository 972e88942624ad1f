"""The page of a load run."""

import re
from html.parser import HTMLParser

import pytest

from servesim.load.report import report

VOID = {"meta", "img", "br", "rect", "path", "use", "circle"}


class Page(HTMLParser):
    """What a page has: its text outside of pictures, its tables, what it would load."""

    def __init__(self, html):
        super().__init__()
        self.open, self.loads, self.words, self.tables, self.pictures = [], [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in {"src", "href"} and not value.startswith("#")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg":
            self.pictures.append(dict(attrs)["aria-label"])
        if tag == "tr":
            self.tables.append([])

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "svg" in self.open or "style" in self.open:
            return
        self.words.append(data)
        if self.open[-1:] in (["td"], ["th"]) or "td" in self.open:
            self.tables[-1].append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page():
    """Read a run's page."""
    return lambda run: Page(report(run))


@pytest.mark.parametrize(("outcome", "word"), [("pass", "✓ pass"), ("fail", "✗ fail")])
def test_the_verdict_stands_on_top_in_a_word_and_a_colour(without_pictures, outcome, word):
    html = report({**without_pictures, "outcome": outcome})
    header = re.search(r"(?s)<header class=\"(\w+)\">(.*?)</header>", html)
    assert header[1] == outcome
    assert header[2].strip().startswith(f'<h1><strong class="{outcome}">{word}</strong>')
    assert f"--{outcome}: #" in html


@pytest.fixture
def without_pictures(kept):
    """A run whose seconds are not known, so that nothing is drawn."""
    return {**kept, "series": [], "judgements": []}


def test_a_run_that_says_nothing_is_neither_green_nor_red(simulated, page):
    split = {"a": 50, "b": 50}
    run = simulated([("even", split, split)], seconds=1, notes=["stopped by Ctrl-C or a signal"])
    read = page(run)
    assert "? inconclusive" in read.text
    assert "200 of 4,350 requests so far" in read.text
    assert read.text.endswith("Notes stopped by Ctrl-C or a signal")


def test_the_page_needs_nothing_beside_it(kept):
    html = report(kept)
    read = Page(html)
    assert read.loads == []
    assert "<script" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    assert "default-src 'none'" in html
    titles = ["Share of each entity", "Evidence against the split", "Latency", "Answers by status", "Capacity"]
    assert read.pictures == [title for title in titles for _ in range(2)]  # for a desk and for a telephone


def test_tables_say_what_was_asked_and_what_came(skewed, page):
    read = page(skewed)
    judgement = skewed["judgements"][0]
    assert "champion 90 %, challenger 10 %; detect 5 points, alpha 0.001, power 0.99" in read.text
    row = next(row for row in read.tables if row[:2] == ["90/10", "challenger"])
    assert row[2:] == [
        "10 %",
        f"{judgement['estimate']['challenger']:.2f} %",
        f"+{judgement['estimate']['challenger'] - 10:.2f}",
        f"{judgement['counts']['challenger']:,}",
        "0",
    ]
    assert ["max error rate", "✓ pass", "0", "0.01"] in read.tables
    assert ["status 200", "2,000"] in read.tables


def test_phases_are_listed(simulated, page):
    steps = [{"old": 100 - new, "new": new} for new in (10, 100)]
    read = page(simulated([(f"{step['new']} %", step, step) for step in steps], seconds=3))
    assert ["10 %", "0.0 s", "3.0 s", "old 90 %, new 10 %"] in read.tables
    assert ["100 %", "3.0 s", "6.0 s", "old 0 %, new 100 %"] in read.tables


def test_capacity_is_listed_where_it_is_known(without_pictures, page):
    assert ["fraud", "champion", "40", "2,000", "0"] in page(without_pictures).tables
    assert "replica seconds" not in page({**without_pictures, "capacity": None}).text


def test_any_text_is_only_text(simulated):
    text = '<script>alert(1)</script> & "x" \x1b[31m\x00\u202e'
    split = {text: 50, "other": 50}
    run = simulated([(text, split, split), ("second", split, split)], seconds=1, notes=[text])
    run |= {"test": text, "endpoint": text, "url": text}
    run["requests"]["by_format"] = {text: 1}
    run["capacity"] = [{text: text}]
    html = report(run)
    Page(html)
    assert "<script" not in html
    assert not re.search("[\x00\x1b\u202e]", html)


def test_a_run_of_nothing_has_a_page(kept, page):
    nothing = {"count": 0, "errors": 0, "rps": 0}
    read = page({**kept, "judgements": [], "checks": [], "series": [], "requests": nothing, "outcome": "inconclusive"})
    assert "0 requests" in read.text
    assert read.pictures == []


def test_what_is_not_needed_may_be_missing(without_pictures, page):
    needed = ("format", "test", "outcome", "seconds", "judgements", "checks", "requests", "series")
    assert "✓ pass" in page({name: without_pictures[name] for name in needed}).text
