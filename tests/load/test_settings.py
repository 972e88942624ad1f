"""What a load test is asked for: the environment, then arguments, and what is refused."""

import argparse
import json

import pytest

from servesim.load import options
from servesim.load.settings import VARIABLE, Settings, changed, from_environment, shares


class Parser(argparse.ArgumentParser):
    """Takes what locust's parser takes."""

    def add_argument_group(self, *names, **options):
        """Make a group whose arguments can be given as variables."""
        group = super().add_argument_group(*names, **options)
        plain = group.add_argument

        def add_argument(*flags, env_var, **rest):
            assert env_var.startswith(VARIABLE)
            return plain(*flags, **rest)

        group.add_argument = add_argument
        return group


def test_without_the_variable_there_are_the_defaults():
    assert from_environment({}) == Settings()


def test_the_variable_holds_any_of_them():
    asked = {"endpoint": "fraud", "detect": 1, "max_error_rate": None, "restore": False, "seed": 3}
    found = from_environment({VARIABLE: json.dumps(asked)})
    assert (found.endpoint, found.detect, found.max_error_rate, found.restore, found.seed) == (
        "fraud",
        1.0,
        None,
        False,
        3,
    )
    assert changed(Settings(), found.as_json()) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "an object of settings"),
        ('{"token": "x"}', "no setting token of a load test"),
        ('{"detect": "2"}', "detect is a float"),
        ('{"detect": null}', "detect is a float"),
        ('{"seed": 1.5}', "seed is a int"),
        ('{"restore": 1}', "restore is a bool"),
        ('{"duration_s": 0}', "duration_s is a time"),
        ('{"drain_s": -1}', "drain_s is 0 or more"),
        ('{"rounds": 0}', "rounds is 1 or more"),
        ('{"max_error_rate": 2}', "max_error_rate is a share"),
        ('{"steps": "10;50"}', "steps are percentages"),
        ('{"steps": "0,50"}', "each step is a percentage"),
    ],
)
def test_what_cannot_be_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        from_environment({VARIABLE: text})


def test_steps_are_read():
    assert shares(Settings().steps) == [10, 50, 100]


def test_an_argument_wins_over_the_variable(monkeypatch):
    monkeypatch.setenv(VARIABLE, '{"detect": 1, "alpha": 0.01, "result": "run.json"}')
    parser = Parser()
    options.add(parser, [*options.JUDGING, *options.ALWAYS, *options.SENDING, "restore", "drain_s"])
    parsed = parser.parse_args(["--detect", "5", "--drain", "0.5", "--p99", "80", "--no-restore"])
    found = options.read(parsed, "rollout")
    assert (found.detect, found.alpha, found.drain_s, found.p99_ms, found.restore) == (5.0, 0.01, 0.5, 80.0, False)
    assert (found.test, found.result) == ("rollout", "run.json")


def test_every_argument_is_explained():
    named = {*options.JUDGING, *options.ALWAYS, *options.SENDING}
    assert named <= options.HELP.keys() <= Settings().as_json().keys()
