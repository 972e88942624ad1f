"""The contract suite: its cases in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from servesim.delivery import (
    contract_cases_admin,
    contract_cases_chain,
    contract_cases_control,
    contract_cases_data,
    contract_cases_model_endpoints,
    contract_cases_registry,
    contract_cases_scoring,
    contract_cases_settings,
    contract_cases_unity_catalog,
    contract_cases_workspace,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.delivery.contract_talk import Plan, Talk


class Case(NamedTuple):
    """One case; ``steps`` has what it shows as its docstring, and its name."""

    surface: str
    read_only: bool
    steps: Callable[[Talk], None]

    @property
    def name(self) -> str:
        """What the case is called."""
        return self.steps.__name__.replace("_", "-")

    @property
    def shows(self) -> str:
        """What it shows, in a sentence."""
        return (self.steps.__doc__ or "").partition("\n")[0]


def _cases(surface: str, *steps: Callable[[Talk], None], read_only: bool = True) -> list[Case]:
    return [Case(surface, read_only, one) for one in steps]


CASES: tuple[Case, ...] = (
    *_cases("control", *contract_cases_control.READING),
    *_cases("control", *contract_cases_control.REFUSED, read_only=False),
    *_cases("workspace", *contract_cases_workspace.KEEPING, read_only=False),
    *_cases("control", *contract_cases_chain.BEGINNING, read_only=False),
    *_cases("control", *contract_cases_control.LOOKING),
    *_cases("workspace", *contract_cases_workspace.READING),
    *_cases("data", *contract_cases_data.SCORING),
    *_cases("data", *contract_cases_chain.SCORING, read_only=False),
    *_cases("control", *contract_cases_settings.SETTINGS, read_only=False),
    *_cases("workspace", *contract_cases_settings.PERMISSIONS, read_only=False),
    *_cases("control", *contract_cases_chain.END, read_only=False),
    *_cases("registry", *contract_cases_registry.READING),
    *_cases("registry", *contract_cases_registry.KEEPING, read_only=False),
    *_cases("unity_catalog", *contract_cases_unity_catalog.READING),
    *_cases("unity_catalog", *contract_cases_unity_catalog.KEEPING, read_only=False),
    *_cases("serverless_preview", *contract_cases_model_endpoints.PREVIEW_READING),
    *_cases("serverless_preview", contract_cases_model_endpoints.preview_of_a_model, read_only=False),
    *_cases("legacy", *contract_cases_model_endpoints.LEGACY_READING),
    *_cases("legacy", contract_cases_model_endpoints.legacy_of_a_model, read_only=False),
    *_cases("scoring", *contract_cases_scoring.CASES),
    *_cases("admin", *contract_cases_admin.READING),
    *_cases("admin", *contract_cases_admin.WORKSPACE, read_only=False),
)


def chosen(plan: Plan) -> list[Case]:
    """Return the cases of a plan."""
    return [case for case in CASES if case.surface in plan.surfaces and (case.read_only or not plan.read_only)]
