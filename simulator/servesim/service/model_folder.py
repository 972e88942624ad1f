"""What an MLflow model folder says about itself, read without MLflow and without running anything of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.container import normalized
from servesim.core.registry import Packed
from servesim.models.pool_types import folder_contents
from servesim.payloads.signature import Signature, Unsupported
from servesim.service import releases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servesim.core.registry import ModelVersion
    from servesim.models.pool_types import FolderContents

_CONDA = "conda.yaml"
_REQUIREMENTS = "requirements.txt"
_MLFLOW = frozenset({"mlflow", "mlflow-skinny"})
_NOT_LIBRARIES = frozenset({"python", "pip"})
"""What a conda file names beside libraries."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)")


class UnreadableModel(ValueError):  # noqa: N818 - named for what is so
    """A folder is no MLflow model that can be read; the text says why."""


class Facts(NamedTuple):
    """What a model folder says about itself."""

    path: str
    digest: str
    inputs: str | None
    """JSON as it stands in the MLmodel file; so are the next two."""
    outputs: str | None
    params: str | None
    example: str | None
    """A scoring request that the model accepts, as JSON text."""
    flavors: tuple[str, ...]
    mlflow_version: str | None
    requirements: tuple[str, ...]
    """Normalized names of the libraries that a container build installs; those packed as wheels are not."""
    unsupported: str
    """Why no container can be built of it; empty if one can."""
    packed: Packed | None
    mlflow: str
    """The MLflow version that its environment comes to have; empty if nothing says so."""

    def of(self, model: ModelVersion) -> ModelVersion:
        """Return a version with what its folder says about it."""
        signature = {"inputs": self.inputs, "params": self.params, "outputs": self.outputs}
        return replace(
            model,
            digest=self.digest,
            signature=json.dumps(signature) if self.inputs or self.params else None,
            example=self.example,
            requirements=self.requirements,
            unsupported=self.unsupported,
            packed=self.packed,
            mlflow=self.mlflow,
        )


def read_model(folder: Path, digest: str | None = None) -> Facts:
    """Read a model folder, which takes as long as reading its files for their digest; raise UnreadableModel.

    ``digest`` is that of its contents, for a caller who knows it.
    """
    from servesim.models.worker_facts import contents  # noqa: PLC0415 - most servers read no folder

    try:
        found = contents(str(folder), digest)
    except (OSError, ValueError) as error:
        raise UnreadableModel(_reason(error)) from error
    return facts_of(folder_contents(found))


def facts_of(found: FolderContents) -> Facts:
    """Say what the texts of a folder mean; raise UnreadableModel."""
    if "MLmodel" not in found.texts:
        raise UnreadableModel('there is no file "MLmodel" in it')
    model = _yaml("MLmodel", found.texts["MLmodel"])
    flavors = model.get("flavors") if isinstance(model, dict) else None
    if not isinstance(flavors, dict):
        raise UnreadableModel("its MLmodel names no flavors")
    declared = _Declared(found)
    signature = _signature(model.get("signature"))
    logged_with = _text_or_none(model.get("mlflow_version"))
    return Facts(
        path=found.path,
        digest=found.digest,
        **signature,
        example=_example(found.texts.get("serving_input_example.json")),
        flavors=tuple(str(flavor) for flavor in flavors),
        mlflow_version=logged_with,
        requirements=tuple(sorted(declared.names - declared.packed)),
        unsupported=_unsupported(flavors, declared),
        packed=_packed(model, found.environment_bytes),
        mlflow=releases.chosen(logged_with or "", declared.mlflow),
    )


class _Declared:
    """The libraries that a folder's files declare, conda.yaml before requirements.txt, as the service looks at them."""

    def __init__(self, found: FolderContents) -> None:
        self._texts = found.texts
        self.missing = ""
        """Why the file cannot be built from, if it cannot be."""
        self.names: set[str] = set()
        self.packed: set[str] = set()
        """Those whose wheel is in the folder."""
        self.mlflow = ""
        """What is said about the version of MLflow."""
        self.file = next((name for name in (_CONDA, _REQUIREMENTS) if name in found.texts), None)
        wheels = frozenset(found.wheels)
        for line in self._lines():
            self._take(line, wheels)

    def _lines(self) -> Iterator[str]:
        if self.file != _CONDA:
            yield from self._requirements()
            return
        try:
            environment = _yaml(_CONDA, self._texts[_CONDA])
        except UnreadableModel as error:
            self.missing = f"Environment file {error}"
            return
        dependencies = environment.get("dependencies") if isinstance(environment, dict) else None
        includes = False
        for entry in dependencies if isinstance(dependencies, list) else ():
            pip = entry.get("pip") if isinstance(entry, dict) else None
            for line in pip if isinstance(pip, list) else ():
                if re.fullmatch(rf"(?:-r|--requirement)[ =]*{re.escape(_REQUIREMENTS)}", str(line).strip()):
                    includes = True
                else:
                    yield str(line)
            if isinstance(entry, str) and normalized(_first_name(entry)) not in _NOT_LIBRARIES:
                yield entry.rpartition("::")[2]  # conda-forge::numpy
        if includes:  # once, however often the file is named
            yield from self._requirements()

    def _requirements(self) -> Iterator[str]:
        yield from self._texts.get(_REQUIREMENTS, "").replace("\\\n", " ").splitlines()

    def _take(self, written: str, wheels: frozenset[str]) -> None:
        line = re.sub(r"(^|\s)#.*", "", written).strip()
        if line.endswith(".whl") and "://" not in line and " @ " not in line:
            wheel = line.removeprefix("./")
            name = normalized(_first_name(wheel.rpartition("/")[2].partition("-")[0]))
            if wheel in wheels:
                self.packed.add(name)
            else:
                self.missing = self.missing or f"Environment file {self.file} names {wheel}, which is not in the model."
        elif egg := _EGG.search(line):
            name = normalized(egg[1])
        else:
            name = normalized(_first_name(line))
            if name in _MLFLOW:
                self.mlflow = self.mlflow or line[len(_first_name(line)) :].partition(";")[0]
        if name:
            self.names.add(name)


def _first_name(line: str) -> str:
    """The name at the beginning of a requirement; empty for an option or an URL, which have none."""
    found = None if re.match(r"[\w+.-]+://", line) else _NAME.match(line)
    return found[0] if found else ""


def _unsupported(flavors: dict[str, Any], declared: _Declared) -> str:
    if "python_function" not in flavors:
        return f"The model has no python_function flavor; it has {', '.join(map(str, flavors)) or 'none'}."
    if declared.file is None:
        return f"The model declares its dependencies neither in {_CONDA} nor in {_REQUIREMENTS}."
    if not declared.missing and not declared.names & _MLFLOW:
        return f"Environment file {declared.file} does not specify mlflow as a dependency."
    return declared.missing


def _signature(written: Any) -> dict[str, str | None]:
    stored = written if isinstance(written, dict) else {}
    texts = {name: _text_or_none(stored.get(name)) for name in ("inputs", "outputs", "params")}
    try:
        Signature.from_mlflow(texts["inputs"], texts["params"])
    except Unsupported:
        pass  # MLflow itself checks requests for such a model
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableModel(f"the signature in its MLmodel is none: {_reason(error)}") from error
    return texts


def _example(text: str | None) -> str | None:
    """Return an example; one that is no JSON is like none, as nobody could send it."""
    try:
        json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return text


def _packed(model: dict[str, Any], environment_bytes: int | None) -> Packed | None:
    if environment_bytes is None:
        return None
    runtime, mlflow = (_text_or_none(model.get(key)) or "" for key in ("databricks_runtime", "mlflow_version"))
    return Packed(runtime, mlflow, environment_bytes)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value, default=str, skipkeys=True)


def _yaml(name: str, text: str) -> Any:
    from servesim.service.bounded_yaml import Unbounded, read  # noqa: PLC0415 - as above

    try:
        return read(text)
    except Unbounded as error:
        raise UnreadableModel(f"{name} {error}") from error


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    text = str(getattr(error, "problem", None) or error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
