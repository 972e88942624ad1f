"""docs/contracts.md: every console example runs against a `servesim serve`, and every option of check is listed."""

from __future__ import annotations

import re
from pathlib import Path

from servesim.contracts.documents import SURFACES
from servesim.delivery.contract_check import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")


def test_an_example_shows_what_is_so(example):
    example.check()


def test_every_surface_is_listed():
    assert tuple(re.findall(r"(?m)^\| `(\w+)` \|", PAGE)) == SURFACES


def test_every_option_of_check_is_listed():
    listed = set(re.findall(r"`(--[a-z-]+)", re.search(r"(?s)\| option \|.*?\n\n", PAGE)[0]))
    assert listed == {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
