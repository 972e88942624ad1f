"""A workspace's settings from the words that people write: options, marker arguments, scenario keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servesim.core.container import normalized
from servesim.core.enrolment import Enrolment
from servesim.core.profile import Profile
from servesim.service.calendar import read_dates
from servesim.service.clock import MODES, POLLS
from servesim.service.hub import WorkspaceSettings
from servesim.service.instants import instant_of, milliseconds
from servesim.service.profiles import profile_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_S = 7 * 86_400.0
"""Real seconds that anything is waited for."""
SLOWEST = 1e-9
"""A simulated second in 32 years; more slowly, no timer of an event loop counts."""
FASTEST = 1e9
"""Simulated seconds a real second: a year takes 32 ms."""


def settings_from(options: Mapping[str, Any]) -> WorkspaceSettings:
    """Return the settings for options as written, None for its default; raise ValueError that names the option."""
    unknown = sorted(options.keys() - set(SETTINGS))
    if unknown:
        message = f"servesim knows no setting {unknown[0]!r}; it knows {', '.join(SETTINGS)}"
        raise ValueError(message)
    read = {}
    for name, value in options.items():
        if value is not None:
            field, reader = SETTINGS[name]
            try:
                read[field] = reader(value)
            except (ValueError, OverflowError) as error:
                raise ValueError(str(error) if name in str(error) else f"{name}: {error}") from error
    return WorkspaceSettings(**read)


def seconds(duration: str | float) -> float:
    """Read a span of real time, a bare number (also as text) as seconds; raise ValueError."""
    try:
        number = float(duration)
    except ValueError:
        number = milliseconds(duration) / 1000
    if not 0 <= number <= LONGEST_S:
        message = f"{duration!r} is no span of real time: write 5s, 500ms or a number of seconds, at most a week"
        raise ValueError(message)
    return number


def _rate(value: Any) -> float:
    rate = float(value)
    if not SLOWEST <= rate <= FASTEST:
        message = f"rate must be a positive number of simulated seconds a second, at most {FASTEST:g}; got {rate}"
        raise ValueError(message)
    return rate


def _profile(value: Any) -> Profile:
    return value if isinstance(value, Profile) else profile_named(str(value))


def _texts(value: Any) -> Any:
    if not isinstance(value, str | Path):
        return value  # read already
    from servesim.service.answers import read_answers  # noqa: PLC0415 - most workspaces have none

    return read_answers(value)


def _model_roots(value: Any) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value  # read already
    if not Path(value).is_dir():
        message = f"{str(value)!r} is no folder: name one below which models may be registered by their path"
        raise ValueError(message)
    return (str(value),)


def _libraries(value: Any) -> frozenset[str]:
    names = [value] if isinstance(value, str) else list(value)
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(_LIBRARY, name):
            message = f"{name!r} is no name of a library: write acme-features, or a pattern such as acme-*"
            raise ValueError(message)
    return frozenset(map(normalized, names))


def flag(value: Any) -> bool:
    """Read a yes or no, also as text; raise ValueError."""
    if (known := _FLAGS.get(str(value).lower())) is None:
        message = f"{value!r} is neither true nor false"
        raise ValueError(message)
    return known


def _one_of(name: str, choices: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in choices:
            message = f"{name} must be one of {', '.join(choices)}; got {value!r}"
            raise ValueError(message)
        return value

    return read


def _enrolment(value: Any) -> Enrolment:
    if value not in set(Enrolment):
        message = f"serverless_preview must be one of {', '.join(Enrolment)}; got {value!r}"
        raise ValueError(message)
    return Enrolment(value)


_LIBRARY = r"[A-Za-z0-9*?][A-Za-z0-9._*?-]*"
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}

SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "clock": ("mode", _one_of("clock", MODES)),
    "rate": ("rate", _rate),
    "poll": ("poll", _one_of("poll", POLLS)),
    "start": ("start", lambda value: instant_of(str(value))),
    "seed": ("seed", int),
    "profile": ("profile", _profile),
    "limits": ("limits", _one_of("limits", ("profile", "all", "none"))),
    "unknown_models": ("unknown_models", _one_of("unknown_models", ("reject", "stub"))),
    "mlflow_registry": ("mlflow_registry", str),
    "model_root": ("model_roots", _model_roots),
    "private_libraries": ("private_libraries", _libraries),
    "internet": ("internet", flag),
    "hold_timeout": ("hold_timeout_s", seconds),
    "model_serving": ("model_serving", _one_of("model_serving", ("enabled", "disabled"))),
    "token_lifetime": ("token_lifetime_s", seconds),
    "validate_responses": ("validate_responses", flag),
    "strict_evidence": ("strict_evidence", flag),
    "strict_faults": ("strict_faults", flag),
    "answers": ("texts", _texts),
    "dates": ("dates", read_dates),
    "sunset_headers": ("sunset_headers", flag),
    "serverless_preview": ("serverless_preview", _enrolment),
}
"""The field of WorkspaceSettings that each name sets, and how it is read. Defaults stand there."""
