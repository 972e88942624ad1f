"""What an MLflow model folder says about itself, read without MLflow."""

from __future__ import annotations

import json
import os
import shutil
import sys
from itertools import pairwise

import pytest

from servesim.core.registry import ModelVersion, Packed
from servesim.models import worker_facts
from servesim.service import bounded_yaml, model_folder
from servesim.service.model_folder import UnreadableModel, read_model

COLUMNS = '[{"type": "double", "name": "amount", "required": true}]'
PARAMS = '[{"name": "limit", "default": 5, "shape": null, "type": "long"}]'

MLMODEL_3 = f"""\
artifact_path: mlruns/0/models/m-1/artifacts
databricks_runtime: client.4.9
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
  sklearn:
    serialization_format: skops
is_signature_from_type_hint: false
mlflow_version: 3.17.2
model_id: m-1
saved_input_example_info:
  serving_input_path: serving_input_example.json
signature:
  inputs: '{COLUMNS}'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "float64", "shape": [-1]}}}}]'
  params: '{PARAMS}'
utc_time_created: '2026-11-22 16:35:07.564201'
"""
MLMODEL_2 = """\
flavors:
  python_function:
    env: conda.yaml
    loader_module: mlflow.sklearn
mlflow_version: 2.0.1
model_uuid: 5d1fa7e0b9a94d7a
utc_time_created: 2022-11-15 10:00:00.000001
"""
CONDA = """\
channels:
- conda-forge
dependencies:
- python=3.11.7
- pip<=26.3
- pip:
  - mlflow==3.17.2
  - scikit-learn==1.9.1
  - Acme_Features[fast]==1.0 ; python_version > "3"
name: mlflow-env
"""
REQUIREMENTS = "mlflow==3.17.2\nscikit-learn==1.9.1  # trained with it\n"
PYTHON_ENV = "python: 3.11.7\nbuild_dependencies:\n- pip==26.3\ndependencies:\n- -r requirements.txt\n"


@pytest.fixture
def folder(tmp_path):
    """Make a model folder of some texts; a text of None takes the file away."""

    def make(**texts):
        files = {
            "MLmodel": MLMODEL_3,
            "conda.yaml": CONDA,
            "requirements.txt": REQUIREMENTS,
            "python_env.yaml": PYTHON_ENV,
            "serving_input_example.json": '{"dataframe_split": {"columns": ["amount"], "data": [[1.0]]}}',
        }
        names = {"mlmodel": "MLmodel", "conda": "conda.yaml", "requirements": "requirements.txt"}
        files |= {names[name]: text for name, text in texts.items()}
        for name, text in files.items():
            if text is not None:
                (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def conda_of(*lines):
    return "dependencies:\n- pip:\n" + "".join(f"  - {json.dumps(line)}\n" for line in lines)


# --- what is read -----------------------------------------------------------------------------------


def test_a_folder_as_mlflow_3_writes_it(folder):
    facts = read_model(folder())
    assert (facts.inputs, facts.params) == (COLUMNS, PARAMS), "the texts as they stand there"
    assert facts.flavors == ("python_function", "sklearn")
    assert facts.mlflow_version == "3.17.2"
    assert facts.requirements == ("acme-features", "mlflow", "scikit-learn")
    assert facts.unsupported == ""
    assert facts.packed is None
    assert facts.example is not None
    assert facts.digest == worker_facts.digest(folder())

    version = facts.of(ModelVersion("m", "1", "mlflow", facts.path))
    assert json.loads(version.signature or "") == {"inputs": COLUMNS, "params": PARAMS, "outputs": facts.outputs}
    assert version.requirements == facts.requirements
    assert version.digest == facts.digest


def test_a_folder_as_mlflow_2_writes_it(folder):
    facts = read_model(folder(mlmodel=MLMODEL_2, requirements=None))
    assert (facts.inputs, facts.params, facts.outputs) == (None, None, None)
    assert facts.mlflow_version == "2.0.1"
    assert facts.unsupported == ""
    assert facts.of(ModelVersion("m", "1", "mlflow", "x")).signature is None


def test_a_packed_environment_is_seen_with_its_size(folder):
    where = folder()
    (where / "_databricks").mkdir()
    (where / "_databricks" / "model_environment.tar").write_bytes(b"x" * 12_345)
    assert read_model(where).packed == Packed("client.4.9", "3.17.2", 12_345)


def test_nothing_of_the_folder_runs_and_mlflow_is_not_imported(folder):
    where = folder()
    (where / "code").mkdir()
    (where / "code" / "sitecustomize.py").write_text("raise SystemExit", encoding="utf-8")
    before = set(sys.modules)
    read_model(where)
    assert not {name for name in set(sys.modules) - before if name.startswith("mlflow")}


@pytest.mark.mlflow
def test_it_reads_what_the_installed_mlflow_writes(shared, tmp_path_factory):
    script = """
import sys, numpy, mlflow
from mlflow.models import infer_signature
class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2
zeros = numpy.zeros((1, 2))
mlflow.pyfunc.save_model(sys.argv[1], python_model=Twice(), signature=infer_signature(zeros, zeros, {"k": 1}),
                         input_example=zeros, pip_requirements=["mlflow", "numpy==1.26.4"])
print(mlflow.models.Model.load(sys.argv[1]).signature.to_dict())
"""

    def build():
        import subprocess

        made = tmp_path_factory.mktemp("written") / "model"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        command = [sys.executable, "-W", "ignore", "-c", script, str(made)]
        built = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=made.parent)
        assert built.returncode == 0, built.stderr
        return made, built.stdout

    where, told = shared("written_model", build)
    facts = read_model(where)
    assert repr({"inputs": facts.inputs, "outputs": facts.outputs, "params": facts.params}) in told
    assert facts.requirements == ("mlflow", "numpy")
    assert facts.unsupported == ""
    assert json.loads(facts.example or "") == {"inputs": [[0.0, 0.0]]}


@pytest.mark.parametrize(
    ("lines", "mlflow"),
    [
        (["mlflow==1.28.0"], "1.28.0"),
        (["MLFlow[databricks]==1.28.0 ; python_version > '3'", "scikit-learn"], "1.28.0"),
        (["mlflow-skinny<2"], "1.30"),
        (["mlflow"], "3.17.2"),
        (["scikit-learn==1.9.1"], "3.17.2"),
        (["mlflow @ https://example.com/mlflow.whl"], "3.17.2"),
    ],
)
def test_the_mlflow_of_its_environment_is_the_one_that_this_asks_for(folder, lines, mlflow):
    facts = read_model(folder(conda=conda_of(*lines)))
    assert facts.mlflow == mlflow
    assert facts.of(ModelVersion("m", "1", "mlflow", facts.path)).mlflow == mlflow
    where = folder(conda=None, requirements="\n".join(lines))
    (where / "conda.yaml").unlink(missing_ok=True)
    assert read_model(where).mlflow == mlflow


def test_nothing_says_which_mlflow_it_has(folder):
    assert read_model(folder(mlmodel="flavors: {python_function: {}}", conda=conda_of("mlflow"))).mlflow == ""


# --- what no container can be built of --------------------------------------------------------------

RECORDED = "Environment file conda.yaml does not specify mlflow as a dependency."


@pytest.mark.parametrize(
    ("lines", "unsupported"),
    [
        (["mlflow==3.1"], ""),
        (["mlflow-skinny>=2,<4"], ""),
        (["MLFlow[databricks]"], ""),
        (["mlflow @ https://example.com/mlflow.whl"], ""),
        (["git+https://example.com/mlflow.git@v3#egg=mlflow"], ""),
        (["-r requirements.txt"], ""),
        (["scikit-learn"], RECORDED),
        (["mlflow-tracing", "not-mlflow", "https://example.com/mlflow"], RECORDED),
        (["# mlflow"], RECORDED),
        ([], RECORDED),
    ],
)
def test_conda_yaml_must_name_mlflow(folder, lines, unsupported):
    assert read_model(folder(conda=conda_of(*lines))).unsupported == unsupported


@pytest.mark.parametrize("text", ["", "[]", "dependencies: 5", "dependencies:\n- pip: mlflow", "- mlflow"])
def test_a_conda_yaml_without_a_list_of_libraries_names_none(folder, text):
    assert read_model(folder(conda=text)).unsupported == RECORDED


def test_mlflow_as_a_package_of_conda_counts(folder):
    facts = read_model(folder(conda="dependencies: [python=3.11, 'conda-forge::mlflow=3.1', pip, 'numpy>=2']"))
    assert facts.unsupported == ""
    assert facts.requirements == ("mlflow", "numpy")


def test_requirements_alone_will_do_and_must_name_mlflow_too(folder):
    assert read_model(folder(conda=None)).unsupported == ""
    facts = read_model(folder(conda=None, requirements="--index-url https://example.com\nnumpy\n"))
    assert facts.unsupported == "Environment file requirements.txt does not specify mlflow as a dependency."
    assert facts.requirements == ("numpy",)


def test_a_model_without_dependencies_or_without_the_flavour(folder):
    # Each folder is made where the last one was.
    no_flavour = read_model(folder(mlmodel="flavors: {spark: {}, mleap: {}}"))
    assert no_flavour.unsupported == "The model has no python_function flavor; it has spark, mleap."
    where = folder()
    for name in ("conda.yaml", "requirements.txt"):
        (where / name).unlink()
    neither = "The model declares its dependencies neither in conda.yaml nor in requirements.txt."
    assert read_model(where).unsupported == neither


def test_a_conda_yaml_that_is_no_yaml(folder):
    facts = read_model(folder(conda="dependencies: [mlflow"))
    assert facts.unsupported.startswith("Environment file conda.yaml cannot be read: ")


def test_wheels_in_the_model_need_not_be_installed(folder):
    # As mlflow.models.utils.add_libraries_to_model leaves a model.
    wheels = ["wheels/mlflow-3.17.2-py3-none-any.whl", "wheels/acme_features-1.0-py3-none-any.whl"]
    where = folder(conda=conda_of(*wheels), requirements="\n".join(wheels))
    (where / "wheels").mkdir()
    for wheel in wheels:
        (where / wheel).write_bytes(b"")
    facts = read_model(where)
    assert facts.requirements == ()
    assert facts.unsupported == ""

    (where / wheels[1]).unlink()
    facts = read_model(where)
    assert facts.unsupported == f"Environment file conda.yaml names {wheels[1]}, which is not in the model."
    assert facts.requirements == ("acme-features",)


# --- what is no model -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its MLmodel names no flavors"),
        ("[]", "its MLmodel names no flavors"),
        ("flavors: [python_function]", "its MLmodel names no flavors"),
        ("flavors: {", "MLmodel cannot be read: "),
        ("flavors: !!python/object/apply:os.system [id]", "MLmodel cannot be read: "),
        ("a: \x00", "MLmodel cannot be read: "),
        ("flavors: {python_function: {}}\nsignature: {inputs: '{'}", "the signature in its MLmodel is none: "),
        ("flavors: {python_function: {}}\nsignature: {inputs: '[{}]'}", "the signature in its MLmodel is none: "),
        ("flavors: {python_function: {}}\nsignature: {params: '[5]'}", "the signature in its MLmodel is none: "),
        ("flavors: {}\nsignature: {inputs: '" + "[" * 100_000 + "'}", "the signature in its MLmodel is none: "),
        ("a: " + "1" + ":1" * 1_000, "MLmodel holds a number of more than 1,000 characters"),
        ("flavors: {}\nmlflow_version: 0x" + "f" * 5_000, "MLmodel holds a number of more than 1,000 characters"),
        ("a: &a [*a]", "MLmodel nests deeper than 50 levels"),
        ("[" * 100_000, "MLmodel nests deeper than 50 levels"),
        ("- x\n" * 60_000, "MLmodel holds more than 50,000 values"),
        ("x" * 1_100_000, "MLmodel is larger than 1,048,576 bytes"),
    ],
    ids=range(16),
)
def test_a_text_that_is_no_mlmodel(folder, text, why):
    with pytest.raises(UnreadableModel, match=why):
        read_model(folder(mlmodel=text))


def test_aliases_of_aliases_are_counted_before_they_are_merged():
    letters = "abcdefghi"
    laughs = "a: &a {k: v}\n" + "".join(
        f"{inner}: &{inner} {{<<: [{', '.join([f'*{outer}'] * 9)}]}}\n" for outer, inner in pairwise(letters)
    )
    with pytest.raises(bounded_yaml.Unbounded, match="holds more than 50,000 values"):
        bounded_yaml.read(laughs)


def test_aliases_that_mlflow_writes_for_what_stands_twice_are_read():
    assert bounded_yaml.read("a: &id001 [1]\nb: *id001\n") == {"a": [1], "b": [1]}


def test_a_folder_without_mlmodel_and_no_folder(tmp_path):
    with pytest.raises(UnreadableModel, match='there is no file "MLmodel" in it'):
        read_model(tmp_path)
    with pytest.raises(UnreadableModel, match="there is no model folder at"):
        read_model(tmp_path / "missing")


def test_text_that_is_not_utf_8(folder):
    where = folder()
    (where / "requirements.txt").write_bytes(b"\xff")
    with pytest.raises(UnreadableModel, match=r"requirements\.txt is not UTF-8 text"):
        read_model(where)


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000], ids=["brace", "nothing", "deep"])
def test_an_example_that_is_no_json_is_left_out(folder, text):
    where = folder()
    (where / "serving_input_example.json").write_text(text, encoding="utf-8")
    assert read_model(where, "known").example is None


def test_values_of_any_type_are_read(folder):
    facts = read_model(folder(mlmodel="flavors: {1: 2}\nmlflow_version: {2001-01-01: !!set {a}, b: .nan}"), "known")
    assert facts.flavors == ("1",)


def test_a_file_that_is_named_over_and_over_is_read_once(folder, monkeypatch):
    where = folder()
    lines = ["-r requirements.txt"] * 1_000
    (where / "conda.yaml").write_text(f"dependencies: [{{pip: [{', '.join(lines)}]}}]", encoding="utf-8")
    (where / "requirements.txt").write_text("mlflow\n", encoding="utf-8")
    taken = []
    take = model_folder._Declared._take
    monkeypatch.setattr(model_folder._Declared, "_take", lambda *args: (taken.append(args[1]), take(*args)))
    assert (read_model(where, "known").requirements, taken) == (("mlflow",), ["mlflow"])


def test_a_long_example_is_left_out_and_a_pipe_is_no_file(folder):
    where = folder()
    (where / "serving_input_example.json").write_text("[" + "1," * 600_000 + "1]", encoding="utf-8")
    assert read_model(where, "known").example is None
    (where / "MLmodel").unlink()
    os.mkfifo(where / "MLmodel")
    with pytest.raises(UnreadableModel, match="there is no file"):
        read_model(where, "known")


def test_the_digest_is_the_contents(folder, tmp_path_factory):
    where = folder()
    original = read_model(where).digest
    same, changed, renamed = (tmp_path_factory.mktemp("copy") / "model" for _ in range(3))
    for copy in (same, changed, renamed):
        shutil.copytree(where, copy)
    (same / "__pycache__").mkdir()
    (same / "__pycache__" / "x.pyc").write_bytes(b"x")
    (changed / "requirements.txt").write_text(REQUIREMENTS + "\n", encoding="utf-8")
    (renamed / "python_env.yaml").rename(renamed / "python_env2.yaml")
    assert read_model(same).digest == original
    assert len({original, read_model(changed).digest, read_model(renamed).digest}) == 3
