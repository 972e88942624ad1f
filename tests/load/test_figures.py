"""What the pictures of a load run show, read from the figures' own data."""

import re
import warnings
from xml.etree import ElementTree as ET

import numpy
import pytest

from servesim.load.drawing import COLOURS, NARROW, WIDE, svg
from servesim.load.figures import pictures


def lines(picture):
    """Return the lines of a figure that have a name, as arrays of x and y."""
    drawn = [line for panel in picture.figure.axes for line in panel.get_lines()]
    return {line.get_gid(): (numpy.array(line.get_xdata()), numpy.array(line.get_ydata())) for line in drawn}


def drawn(run, name):
    return {picture.name: picture for picture in pictures(run)}[name]


def outside(run, entity):
    """Tell for each second whether the share so far is outside of its band."""
    found = lines(drawn(run, "share"))
    at_s, share = found[f"share:{entity}"]
    edges = [found[f"{edge}:{entity}"] for edge in ("low", "high")]
    assert all((edge[0] == at_s).all() for edge in edges)
    return ((share < edges[0][1]) | (share > edges[1][1])).tolist()


def test_a_skewed_share_leaves_its_band_and_stays_outside(skewed):
    for entity in ("champion", "challenger"):
        seen = outside(skewed, entity)
        assert (seen[0], seen[-1]) == (False, True)


def test_a_share_that_is_right_stays_within(kept):
    for entity in ("champion", "challenger"):
        assert not any(outside(kept, entity))


def test_the_share_is_that_of_the_document(skewed):
    at_s, share = lines(drawn(skewed, "share"))["share:challenger"]
    assert at_s[-1] == skewed["seconds"]
    assert share[-1] == pytest.approx(skewed["judgements"][0]["estimate"]["challenger"])


def test_both_ends_of_a_skew_can_be_seen(skewed):
    """What leaves the band is inside of what is shown."""
    for panel in drawn(skewed, "share").figure.axes:
        share = next(line for line in panel.get_lines() if (line.get_gid() or "").startswith("share:"))
        low, high = panel.get_ylim()
        assert low < share.get_ydata()[-1] < high


def test_the_e_value_crosses_the_limit_where_the_router_is_skewed(kept, skewed):
    limit = 3  # of ten: alpha is 0.001
    assert lines(drawn(skewed, "evidence"))["e-value"][1][-1] > limit
    assert lines(drawn(kept, "evidence"))["e-value"][1].max() < limit


def test_every_phase_has_a_band_of_its_own(simulated):
    steps = [{"old": 100 - new, "new": new} for new in (10, 50, 100)]
    run = simulated([(f"{step['new']} %", step, step) for step in steps], seconds=5)
    panels = {panel.get_title(loc="left"): panel for panel in drawn(run, "share").figure.axes}
    shares = [line for line in panels["new"].get_lines() if line.get_gid() == "share:new"]
    assert [(line.get_xdata()[0], line.get_xdata()[-1]) for line in shares] == [(1, 5), (6, 10), (11, 15)]
    assert all(
        abs(line.get_ydata()[-1]) < 5 for line in shares
    )  # points off, so that bands can be seen beside each other
    named = {text.get_text() for panel in drawn(run, "share").figure.axes for text in panel.texts}
    assert named == {"10 %", "50 %", "100 %"}


def test_seconds_that_belong_to_two_phases_are_in_neither_line(simulated):
    split = {"a": 50, "b": 50}
    run = simulated([("even", split, split)], seconds=4)
    run["judgements"][0] |= {"from_s": 0.5, "to_s": 2.5}
    at_s, _ = lines(drawn(run, "share"))["share:a"]
    assert at_s.tolist() == [2, 2.5]  # the second from 1 to 2, and what was counted in the end


def test_of_many_entities_those_furthest_off_are_shown(simulated):
    split = {f"v{number}": 10 for number in range(10)}
    run = simulated([("ten", split, {**split, "v3": 16, "v7": 4})], seconds=6)
    picture = drawn(run, "share")
    titles = [panel.get_title(loc="left") for panel in picture.figure.axes]
    assert len(titles) == 4
    assert {"v3", "v7"} < set(titles)
    assert "4 of 10 entities" in picture.caption


def test_an_entity_without_traffic_that_answers_is_shown(simulated):
    run = simulated([("all", {"a": 100, "b": 0}, {"a": 90, "b": 10})], seconds=2)
    assert lines(drawn(run, "share"))["share:b"][1][-1] > 0


def test_statuses_are_stacked_by_class(kept):
    for row in kept["series"]:
        row["statuses"] = {"200": 90, "429": 5, "500": 3, "404": 1, "0": 1}
    panel = drawn(kept, "statuses").figure.axes[0]
    heights = {bars.get_label(): bars[0].get_height() for bars in panel.containers}
    assert heights == {"answered (2xx)": 90, "429": 5, "other 4xx": 1, "5xx": 3, "no answer": 1}
    assert max(bar.get_y() + bar.get_height() for bars in panel.containers for bar in bars) == 100


def test_a_long_run_is_drawn_with_bounded_points(simulated):
    split = {"a": 50, "b": 50}
    run = simulated([("even", split, split)], seconds=1_500, rate=2)
    for picture in pictures(run):
        for panel in picture.figure.axes:
            assert all(len(line.get_xdata()) <= 401 for line in panel.get_lines())
            assert all(len(bars) <= 120 for bars in panel.containers)
    bars = drawn(run, "statuses").figure.axes[0].containers[0]
    assert {round(bar.get_height(), 9) for bar in bars} == {
        2
    }  # a second, though a bar stands for several, the last for fewer


@pytest.mark.parametrize("end", [99.0, 1e9, -1e9])
def test_any_e_value_is_drawn(kept, end):
    kept["series"][-1]["log_e"] = end
    svg(drawn(kept, "evidence"), "wide")


def test_what_nobody_told_is_not_drawn(kept):
    for row in kept["series"]:
        row |= {"provisioned": None, "held": None, "log_e": None, "latency_ms": {"p50": None}, "statuses": {}}
    assert [picture.name for picture in pictures(kept)] == ["share"]
    assert pictures({**kept, "judgements": [], "series": []}) == []


def test_the_same_run_gives_the_same_bytes(simulated):
    split = {"champion": 90, "challenger": 10}

    def made():
        run = simulated([("90/10", split, split)], errors=2)
        return [svg(picture, "narrow") for picture in pictures(run, NARROW)]

    first = made()
    assert first == made()
    assert not any("<dc:date" in text for text in first)


def test_a_style_of_ones_own_changes_nothing(kept):
    import matplotlib

    before = [svg(picture, "wide") for picture in pictures(kept)]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert [svg(picture, "wide") for picture in pictures(kept)] == before
        assert matplotlib.rcParams["font.size"] == 30


def test_colours_are_those_of_the_page(kept):
    for picture in pictures(kept):
        text = svg(picture, "wide")
        assert not any(colour in text for colour in COLOURS)
        assert "var(--ink)" in text


def test_ids_are_unique_in_a_page(kept):
    texts = [
        svg(picture, kind) for kind, width in (("wide", WIDE), ("narrow", NARROW)) for picture in pictures(kept, width)
    ]
    ids = [name for text in texts for name in re.findall(r' id="([^"]+)"', text)]
    assert len(ids) == len(set(ids))
    used = {name for text in texts for name in re.findall(r'(?:url\(|href=")#([^")]+)', text)}
    assert used <= set(ids)


def test_any_name_can_be_drawn(simulated):
    split = {"ünïcode ✓ 漢字": 50, "$math$ a_b^c": 20, "<b>&amp;\x1b": 20, "": 5, "x" * 200: 5}
    run = simulated([(name, split, split) for name in split], seconds=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for picture in pictures(run):
            ET.fromstring(svg(picture, "wide"))  # noqa: S314 - made here
