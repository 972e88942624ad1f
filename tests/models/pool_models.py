"""Build the models and the registry that the worker pool's tests use: `python pool_models.py FOLDER`.

Run as a script, so that MLflow pickles the classes by value and the test process stays free of MLflow.
"""

import logging
import os
import re
import signal
import sys
import warnings
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

REQUIREMENTS = ["mlflow"]  # given, or MLflow spends seconds on inferring them
NEVER = 10**9


def spin(_=None):
    while True:
        pass


def spin_in_c(_):
    """Hold the interpreter's lock for ages: a regular expression that backtracks."""
    return re.match(r"(a+)+$", "a" * 64 + "b")


def wait_for(path):
    """Wait until somebody writes into a named pipe, and say that it's waiting in a second one."""
    Path(f"{path}.busy").write_text("busy\n", encoding="utf-8")
    return Path(path).read_text(encoding="utf-8")


def endless_line(_):
    while True:
        print("x" * 4096, end="")


def draws(_):
    import random

    import numpy as np

    return [random.random(), float(np.random.random())]


DEEDS = {
    "echo": lambda text: text,
    "environment": lambda name: os.environ.get(name),  # noqa: PLW0108 - a method would be pickled with its values
    "print": lambda text: print(text, end=""),
    "complain": lambda text: print(text, file=sys.stderr),
    "pid": lambda _: os.getpid(),
    "folder": lambda _: str(Path.cwd()),
    "spin": spin,
    "spin_in_c": spin_in_c,
    "endless_line": endless_line,
    "wait_for": wait_for,
    "exit": lambda status: os._exit(int(status)),
    "sysexit": lambda status: sys.exit(int(status)),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "child": lambda _: __import__("subprocess").Popen(["sleep", str(NEVER)]).pid,
    "draws": draws,
    "big": lambda size: "x" * int(size),
}


class Probe(mlflow.pyfunc.PythonModel):
    """Does what the first input says: `deed argument`."""

    def load_context(self, context):
        print("probe loaded")

    def predict(self, context, model_input, params=None):
        deed, _, argument = str(model_input[0]).partition(" ")
        return [DEEDS[deed](argument)]


class Refuses(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        print("about to refuse")
        raise RuntimeError("no weights here\nand more lines")

    def predict(self, context, model_input, params=None):
        return model_input


class Needs(Refuses):
    def load_context(self, context):
        import a_package_that_nobody_has  # noqa: F401 - the import is the point


class Leaves(Refuses):
    def load_context(self, context):
        os._exit(9)


class Hangs(Refuses):
    def load_context(self, context):
        spin()


def register(folder):
    """A registry in one SQLite file: three versions of one model, the first one the champion."""
    uri = f"sqlite:///{folder}/registry.db"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    client.create_registered_model("fraud")
    for name in ("probe", "refuses"):
        client.create_model_version("fraud", str(folder / name))
    client.create_model_version("fraud", str(folder / "removed"))
    client.set_registered_model_alias("fraud", "champion", "1")
    client.set_model_version_tag("fraud", "1", "team", "risk")
    client.update_model_version("fraud", "1", "the first one")
    client.transition_model_version_stage("fraud", "1", "Production")


def build(folder):
    models = {"probe": Probe, "refuses": Refuses, "needs": Needs, "leaves": Leaves, "hangs": Hangs}
    for name, model in models.items():
        mlflow.pyfunc.save_model(str(folder / name), python_model=model(), pip_requirements=REQUIREMENTS)
    mlflow.pyfunc.save_model(
        str(folder / "demanding"),
        python_model=Probe(),
        signature=ModelSignature(inputs=Schema([ColSpec("string")])),
        input_example=["echo hello"],
        pip_requirements=["mlflow", "numpy==1.0.0", "a-package-that-nobody-has>=2"],
    )
    register(folder)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    build(Path(sys.argv[1]))
