"""One run of the demo: a server in this process, the steps up to the first that does not hold, and the report."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console

from servesim.delivery.demo_models import MODEL, registry_uri
from servesim.delivery.demo_report import Check, Run, Teller, document, events
from servesim.delivery.demo_stage import Stage, Unmet
from servesim.delivery.demo_story import STORY
from servesim.delivery.handle import LocalServer
from servesim.service.clock import Stopwatch

if TYPE_CHECKING:
    from pathlib import Path

    from servesim.delivery.demo_story import Step


def run(folder: Path, *, keep: bool, as_json: bool) -> bool:
    """Take the steps with models in an empty folder and tell of them; return whether all held."""
    watch = Stopwatch()
    teller = Teller(_console(as_json=as_json))
    teller.begin()
    with LocalServer() as server:
        here = server.open(mlflow_registry=registry_uri(folder), poll="settle")
        stage = Stage(server, here, here.client(), folder)
        start = stage.now()
        checks = take(STORY, stage, teller)
        rows = events(here.log, start)
    skipped = tuple(step.title for step in STORY[len(checks) :])
    done = Run(tuple(checks), skipped, tuple(rows), start, watch.seconds())
    if as_json:
        click.echo(json.dumps(document(done), indent=2))
    teller.timeline(done)
    teller.end(done)
    teller.farewell(shlex.quote(registry_uri(folder)) if keep else None, MODEL)
    return done.held


def take(story: tuple[Step, ...], stage: Stage, teller: Teller) -> list[Check]:
    """Take the steps up to the first that does not hold and return what came of each."""
    checks: list[Check] = []
    for step in story:
        with teller.doing(step.title):
            check = _check(step, stage)
        teller.done(check)
        checks.append(check)
        if not check.held:
            break
    return checks


def _check(step: Step, stage: Stage) -> Check:
    try:
        came, held = step.take(stage), True
    except Unmet as unmet:
        came, held = str(unmet), False
    except Exception as error:  # noqa: BLE001 - whatever a client or model raises is what came
        came, held = f"{type(error).__name__}: {error}", False
    return Check(step.title, step.expected, came, held, stage.now())


def _console(*, as_json: bool) -> Console:
    """Return where people are told: standard output, or beside JSON standard error if it is a terminal."""
    file = sys.stderr if as_json else sys.stdout
    return Console(file=file, quiet=as_json and not file.isatty(), highlight=False)
