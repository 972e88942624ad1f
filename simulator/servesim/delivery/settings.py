"""A workspace's settings from the words that people write: options, marker arguments, scenario keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.profile import FAITHFUL, Profile
from servesim.core.timeline import START_MS
from servesim.service.clock import MODES, POLLS
from servesim.service.hub import WorkspaceSettings
from servesim.service.instants import instant_of, milliseconds
from servesim.service.profiles import profile_named

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = (
    "clock",
    "rate",
    "poll",
    "start",
    "seed",
    "profile",
    "unknown_models",
    "mlflow_registry",
    "hold_timeout",
)

FASTEST = 1e9
"""Simulated seconds a real second: a year takes 32 ms."""


def settings_from(options: Mapping[str, Any]) -> WorkspaceSettings:
    """Return the settings for options as written; raise ValueError that names the option."""
    unknown = sorted(options.keys() - set(SETTINGS))
    if unknown:
        message = f"servesim knows no setting {unknown[0]!r}; it knows {', '.join(SETTINGS)}"
        raise ValueError(message)
    rate = float(options.get("rate", 1.0))
    if not 0 < rate <= FASTEST:
        message = f"rate must be a positive number of simulated seconds a second, at most {FASTEST:g}; got {rate}"
        raise ValueError(message)
    start = options.get("start")
    profile = options.get("profile", FAITHFUL)
    return WorkspaceSettings(
        seed=int(options.get("seed", 0)),
        profile=profile if isinstance(profile, Profile) else profile_named(str(profile)),
        start=START_MS if start is None else instant_of(str(start)),
        mode=_one_of("clock", options.get("clock", "autojump"), MODES),
        rate=rate,
        poll=_one_of("poll", options.get("poll", "step"), POLLS),
        hold_timeout_s=milliseconds(options.get("hold_timeout", 5.0)) / 1000,
        unknown_models=_one_of("unknown_models", options.get("unknown_models", "reject"), ("reject", "stub")),
        mlflow_registry=options.get("mlflow_registry"),
    )


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        message = f"{name} must be one of {', '.join(choices)}; got {value!r}"
        raise ValueError(message)
    return value
