"""What a model folder or an MLflow registry says about its models.

Loaded by path beside `worker_main.py`: the standard library and MLflow, nothing of servesim. Nothing is
written to the registry: one that doesn't exist is refused instead of being created by MLflow. The server itself
imports what needs no MLflow: `contents` and `digest`.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Facts = dict[str, Any]

MAX_VERSIONS = 1000
"""Bound of one registry's listing: each version's files are read for its digest."""

TEXTS = ("MLmodel", "conda.yaml", "requirements.txt", "serving_input_example.json")
"""Files of a model folder that say what it is."""
TEXT_BYTES = 1024 * 1024
"""Bound of each; a longer example is left out, another file that is longer is refused."""

_EXAMPLE = TEXTS[-1]
_ENVIRONMENT = "_databricks/model_environment.tar"
_WHEELS = "wheels"
_PAGE = 100
_CHUNK_BYTES = 1024 * 1024
_WRITTEN_LATER = frozenset({"__pycache__", "registered_model_meta"})
"""Names that Python and MLflow add to a folder when it's used: not part of its digest."""


def list_registry(head: Facts) -> list[Facts]:
    """Every version of every registered model, by name and number."""
    client = _client(head["registry_uri"])
    aliases = {model.name: model.aliases for model in _pages(client.search_registered_models)}
    versions = list(_pages(client.search_model_versions))
    if len(versions) > MAX_VERSIONS:
        message = f"the registry holds more than {MAX_VERSIONS} model versions"
        raise ValueError(message)
    versions.sort(key=lambda version: (version.name, int(version.version)))
    return [_version(client, version, aliases.get(version.name, {})) for version in versions]


def find_version(head: Facts) -> Facts:
    """One version of one registered model; MLflow's own error when there's none."""
    client = _client(head["registry_uri"])
    version = client.get_model_version(head["name"], head["version"])
    return _version(client, version, client.get_registered_model(head["name"]).aliases)


def locate(head: Facts) -> str:
    """Give the folder or URI of `models:/name/version` or `models:/name@alias`.

    MLflow's own way to load such a URI is avoided: it writes a `registered_model_meta` file into the
    folder, and another interpreter's MLflow may not read this one's database.
    """
    return _download_uri(_client(head["registry_uri"]), head["source"])


JOBS: dict[str, Callable[[Facts], Any]] = {
    "list": list_registry,
    "find": find_version,
    "locate": locate,
}


def resolve(source: str, registry_uri: str | None) -> str:
    """Give the local folder of a source; what lies elsewhere is fetched into a folder of this process."""
    if source.startswith("models:/"):
        if registry_uri is None:
            message = f"{source} needs the registry's URI"
            raise ValueError(message)
        source = _download_uri(_client(registry_uri), source)
    elif registry_uri is not None:
        _use(registry_uri)
    if (local := _local_path(source)) is not None:
        return _existing(local)
    folder = tempfile.mkdtemp(prefix="servesim-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _fetch(source, folder)


def _fetch(uri: str, folder: str) -> str:
    path: str = importlib.import_module("mlflow.artifacts").download_artifacts(artifact_uri=uri, dst_path=folder)
    return path


def _existing(path: str) -> str:
    if not Path(path).is_dir():
        message = f"there is no model folder at {path}"
        raise FileNotFoundError(message)
    return path


def describe(path: str, metadata: Any) -> Facts:
    """Signature, input example, requirements and versions of a loaded `MLmodel`."""
    signature = metadata.signature.to_dict() if metadata.signature else {}
    function = (metadata.flavors or {}).get("python_function", {})
    return {
        **{name: signature.get(name) for name in ("inputs", "outputs", "params")},
        "input_example": _example(Path(path)),
        "requirements": _requirements(Path(path)),
        "python_version": function.get("python_version"),
        "mlflow_version": metadata.mlflow_version,
        "model_uuid": metadata.model_uuid,
    }


def differences(facts: Facts) -> list[str]:
    """What the model was saved for and this interpreter doesn't have, one line each."""
    lines = [_requirement_difference(text) for text in facts["requirements"]]
    current = ".".join(str(part) for part in sys.version_info[:3])
    wanted = facts["python_version"]
    if wanted is not None and wanted != current:
        lines.insert(0, f"python: the model was saved with {wanted}, the interpreter is {current}")
    return [line for line in lines if line is not None]


def digest(folder: Path) -> str:
    """SHA-256 over the sorted relative names and contents of a folder's files, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(_files(folder)):
        total.update(name.encode("utf-8", "surrogateescape") + b"\0" + _content_digest(folder / name))
    return total.hexdigest()


def _content_digest(path: Path) -> bytes:
    content = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            content.update(chunk)
    return content.digest()


def contents(path: str, known_digest: str | None = None) -> Facts:
    """The texts of a model folder that say what it is, its digest, and what was packed with it.

    Raises FileNotFoundError where there is no such folder, ValueError for a text that can't be read.
    """
    folder = Path(_existing(path))
    texts = {name: _text(folder / name) for name in TEXTS if (folder / name).is_file()}
    environment = folder / _ENVIRONMENT
    return {
        "path": path,
        "digest": digest(folder) if known_digest is None else known_digest,
        "texts": {name: text for name, text in texts.items() if text is not None},
        "wheels": sorted(f"{_WHEELS}/{wheel.name}" for wheel in (folder / _WHEELS).glob("*.whl")),
        "environment_bytes": environment.stat().st_size if environment.is_file() else None,
    }


def _text(path: Path) -> str | None:
    with path.open("rb") as file:
        data = file.read(TEXT_BYTES + 1)
    if len(data) > TEXT_BYTES:
        if path.name == _EXAMPLE:
            return None
        message = f"{path.name} is larger than {TEXT_BYTES:,} bytes"
        raise ValueError(message)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start})"
        raise ValueError(message) from error


def _contents_at(uri: str) -> Facts:
    """Read what lies at a URI; the copy of what lies elsewhere is gone afterwards."""
    if (local := _local_path(uri)) is not None:
        return contents(local)
    with tempfile.TemporaryDirectory(prefix="servesim-model-") as folder:
        return {**contents(_fetch(uri, folder)), "path": uri}


def _files(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _WRITTEN_LATER]
        for name in names:
            if name not in _WRITTEN_LATER:
                yield (Path(root) / name).relative_to(folder).as_posix()


def _example(folder: Path) -> str | None:
    """The request that MLflow stored as the model's example, as JSON text."""
    path = folder / "serving_input_example.json"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _requirements(folder: Path) -> list[str]:
    path = folder / "requirements.txt"
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _requirement_difference(text: str) -> str | None:
    """Why a line of `requirements.txt` isn't met here, or nothing; options and URLs aren't judged."""
    packaging = importlib.import_module("packaging.requirements")
    try:
        requirement = packaging.Requirement(text)
    except packaging.InvalidRequirement:
        return None
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    current = _installed(requirement.name)
    if current is None:
        return f"{requirement.name}: the model requires {text}, the interpreter has none"
    if requirement.specifier.contains(current, prereleases=True):
        return None
    return f"{requirement.name}: the model requires {text}, the interpreter has {current}"


def _installed(package: str) -> str | None:
    if package == "mlflow":  # mlflow-skinny is one too
        return str(sys.modules["mlflow"].__version__)
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _client(registry_uri: str) -> Any:
    """A client of a registry that exists already."""
    _must_exist(registry_uri)
    _use(registry_uri)
    client = importlib.import_module("mlflow").MlflowClient
    return client(tracking_uri=registry_uri, registry_uri=registry_uri)


def _use(registry_uri: str) -> None:
    """Have MLflow ask this server for artifacts too: a version's source may be a logged model of it."""
    # MLflow's own seven tries take minutes, and then the cap would be all that is known of the reason.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    mlflow = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)


def _must_exist(registry_uri: str) -> None:
    """Refuse a missing file or folder: MLflow would create it."""
    local = _local_path(registry_uri)
    if registry_uri.startswith("sqlite:///"):
        local = registry_uri.removeprefix("sqlite:///").partition("?")[0]
    if local is not None and not Path(local).exists():
        message = f"there is no MLflow registry at {registry_uri}"
        raise FileNotFoundError(message)


def _local_path(uri: str) -> str | None:
    """The path that a URI without a scheme, or with `file`, means on this machine."""
    parts = urlparse(uri)
    if parts.scheme == "file":
        return unquote(parts.path)
    return uri if not parts.scheme else None


def _download_uri(client: Any, source: str) -> str:
    """Where `models:/name/version` or `models:/name@alias` lies."""
    reference = source.removeprefix("models:/")
    name, at, alias = reference.partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias).version
    else:
        name, _, version = reference.rpartition("/")
    uri: str = client.get_model_version_download_uri(name, str(version))
    return uri


def _pages(search: Callable[..., Any]) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _version(client: Any, version: Any, aliases: dict[str, Any]) -> Facts:
    """One registered version; facts that can't be read are a reason instead."""
    number = str(version.version)
    record: Facts = {
        "name": version.name,
        "version": number,
        "source": version.source,
        "status": version.status,
        "stage": version.current_stage,
        "aliases": sorted(alias for alias, target in aliases.items() if str(target) == number),
        "tags": sorted(version.tags.items()),
        "description": version.description,
        "contents": None,
        "reason": None,
    }
    try:
        record["contents"] = _contents_at(client.get_model_version_download_uri(version.name, number))
    except Exception as error:  # noqa: BLE001 - one version that can't be read must not hide the others
        record["reason"] = f"{type(error).__name__}: {error}"
    return record
