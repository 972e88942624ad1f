"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, or a service principal named by its application id."""

    name: str
    display_name: str = ""
    kind: str = "User"
    """``User`` or ``ServicePrincipal``: the two values of ``creator_kind``."""
