"""Documents of load runs, read and refused."""

import json

import pytest

from servesim.load.document import NoRun, checked, points, read_run, write_run


def test_a_document_is_read_as_it_was_written(kept, tmp_path):
    path = tmp_path / "run.json"
    write_run(path, kept)
    assert read_run(path) == kept
    before = path.read_bytes()
    write_run(path, read_run(path))
    assert path.read_bytes() == before


def test_keys_that_nobody_knows_are_kept(kept):
    kept["later"] = {"more": 1}
    kept["series"][0]["more"] = 1
    assert checked(kept) == kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"format": NaN}', "NaN is no number of JSON"),
        ("[]", "says format 1, and this says None"),
        ('{"format": 2}', "says format 1, and this says 2"),
        ('{"format": 1}', "at the document: "),
    ],
    ids=["cut", "deep", "nan", "list", "newer", "empty"],
)
def test_what_is_no_run_is_refused(tmp_path, text, why):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(NoRun, match=why) as refused:
        read_run(path)
    assert str(path) in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(NoRun, match="is no JSON"):
        read_run(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("outcome",), "maybe"),
        (("seconds",), -1),
        (("judgements", 0, "alpha"), 0),
        (("judgements", 0, "detect"), 100),
        (("judgements", 0, "split", "champion"), 101),
        (("judgements", 0, "counts", "champion"), -1),
        (("series", 0, "statuses", "200"), 1.5),
        (("series", 0, "latency_ms", "p50"), "fast"),
        (("requests", "count"), None),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_the_place_of_what_is_wrong_is_named(kept, place, value):
    document = json.loads(json.dumps(kept))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(NoRun, match="at " + "/".join(map(str, place))):
        checked(document)


def test_a_judgement_s_answers_grow_to_what_it_counted(kept):
    judgement = kept["judgements"][0]
    grown = points(kept, judgement)
    assert [point.at_s for point in grown] == list(range(1, 11))
    assert grown[-1].counts == judgement["counts"]
    assert sum(point.last["champion"] for point in grown) == judgement["counts"]["champion"]


def test_answers_that_no_whole_second_has_come_in_the_end(kept):
    judgement = kept["judgements"][0]
    judgement |= {"from_s": 9.9, "to_s": 10.0, "counts": {"champion": 20}}
    (only,) = points(kept, judgement)
    assert (only.at_s, only.counts) == (10.0, {"champion": 20})
