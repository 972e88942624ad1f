"""How far a load test is, and how its result is told."""

import json

import pytest

from servesim.delivery.load_files import hidden, tidy, told
from servesim.delivery.load_progress import Bar, Lines, Tail, line
from servesim.delivery.load_told import tell

PROGRESS = {"s": 3, "requests": 1_234, "rps": 410.3, "errors": 1, "needed": 1_880, "log_e": 0.0, "phase": "90/10"}


def test_a_line_says_all_of_it():
    assert line(PROGRESS, 0.001) == "90/10: 1,234 of 1,880 requests, 3 s, 410/s, 1 error, e-value 1, limit 1,000"


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({}, "load: 0 requests, 0 s, 0/s, 0 errors"),
        ({"requests": 900, "judged": 200, "needed": 550}, "load: 200 of 550 requests, 0 s, 0/s, 0 errors"),
        ({"requests": 900, "judged": None, "needed": None}, "load: 900 requests, 0 s, 0/s, 0 errors"),
        ({"phase": "planning 90/10"}, "planning 90/10: 0 requests, 0 s, 0/s, 0 errors"),
        ({"phase": "a\x1b[31m\n", "requests": 3, "needed": None}, "a\\x1b[31m\\n: 3 requests, 0 s, 0/s, 0 errors"),
        ({"log_e": 5_000.0}, "load: 0 requests, 0 s, 0/s, 0 errors, e-value 4.6e+299, limit 1,000"),
    ],
    ids=["nothing", "judged", "sent", "planning", "signs", "sure"],
)
def test_a_line_of_less(progress, said):
    assert line(progress, 0.001) == said


def test_lines_come_every_five_seconds_at_each_phase_and_in_the_end(capsys):
    with Lines(0.001) as shown:
        for second in range(12):
            shown.show({**PROGRESS, "s": second, "phase": "a" if second < 7 else "b"})
    seconds = [(text.partition(":")[0], text.split(", ")[1]) for text in capsys.readouterr().err.splitlines()]
    assert seconds == [("a", "0 s"), ("a", "5 s"), ("b", "7 s"), ("b", "10 s"), ("b", "11 s")]


def test_a_bar_says_the_same():
    with Bar(0.001) as shown:
        shown.show(PROGRESS)
        (task,) = shown._progress.tasks
        assert (task.description, task.completed, task.total) == ("90/10", 1_234, 1_880)
        assert task.fields["counted"] == "1,234 of 1,880"
        assert shown._text.plain == "  3 s, 410/s, 1 error, e-value 1, limit 1,000"
        shown.show({**PROGRESS, "requests": 2_000})
        assert task.completed == 1_880
        shown.show({"phase": "cooling down"})


def test_the_tail_of_a_file_gives_each_line_once(tmp_path):
    path = tmp_path / "progress.jsonl"
    tail = Tail(path)
    assert tail.new() == []
    with path.open("a", buffering=1) as file:
        file.write('{"s": 1}\n{"s"')
        assert tail.new() == [{"s": 1}]
        file.write(': 2}\nno json\n[1]\n{"s": 3}\n')
        assert tail.new() == [{"s": 2}, {"s": 3}]
    assert tail.new() == []


def test_a_result_fits_a_terminal(monkeypatch, capsys):
    run = {
        "outcome": "fail",
        "test": "traffic_split",
        "endpoint": "fraud",
        "url": "http://127.0.0.1:8765",
        "seconds": 3,
        "judgements": [{"name": "90/10", "outcome": "fail", "why": "word " * 30, "remarks": ["a remark"]}],
        "checks": [{"name": "p99", "outcome": "inconclusive", "why": "short"}],
        "requests": {"count": 1, "errors": 1, "rps": 0.333},
        "notes": ["a note\x07"],
    }
    monkeypatch.setattr("servesim.delivery.load_told.is_terminal", lambda _stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    tell(run)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[1:])) <= 60
    assert lines[1].startswith("  90/10  fail          word word")
    assert lines[2].startswith(" " * 23 + "word")
    assert "  p99    inconclusive  short" in lines
    assert lines[-1] == "  note: a note\\x07"


def test_secrets_are_taken_out_of_what_is_told_and_left(tmp_path):
    log = tmp_path / "locust.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "the token is abc123\n")
    (tmp_path / "servesim.log").write_text("")
    said = told(log, ("abc123", ""))
    assert said.startswith("It said:\nline 89\n")
    assert said.endswith("\nthe token is ***")
    tidy(tmp_path, ("abc123",))
    assert "abc123" not in log.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["locust.log"]
    assert told(tmp_path / "none.log", ()) == "It said nothing."
    assert hidden(json.dumps({"a": 1}), ("",)) == '{"a": 1}'
