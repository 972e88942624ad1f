"""The settings of a load test as arguments of locust's own command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.load.settings import VARIABLE, Settings, changed, from_environment, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

HELP = {
    "endpoint": "The serving endpoint.  [default: the only one]",
    "detect": "What is to be seen, in percentage points.",
    "alpha": "The chance at most that a router which is right fails.",
    "power": "The chance at least that one which is off by --detect fails.",
    "floor": "What is too small to matter, in percentage points.",
    "header": "The header of an answer that names the entity.",
    "duration_s": "Seconds that a judged phase takes at most.",
    "max_error_rate": "Share of the requests that may fail, 0 to 1.",
    "p99_ms": "Milliseconds within which 99 % of the answers must come.",
    "min_rps": "Requests a second that there must be.",
    "payload": "A file with one request, JSON or CSV; it is sent as it is.",
    "payloads": "How many requests are generated in each format.",
    "seed": "Of the requests that are generated.",
    "retries": "How often a user sends a request again after a 429 or 503.",
    "challenger": "The entity that takes over.  [default: the one with the least traffic]",
    "steps": "Its shares in percent, one phase each.",
    "drain_s": "Seconds after a switch of which the requests are not judged.",
    "restore": "Leave the endpoint at the last step.",
    "rounds": "How often the endpoint is taken to zero and woken.",
    "step_users": "Users that are added in each step.  [default: a tenth of all]",
    "step_s": "Seconds of a step.",
    "retiring": "What ends, as its scoring path begins: model/NAME/STAGE.",
}
ALWAYS = ("endpoint", "header", "duration_s", "max_error_rate", "p99_ms", "min_rps")
SENDING = ("payload", "payloads", "seed", "retries")
JUDGING = ("detect", "alpha", "power", "floor")

_PREFIX = "servesim_"


def add(parser: Any, names: Iterable[str]) -> None:
    """Add arguments to locust's parser; each can be given as a variable too, e.g. SERVESIM_LOAD_DETECT=1."""
    asked = from_environment()
    group = parser.add_argument_group(
        "servesim", f"Of this load test. Defaults are taken from {VARIABLE} if it is set."
    )
    for name in names:
        shared = {
            "dest": _PREFIX + name,
            "default": getattr(asked, name),
            "env_var": f"{VARIABLE}_{name.upper()}",
            "help": HELP[name],
        }
        if name == "restore":
            group.add_argument("--no-restore", action="store_false", **shared)
        else:
            group.add_argument(f"--{argument(name)}", type=kind_of(name), **shared)


def argument(name: str) -> str:
    """Return the argument of a setting, without its dashes: units are said by its help."""
    return name.removesuffix("_s").removesuffix("_ms").replace("_", "-")


def read(parsed: Any, test: str) -> Settings:
    """Return the settings of a run from what locust has parsed; raise ValueError."""
    given = {name.removeprefix(_PREFIX): value for name, value in vars(parsed).items() if name.startswith(_PREFIX)}
    return changed(from_environment(), {**given, "test": test})
