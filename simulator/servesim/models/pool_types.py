"""What the worker pool is asked and what comes out: values, no behaviour."""

from __future__ import annotations

from typing import Any, NamedTuple

from servesim.models.answer import Answer


class WorkerKey(NamedTuple):
    """What decides whether two entities can share a worker.

    `source` is a local folder or a `models:/` URI, which needs `registry_uri`; `digest` names the artifact's
    content; `python` is another interpreter than the pool's.
    """

    source: str
    registry_uri: str | None = None
    digest: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    python: str | None = None


class Loaded(NamedTuple):
    """A model in memory: its schemas and example as the JSON texts that MLflow stored."""

    inputs: str | None
    outputs: str | None
    params: str | None
    input_example: str | None
    mlflow_version: str | None
    build_log: tuple[str, ...]


class LoadFailed(NamedTuple):
    """No model in memory: the real reason in one line, and the traceback or output behind it."""

    reason: str
    log: str = ""


class WorkerDied(NamedTuple):
    """The worker ended instead of answering, or had ended since its last answer."""

    reason: str


class TimedOut(NamedTuple):
    """The worker was ended because it took longer than the cap, in real seconds."""

    cap_s: float


class QueueFull(NamedTuple):
    """The request was not taken: this many already wait for the same worker."""

    waiting: int


class FolderContents(NamedTuple):
    """The files of a model folder that say what it is, unread: see `service/model_folder.py`."""

    path: str
    digest: str
    texts: dict[str, str]
    """By name; one that the folder doesn't hold is left out."""
    wheels: tuple[str, ...]
    """Libraries that were packed into the model, as a line of `requirements.txt` names them."""
    environment_bytes: int | None
    """The size of the environment that was packed beside the model; None if none was."""


class RegistryVersion(NamedTuple):
    """One version in an MLflow registry; `reason` says why there are no `contents`."""

    name: str
    version: str
    source: str
    status: str
    stage: str | None
    aliases: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    description: str | None
    contents: FolderContents | None
    reason: str | None


class ReadFailed(NamedTuple):
    """A folder or registry that can't be read; `code` is MLflow's error code or the exception's name."""

    reason: str
    code: str = ""
    log: str = ""


Outcome = Answer | LoadFailed | WorkerDied | TimedOut | QueueFull


def loaded(fields: dict[str, Any], versions: dict[str, Any]) -> Loaded:
    """What a worker tells about the model that it has loaded; `versions` is the nursery's greeting."""
    header = f"Python {versions['python']}, MLflow {versions['mlflow']}"
    return Loaded(
        inputs=fields["inputs"],
        outputs=fields["outputs"],
        params=fields["params"],
        input_example=fields["input_example"],
        mlflow_version=fields["mlflow_version"],
        build_log=(header, *fields["differences"]),
    )


def folder_contents(fields: dict[str, Any]) -> FolderContents:
    """What `worker_facts.contents` tells about a folder."""
    return FolderContents(**{**fields, "wheels": tuple(fields["wheels"])})


def registry_version(fields: dict[str, Any]) -> RegistryVersion:
    """What a worker tells about a registered version."""
    found = fields["contents"]
    return RegistryVersion(
        **{
            **fields,
            "aliases": tuple(fields["aliases"]),
            "tags": tuple((key, value) for key, value in fields["tags"]),
            "contents": None if found is None else folder_contents(found),
        },
    )
