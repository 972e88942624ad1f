"""The models of the demo: two that scikit-learn trains and one that cannot load, in an MLflow registry."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "main.iris.species"
LOGISTIC = "logistic"
FOREST = "forest"
BROKEN = "candidate"
VERSIONS = {LOGISTIC: "1", FOREST: "2", BROKEN: "3"}
"""Served entities and the versions that they serve."""

REASON = "the table of priors was not packaged with this model"

_BROKEN_CODE = f"""\
import mlflow


class Candidate(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        raise FileNotFoundError("{REASON}")

    def predict(self, context, model_input):
        return model_input


mlflow.models.set_model(Candidate())
"""

_HELD_OUT = 60


@dataclass(frozen=True, slots=True)
class Trained:
    """Flowers that no model was trained with, and what scikit-learn itself predicts for each."""

    columns: list[str]
    rows: list[list[float]]
    predictions: dict[str, list[str]]
    """By served entity, one for each row."""
    accuracy: dict[str, float]

    @property
    def disagreements(self) -> list[int]:
        """The rows for which the two models predict different species."""
        pairs = zip(self.predictions[LOGISTIC], self.predictions[FOREST], strict=True)
        return [number for number, (one, other) in enumerate(pairs) if one != other]

    def sample(self) -> list[int]:
        """Return six rows, those first for which the models disagree."""
        return list(dict.fromkeys([*self.disagreements, *range(len(self.rows))]))[:6]


def registry_uri(folder: Path) -> str:
    """Return the registry in a folder as MLflow is told of it."""
    return f"sqlite:///{folder / 'mlflow.db'}"


def train_and_register(folder: Path) -> Trained:
    """Train two classifiers and register three versions in a new registry; needs the ``mlflow`` extra."""
    with _quiet():
        learned = _Learned()
        log = _Registrar(folder)
        for entity in (LOGISTIC, FOREST):
            log.classifier(learned.models[entity], learned.training, learned.held_out)
        log.broken(folder / "candidate.py")
    return learned.trained()


class _Learned:
    """Two classifiers of irises, and the flowers that they were and weren't trained with."""

    def __init__(self) -> None:
        """Train; the same models every time."""
        from sklearn.datasets import load_iris  # noqa: PLC0415 - an extra, and slow to import
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - an extra
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
        from sklearn.model_selection import train_test_split  # noqa: PLC0415 - an extra

        iris = load_iris(as_frame=True)
        flowers = iris.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
        species = [str(iris.target_names[number]) for number in iris.target]
        self.training, self.held_out, names, self.truth = train_test_split(
            flowers, species, test_size=_HELD_OUT, random_state=0, stratify=species
        )
        # The forest is small, so that the two can be told apart by what they predict.
        forest = RandomForestClassifier(n_estimators=5, max_depth=2, random_state=0)
        self.models = {LOGISTIC: LogisticRegression(max_iter=1000), FOREST: forest}
        for model in self.models.values():
            model.fit(self.training, names)

    def trained(self) -> Trained:
        predictions = {name: model.predict(self.held_out).tolist() for name, model in self.models.items()}
        accuracy = {name: model.score(self.held_out, self.truth) for name, model in self.models.items()}
        return Trained(list(self.held_out.columns), self.held_out.to_numpy().tolist(), predictions, accuracy)


class _Registrar:
    """Logs models as their users do, each in a run of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the registry."""
        self._mlflow = importlib.import_module("mlflow")
        importlib.import_module("mlflow.sklearn")
        older = self._mlflow.__version__.startswith("2.")  # MLflow 3 has given the argument another name
        self._options = {"artifact_path" if older else "name": "model", "registered_model_name": MODEL}
        uri = registry_uri(folder)
        self._mlflow.set_tracking_uri(uri)
        self._mlflow.set_registry_uri(uri)
        with _unhurried_disk():
            experiment = self._mlflow.create_experiment("iris", (folder / "artifacts").as_uri())
        self._mlflow.set_experiment(experiment_id=experiment)

    def classifier(self, model: Any, training: Any, held_out: Any) -> None:
        """Register a scikit-learn model, with its signature and an input example."""
        signature = self._mlflow.models.infer_signature(training, model.predict(training))
        with self._mlflow.start_run():
            self._mlflow.sklearn.log_model(
                model,
                signature=signature,
                input_example=held_out.head(2),
                pip_requirements=["scikit-learn"],  # found out by trial otherwise, which takes a minute
                serialization_format="cloudpickle",  # the default of newer MLflow refuses forests
                **self._options,
            )

    def broken(self, path: Path) -> None:
        """Register a version that raises when it is loaded."""
        path.write_text(_BROKEN_CODE, encoding="utf-8")
        with self._mlflow.start_run():
            self._mlflow.pyfunc.log_model(python_model=str(path), pip_requirements=["scikit-learn"], **self._options)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what MLflow prints and warns of to itself."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _unhurried_disk() -> Iterator[None]:
    """Let SQLite leave writing to the system: MLflow's many migrations wait for the disk 7 s otherwise."""
    event = importlib.import_module("sqlalchemy.event")
    engine = importlib.import_module("sqlalchemy.engine").Engine

    def relax(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(engine, "connect", relax)
