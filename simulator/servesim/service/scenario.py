"""A world to begin with, read from YAML: principals, models, and endpoints that already serve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servesim.core.access import ADMINS, Member, Principal
from servesim.core.commands import CreateScope, PutSecret
from servesim.core.errors import Rejected
from servesim.core.model_commands import AddModel
from servesim.core.registry import Details, Stage, in_unity_catalog
from servesim.core.secrets import missing
from servesim.generations import ga_requests, ga_texts
from servesim.models.stubs import Stub
from servesim.service import enabled_models, sources
from servesim.service.calendar import Entry, read_dates
from servesim.service.documents import Document, read_document
from servesim.service.fault_rules import order
from servesim.service.profiles import profile_from, profile_named
from servesim.service.routes import read_route
from servesim.service.settings import SETTINGS
from servesim.service.shipped import scenario_file
from servesim.service.spreads import taking
from servesim.service.tokens import Client
from servesim.service.versions import stub_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from servesim.core.commands import ConfigRequest
    from servesim.core.endpoint import Endpoint
    from servesim.core.registry import ModelVersion
    from servesim.service.hub import HostedWorkspace

DEFAULT_WORKSPACE = "default"
OPTIONS = tuple(name for name in SETTINGS if name not in {"profile", "answers", "model_root", "dates"})
"""Settings that stand in a file as they are; a profile may also be a file beside it, or values, answers are a file, and
the root of models is a folder beside it. Dates are read where their line is known."""


@dataclass(slots=True)
class Scenario:
    """What the files of one workspace say together; later files win where they disagree."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    principals: dict[str, Member] = field(default_factory=dict, repr=False)
    """By token."""
    clients: list[Client] = field(default_factory=list)
    """Who asks for access tokens instead, or as well."""
    members: list[Member] = field(default_factory=list)
    """Everybody, in the order of the files."""
    port: int | None = None
    """The workspace's own port; 0 for a free one."""
    documents: list[Document] = field(default_factory=list, repr=False)

    async def begin(self, workspace: HostedWorkspace, principal: Principal) -> None:
        """Fill a new workspace; raise DocumentError.

        Endpoints without a creator are the first principal's, ``principal``'s if the files name none.
        """
        default = self.members[0].principal if self.members else principal
        for document in self.documents:
            for index, entry in enumerate(document.content.get("routes", ())):
                _add_route(workspace, document, index, entry)
        for document in self.documents:
            for index, entry in enumerate(document.content.get("models", ())):
                await add_model(workspace, document, entry, ("models", index))
        for document in self.documents:
            _add_secrets(workspace, document, default)
            self._add_enabled_models(workspace, document, default)
        for document in self.documents:
            for index, entry in enumerate(document.content.get("endpoints", ())):
                await self._add_endpoint(workspace, document, index, entry, default)
        for document in self.documents:
            _add_faults(workspace, document)

    def _add_enabled_models(self, workspace: HostedWorkspace, document: Document, default: Principal) -> None:
        for index, entry in enumerate(document.content.get("enabled_models", ())):
            at = ("enabled_models", index)
            by = self._person(document, (*at, "by"), entry.get("by"), default)
            enabled_models.add(workspace, document, at, entry, by)

    async def _add_endpoint(
        self,
        workspace: HostedWorkspace,
        document: Document,
        index: int,
        entry: dict[str, Any],
        default: Principal,
    ) -> None:
        at = ("endpoints", index)
        creator = self._person(document, (*at, "creator"), entry.get("creator"), default)
        try:
            command = ga_requests.read_create(entry, creator)
            if command.config:
                await sources.provide(workspace, command.config)
                _check_secrets(workspace, document, at, command.config, creator)
            endpoint: Endpoint = workspace.clock.execute(command._replace(serving=True))
        except Rejected as rejected:
            raise document.error(at, ga_texts.describe(rejected)[1]) from rejected
        for entity in endpoint.active.entities if endpoint.active else ():
            workspace.vault.environment(entity.deployment_id, entity.spec.environment)

    def _person(self, document: Document, at: tuple[str | int, ...], name: str | None, default: Principal) -> Principal:
        if name is None:
            return default
        for member in self.members:
            if member.principal.name == name:
                return member.principal
        raise document.error(at, f"{name!r} is no principal of this workspace")


def _add_secrets(workspace: HostedWorkspace, document: Document, owner: Principal) -> None:
    """Make the scopes of a file with what is in them; later files add to a scope."""
    for scope, keys in document.content.get("secrets", {}).items():
        try:
            if scope not in workspace.world.secrets:
                workspace.clock.execute(CreateScope(scope, owner))
            for key, text in keys.items():
                value = text.encode()
                workspace.vault.check(scope, key, value)
                workspace.clock.execute(PutSecret(scope, key, None))
                workspace.vault.put(scope, key, value)
        except Rejected as rejected:
            raise document.error(("secrets", scope), ga_texts.describe(rejected)[1]) from rejected


def _check_secrets(
    workspace: HostedWorkspace, document: Document, at: tuple[str, int], config: ConfigRequest, creator: Principal
) -> None:
    """Raise DocumentError for an entity whose secrets its creator cannot have: it would begin serving without."""
    for entity in config.entities:
        lacking = missing(workspace.world, creator, entity.environment)
        if lacking is not None:
            raise document.error(at, f"served entity '{entity.name}': {lacking}")


def read_scenarios(paths: Iterable[str | Path]) -> dict[str, Scenario]:
    """Read scenario files into one scenario for each workspace that they name; raise DocumentError."""
    return scenarios_of(read_document(scenario_file(path), "scenario") for path in paths)


def scenarios_of(documents: Iterable[Document]) -> dict[str, Scenario]:
    """Return one scenario for each workspace that some documents name; raise DocumentError."""
    scenarios: dict[str, Scenario] = {}
    taken: set[tuple[str, str]] = set()
    for document in documents:
        content = document.content
        name = content.get("workspace", DEFAULT_WORKSPACE)
        scenario = scenarios.setdefault(name, Scenario(name))
        scenario.documents.append(document)
        scenario.options |= {option: content[option] for option in OPTIONS if option in content}
        if "profile" in content:
            scenario.options["profile"] = _profile(document, content["profile"])
        if "dates" in content:
            scenario.options["dates"] = _dates(document, content["dates"])
        if "answers" in content:
            from servesim.service.answers import read_answers  # noqa: PLC0415 - most worlds have none

            scenario.options["answers"] = read_answers(content["answers"], document.path.parent)
        if "model_root" in content:
            scenario.options["model_root"] = str(document.path.parent / content["model_root"])
        scenario.port = content.get("port", scenario.port)
        for index, entry in enumerate(content.get("principals", ())):
            _add_principal(scenario, entry, document, index, taken)
    return scenarios


def single_scenario(path: str | Path | None) -> Scenario:
    """Read the scenario of one workspace; without a file it is empty."""
    if path is None:
        return Scenario(DEFAULT_WORKSPACE)
    return next(iter(read_scenarios([path]).values()))


def _profile(document: Document, written: Any) -> Any:
    if isinstance(written, str):
        return profile_named(written, document.path.parent)
    return profile_from(document.path.stem, written, document, ("profile",))


def _dates(document: Document, written: dict[str, str]) -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = ()
    for what, dates in written.items():
        try:
            entries += read_dates({what: dates})
        except ValueError as error:
            raise document.error(("dates", what), str(error)) from error
    return entries


def _add_principal(
    scenario: Scenario, entry: dict[str, Any], document: Document, index: int, taken: set[tuple[str, str]]
) -> None:
    for key in ("token", "client_id"):
        if (key, entry.get(key)) in taken:
            what = key.replace("_", " ")
            raise document.error(("principals", index, key), f"this {what} stands for another principal")
        if key in entry:
            taken.add((key, entry[key]))
    member = read_member(entry)
    scenario.members.append(member)
    if "token" in entry:
        scenario.principals[entry["token"]] = member
    if "client_id" in entry:
        scenario.clients.append(Client(entry["client_id"], entry["client_secret"], member))


def read_member(entry: dict[str, Any]) -> Member:
    """Return the member that an entry of ``principals:`` describes."""
    name = entry.get("user") or entry["service_principal"]
    kind = "User" if "user" in entry else "ServicePrincipal"
    groups = (*((ADMINS,) if entry.get("admin") else ()), *entry.get("groups", ()))
    entitlements = tuple(one.replace("-", "_") for one in entry.get("entitlements", ()))
    principal = Principal(name, entry.get("display_name", name.partition("@")[0]), kind)
    return Member(principal, tuple(dict.fromkeys(groups)), entitlements)


async def add_model(
    workspace: HostedWorkspace, document: Document, entry: dict[str, Any], at: tuple[str | int, ...] = ()
) -> ModelVersion:
    """Register the version of an entry of ``models:``; raise DocumentError. ``at`` is where it stands."""
    name = entry["name"]
    version = str(entry.get("version", workspace.world.registry.next_version(name)))
    try:
        if "mlflow" in entry:
            path = document.path.parent / entry["mlflow"]
            model = await sources.model_at(name, version, str(path), entry.get("python"))
        else:
            stub, signature, example = _stub(entry["stub"]), entry.get("signature"), entry.get("example")
            model = stub_version(name, version, stub, signature, example, mlflow=entry.get("mlflow_version", ""))
        model = taking(model, entry.get("service_time"))
    except (ValueError, sources.SourceUnreadable) as error:
        raise document.error(at, str(error)) from error
    workspace.clock.execute(AddModel(model, _details(document, entry, at)))
    return model


def _details(document: Document, entry: dict[str, Any], at: tuple[str | int, ...]) -> Details:
    """Return what an entry says about a version beside who answers for it; raise DocumentError."""
    unity = in_unity_catalog(entry["name"])
    if "stage" in entry and unity:
        raise document.error((*at, "stage"), "versions in Unity Catalog have no stage: use aliases")
    if entry.get("express") and not unity:
        raise document.error((*at, "express"), "express deployments are for models in Unity Catalog: name it a.b.c")
    return Details(
        stage=Stage(entry.get("stage", Stage.NONE)),
        aliases=tuple(entry.get("aliases", ())),
        tags=tuple(entry.get("tags", {}).items()),
        description=entry.get("description", ""),
        staged=entry.get("express", False),
    )


def _add_faults(workspace: HostedWorkspace, document: Document) -> None:
    for index, entry in enumerate(document.content.get("faults", ())):
        try:
            order(workspace, entry)
        except (ValueError, OverflowError) as error:
            raise document.error(("faults", index), str(error)) from error
        except Rejected as rejected:
            raise document.error(("faults", index), ga_texts.describe(rejected)[1]) from rejected


def _add_route(workspace: HostedWorkspace, document: Document, index: int, entry: dict[str, Any]) -> None:
    try:
        workspace.routes.add(read_route(entry))
    except ValueError as error:
        raise document.error(("routes", index), str(error)) from error


def _stub(written: Any) -> Stub:
    if isinstance(written, str):
        return Stub(written)  # type: ignore[arg-type]  # the schema lets the behaviours through only
    if "fail" in written:
        return Stub("fail", message=written["fail"])
    return Stub("constant", written["constant"])
