"""What a load test is asked for: defaults, then the variable SERVESIM_LOAD, then locust's arguments."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "SERVESIM_LOAD"
"""JSON with any of the fields of ``Settings``; no token is ever in it."""

HEADER = "served-model-name"
"""Names the entity that answered; servesim sends it, and so does the real service."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. Paths are texts, so that all of it is JSON."""

    test: str = ""
    endpoint: str = ""
    url: str = ""
    simulated: bool = False
    """Whether the server is servesim, so that its own calls may be made."""
    workspace: str = "default"
    """Of servesim, for its admin API."""

    detect: float = 2.0
    alpha: float = 0.001
    power: float = 0.99
    floor: float = 0.0
    header: str = HEADER
    duration_s: float = 60.0
    """What a judged phase takes at most."""

    max_error_rate: float | None = None
    p99_ms: float | None = None
    min_rps: float | None = None

    payload: str = ""
    """A file with one request, JSON or CSV."""
    payloads: int = 20
    """How many are generated in each format."""
    seed: int = 0
    retries: int = 0

    challenger: str = ""
    steps: str = "10,50,100"
    drain_s: float = 2.0
    restore: bool = True

    rounds: int = 2
    step_users: int = 0
    """0: a tenth of the users."""
    step_s: float = 3.0

    retiring: str = "model/churn/Production"
    """What ends, as its scoring path begins: ``model/NAME/STAGE``, or ``model-endpoint/NAME/STAGE``."""

    result: str = ""
    progress: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read SERVESIM_LOAD; raise ValueError for what it may not hold."""
    text = environ.get(VARIABLE, "").strip()
    if not text:
        return Settings()
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{VARIABLE} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{VARIABLE} holds an object of settings, and this is none: {text[:80]}")  # noqa: TRY004 - of the text
    return changed(Settings(), given)


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return settings with some values changed; None stands for those that may be left out. Raises ValueError."""
    known = [field.name for field in fields(Settings)]
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise ValueError(f"there is no setting {', '.join(unknown)} of a load test; there are {', '.join(known)}")
    return checked(replace(settings, **{name: _typed(name, value) for name, value in values.items()}))


def checked(settings: Settings) -> Settings:
    """Return settings that can be run; raise ValueError."""
    for name in ("duration_s", "step_s"):
        if getattr(settings, name) <= 0:
            raise ValueError(f"{name} is a time, and {getattr(settings, name):g} is none")
    for name in ("drain_s", "retries", "step_users", "seed"):
        if getattr(settings, name) < 0:
            raise ValueError(f"{name} is 0 or more, not {getattr(settings, name)}")
    for name in ("payloads", "rounds"):
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} is 1 or more, not {getattr(settings, name)}")
    if settings.max_error_rate is not None and not 0 <= settings.max_error_rate <= 1:
        raise ValueError(f"max_error_rate is a share, 0 to 1, and {settings.max_error_rate:g} is none")
    if not re.fullmatch(r"(model|model-endpoint)/[^/?#]+/[^/?#]+", settings.retiring):
        raise ValueError(f"what retires is model/NAME/STAGE, or model-endpoint/NAME/STAGE, not {settings.retiring!r}")
    shares(settings.steps)
    return settings


def shares(steps: str) -> list[int]:
    """Return the steps of a rollout in percent; raise ValueError."""
    try:
        found = [int(step) for step in steps.split(",")]
    except ValueError as error:
        raise ValueError(f"steps are percentages with commas between, e.g. 10,50,100, not {steps!r}") from error
    if not all(0 < step <= 100 for step in found):  # noqa: PLR2004 - percent
        raise ValueError(f"each step is a percentage from 1 to 100: {steps!r}")
    return found


def kind_of(name: str) -> type:
    """Return the type of a setting; None may stand in place of a limit's."""
    hint = get_type_hints(Settings)[name]
    return hint if isinstance(hint, type) else float


def _typed(name: str, value: Any) -> Any:
    kind = kind_of(name)
    if value is None and get_type_hints(Settings)[name] is not kind:
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"the setting {name} is a {kind.__name__}, and {value!r} is none")
    return value
