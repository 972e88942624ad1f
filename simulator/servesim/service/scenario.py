"""A world to begin with, read from YAML: principals, models, and endpoints that already serve."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from servesim.core.access import Principal
from servesim.core.commands import AddModel
from servesim.core.errors import Rejected
from servesim.generations import ga, ga_texts
from servesim.models.stubs import Stub
from servesim.service import sources
from servesim.service.documents import Document, read_document
from servesim.service.profiles import profile_from, profile_named
from servesim.service.versions import stub_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from servesim.service.hub import HostedWorkspace

DEFAULT_WORKSPACE = "default"
OPTIONS = ("seed", "clock", "rate", "poll", "start", "hold_timeout", "unknown_models", "mlflow_registry")


@dataclass(slots=True)
class Scenario:
    """What the files of one workspace say together; later files win where they disagree."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    """By token."""
    documents: list[Document] = field(default_factory=list)

    async def begin(self, workspace: HostedWorkspace, principal: Principal) -> None:
        """Fill a new workspace; raise DocumentError. Endpoints without a creator are ``principal``'s."""
        for document in self.documents:
            for index, entry in enumerate(document.content.get("models", ())):
                await _add_model(workspace, document, index, entry)
        for document in self.documents:
            for index, entry in enumerate(document.content.get("endpoints", ())):
                await self._add_endpoint(workspace, document, index, entry, principal)

    async def _add_endpoint(
        self,
        workspace: HostedWorkspace,
        document: Document,
        index: int,
        entry: dict[str, Any],
        default: Principal,
    ) -> None:
        at = ("endpoints", index)
        creator = self._creator(document, at, entry.get("creator"), default)
        try:
            command = ga.read_create(entry, creator)
            if command.config:
                await sources.provide(workspace, command.config)
            workspace.clock.execute(replace(command, serving=True))
        except Rejected as rejected:
            raise document.error(at, ga_texts.describe(rejected)[1]) from rejected

    def _creator(self, document: Document, at: tuple[str, int], name: str | None, default: Principal) -> Principal:
        if name is None:
            return default
        for principal in self.principals.values():
            if principal.name == name:
                return principal
        raise document.error((*at, "creator"), f"{name!r} is no principal of this workspace")


def read_scenarios(paths: Iterable[str | Path]) -> dict[str, Scenario]:
    """Read scenario files into one scenario for each workspace that they name; raise DocumentError."""
    scenarios: dict[str, Scenario] = {}
    tokens: dict[str, str] = {}
    for path in paths:
        document = read_document(path, "scenario")
        content = document.content
        name = content.get("workspace", DEFAULT_WORKSPACE)
        scenario = scenarios.setdefault(name, Scenario(name))
        scenario.documents.append(document)
        scenario.options |= {option: content[option] for option in OPTIONS if option in content}
        if "profile" in content:
            scenario.options["profile"] = _profile(document, content["profile"])
        for index, entry in enumerate(content.get("principals", ())):
            token = entry["token"]
            if tokens.setdefault(token, name) != name or token in scenario.principals:
                raise document.error(("principals", index, "token"), "this token stands for another principal")
            scenario.principals[token] = _principal(entry)
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


def _principal(entry: dict[str, Any]) -> Principal:
    name = entry.get("user") or entry["service_principal"]
    kind = "User" if "user" in entry else "ServicePrincipal"
    return Principal(name, entry.get("display_name", name.partition("@")[0]), kind)


async def _add_model(workspace: HostedWorkspace, document: Document, index: int, entry: dict[str, Any]) -> None:
    name = entry["name"]
    version = str(entry.get("version", workspace.world.registry.next_version(name)))
    try:
        if "mlflow" in entry:
            path = document.path.parent / entry["mlflow"]
            model = await sources.model_at(workspace, name, version, str(path), entry.get("python"))
        else:
            model = stub_version(name, version, _stub(entry["stub"]), entry.get("signature"), entry.get("example"))
    except (ValueError, sources.SourceUnreadable) as error:
        raise document.error(("models", index), str(error)) from error
    workspace.clock.execute(AddModel(model))


def _stub(written: Any) -> Stub:
    if isinstance(written, str):
        return Stub(written)  # type: ignore[arg-type]  # the schema lets the behaviours through only
    if "fail" in written:
        return Stub("fail", message=written["fail"])
    return Stub("constant", written["constant"])
