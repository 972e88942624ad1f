"""What a model says about itself: its signature and its input example, read from its files without running it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlparse

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from servesim.payloads.encode import Payload
from servesim.payloads.example import FORMATS, as_request
from servesim.payloads.signature import SCALARS, Signature, Unsupported
from servesim.strategies.payloads import formats_of, payloads
from servesim.strategies.signatures import signature_of

_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a file of a model: more than a scoring request may have."""


class Described(NamedTuple):
    """What is known of a model: a signature that payloads can be made for, a request that it accepts."""

    signature: Signature | None
    example: Payload | None
    reason: str = ""
    """Why there is no signature."""


def examples_of(model: Any) -> SearchStrategy[Payload]:
    """Return requests that a model accepts: its own input example, and payloads for its signature.

    A model is the folder of an MLflow model (a path or a `file:` URI; none of its code runs), a model of a scenario
    (`{"stub": "echo", "signature": …, "example": …}`), an object with `signature` and `example` as the workspace's
    registry holds them, or whatever `signature_of` takes. Shrinks towards the example. Raises ValueError if neither
    is there, FileNotFoundError for a folder that is no model.
    """
    known = described(model)
    found: list[SearchStrategy[Payload]] = [] if known.example is None else [st.just(known.example)]
    if known.signature is not None and formats_of(known.signature):
        found.append(payloads(known.signature))
    if not found:
        why = f" ({known.reason})" if known.reason else ""
        raise ValueError(
            f"neither an input example nor inputs of a signature that payloads can be made for{why}: log the model "
            "with input_example=..., or give a signature"
        )
    return st.one_of(found)


def described(model: Any) -> Described:
    """Return what a model says about itself; raises as `examples_of`."""
    if isinstance(model, Path) or (isinstance(model, str) and model.lstrip()[:1] not in ("{", "[")):
        return _of_folder(_folder(str(model)))
    if isinstance(model, Mapping) and _declares(model):
        return _of(model.get("signature"), model.get("example"))
    if hasattr(model, "signature") and hasattr(model, "example"):
        example = model.example
        return _of(model.signature, json.loads(example) if isinstance(example, str) else example)
    return _of(model, None)


def _declares(model: Mapping[str, Any]) -> bool:
    """Return whether this declares a model, rather than columns that happen to have such names."""
    return bool(model.keys() & {"signature", "example"}) and any(kind not in SCALARS for kind in model.values())


def _of(signature: Any, example: Any) -> Described:
    request = None if example is None else _request(as_request(json.dumps(example)))
    if signature is None:
        return Described(None, request, "it has no signature")
    try:
        return Described(signature_of(signature), request)
    except Unsupported as unsupported:
        return Described(None, request, f"its signature has {unsupported}")


def _request(document: Any) -> Payload:
    kind = next((key for key in document if key in FORMATS), "unified")
    return Payload.of(document, kind)


# --- folders of MLflow models ---------------------------------------------------------------------


def _folder(path: str) -> Path:
    parts = urlparse(path)
    if parts.scheme not in ("", "file"):
        raise ValueError(
            f"{path} is not on this machine: fetch it first, e.g. with mlflow.artifacts.download_artifacts, and give "
            "its folder"
        )
    folder = Path(unquote(parts.path) if parts.scheme else path)
    if not (folder / "MLmodel").is_file():
        raise FileNotFoundError(f"{folder} is no MLflow model: it has no file MLmodel")
    return folder


def _of_folder(folder: Path) -> Described:
    document = yaml.safe_load(_read(folder, "MLmodel"))
    if not isinstance(document, dict):
        raise ValueError(f"{folder / 'MLmodel'} is not what MLflow writes: it holds no object")  # noqa: TRY004 - a file's content
    example = _example(folder, document.get("saved_input_example_info"))
    known = _of(document.get("signature"), None)
    return known._replace(example=None if example is None else _request(example))


def _example(folder: Path, about: Any) -> Any:
    """Return the example as a request: the one that MLflow stored, else made of the example itself."""
    if not isinstance(about, dict):
        return None
    stored = about.get("serving_input_path")
    if stored is not None and (folder / str(stored)).is_file():
        return json.loads(_read(folder, str(stored)))
    if about.get("artifact_path") is None:
        return None
    data, params = json.loads(_read(folder, str(about["artifact_path"]))), None
    if about.get("params") in ("true", True):
        data, params = data["inputs"], data["params"]
    orient = about.get("pandas_orient")
    kind = "inputs" if about.get("type") != "dataframe" else f"dataframe_{orient or 'split'}"
    return {kind: data} if params is None else {kind: data, "params": params}


def _read(folder: Path, name: str) -> str:
    """Return the text of a model's file; a name that leads out of the folder is refused."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{folder / 'MLmodel'} names {name}, which lies outside of the model's folder")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is larger than {_MOST_BYTES:,} bytes: give the model's signature instead")
    return path.read_text(encoding="utf-8")
