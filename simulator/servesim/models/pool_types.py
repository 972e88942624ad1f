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


class ModelFacts(NamedTuple):
    """What a model folder says about itself, without its code having run."""

    path: str
    digest: str
    inputs: str | None
    outputs: str | None
    params: str | None
    input_example: str | None
    requirements: tuple[str, ...]
    python_version: str | None
    mlflow_version: str | None
    model_uuid: str | None


class RegistryVersion(NamedTuple):
    """One version in an MLflow registry; `reason` says why there are no `facts`."""

    name: str
    version: str
    source: str
    status: str
    aliases: tuple[str, ...]
    facts: ModelFacts | None
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


def model_facts(fields: dict[str, Any]) -> ModelFacts:
    """What a worker tells about a folder."""
    return ModelFacts(**{**fields, "requirements": tuple(fields["requirements"])})


def registry_version(fields: dict[str, Any]) -> RegistryVersion:
    """What a worker tells about a registered version."""
    facts = fields["facts"]
    return RegistryVersion(
        **{
            **fields,
            "aliases": tuple(fields["aliases"]),
            "facts": None if facts is None else model_facts(facts),
        },
    )
