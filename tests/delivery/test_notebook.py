"""The variables of clients, and those that they find in a serverless notebook."""

import os
import subprocess
import sys

import pytest

import servesim as product

NOTEBOOK = {
    "DATABRICKS_RUNTIME_VERSION": "client.4.0",
    "DATABRICKS_ENV_VERSION": "4",
    "MLFLOW_REGISTRY_URI": "databricks-uc",
}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "MLFLOW_", "PIP_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def requirements(tmp_path):
    """Install a requirements file as MLflow does; return the code and what pip said."""

    def install(*lines):
        file = tmp_path / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "-r", str(file)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return run.returncode, run.stdout + run.stderr

    return install


def test_without_a_notebook_they_point_here_and_nothing_else(servesim):
    here = {"DATABRICKS_HOST": servesim.host, "DATABRICKS_TOKEN": servesim.token, "NO_PROXY": "127.0.0.1,localhost"}
    assert servesim.env == here
    assert servesim.env() == here


@pytest.mark.parametrize("version", [4, "4"], ids=["number", "text"])
def test_a_notebook_has_the_version_of_its_environment(servesim, version):
    assert servesim.env(serverless_environment=version) == {**servesim.env, **NOTEBOOK}


def test_a_notebook_with_a_gpu_has_one_in_its_name(servesim):
    found = servesim.env("4-gpu")
    assert found["DATABRICKS_RUNTIME_VERSION"] == "client.4.0-gpu"
    assert found["DATABRICKS_ACCELERATOR"]


def test_a_registry_that_is_named_already_stays(servesim, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks")
    assert "MLFLOW_REGISTRY_URI" not in servesim.env(4)
    assert "MLFLOW_REGISTRY_URI" not in servesim.env()


def test_a_notebook_has_an_architecture(servesim):
    assert servesim.env(cpu_arch="arm64") == {**servesim.env, "DATABRICKS_CPU_ARCH": "arm64"}


@pytest.mark.parametrize("version", [0, -1, True, 4.5, "client.4", "", "4-GPU", "1000"])
def test_what_is_no_version_is_refused(servesim, version):
    with pytest.raises(ValueError, match="serverless_environment is"):
        servesim.env(serverless_environment=version)


def test_what_is_no_architecture_is_refused(servesim):
    with pytest.raises(ValueError, match="cpu_arch is 'm68k'; it must be one of"):
        servesim.env(cpu_arch="m68k")


# --- set for a while ------------------------------------------------------------------------------


def test_with_sets_them_and_puts_everything_back(servesim, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "stray")
    monkeypatch.setenv("PIP_INDEX_URL", "https://elsewhere")
    before = dict(os.environ)
    with servesim.env(serverless_environment=4) as given:
        assert os.environ["DATABRICKS_HOST"] == servesim.host
        hidden = {name for name in os.environ if name.startswith("DATABRICKS_")} - given.keys()
        assert not hidden
        assert os.environ["PIP_INDEX_URL"] == "https://elsewhere"
        with servesim.env:
            assert "DATABRICKS_RUNTIME_VERSION" not in os.environ
        assert NOTEBOOK.items() <= os.environ.items()
    assert dict(os.environ) == before


def test_the_same_one_can_be_entered_twice(servesim):
    before, notebook = dict(os.environ), servesim.env(4)
    with notebook:
        inside = dict(os.environ)
        with notebook:
            assert dict(os.environ) == inside
        assert dict(os.environ) == inside
    assert dict(os.environ) == before


def test_an_error_puts_everything_back_too(servesim):
    before = dict(os.environ)
    with pytest.raises(KeyError), servesim.env(4):
        raise KeyError
    assert dict(os.environ) == before


def test_outside_of_pytest_it_is_the_same():
    with product.run(internet=False) as sim, sim.env(serverless_environment=3):
        assert os.environ["DATABRICKS_HOST"] == sim.host
        assert os.environ["DATABRICKS_ENV_VERSION"] == "3"
        assert os.environ["PIP_NO_INDEX"] == "1"
        assert sim.aio.env(serverless_environment=3) == sim.env(serverless_environment=3)
    assert "DATABRICKS_HOST" not in os.environ


# --- the fixture ----------------------------------------------------------------------------------


def test_the_fixture_sets_them_until_the_test_ends(pytester, guests, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "my own")
    monkeypatch.setenv("DATABRICKS_ACCELERATOR", "stray")
    pytester.makepyfile(
        """
        import os

        import pytest

        def look():
            ours = ("DATABRICKS_", "MLFLOW_", "PIP_")
            return {name: value for name, value in os.environ.items() if name.startswith(ours)}

        OWN = look()

        def test_it_is_set(servesim, servesim_env, monkeypatch):
            assert look() == OWN
            given = servesim_env(serverless_environment=4, cpu_arch="x86_64")
            assert look() == {name: value for name, value in given.items() if name != "NO_PROXY"}
            assert os.environ["DATABRICKS_TOKEN"] == servesim.token
            assert os.environ["DATABRICKS_ENV_VERSION"] == "4"
            monkeypatch.setenv("DATABRICKS_TOKEN", "of the test")

        def test_it_is_undone(servesim):
            assert look() == OWN

        def test_another_version_takes_the_place_of_the_first(servesim_env):
            servesim_env(serverless_environment="4-gpu")
            servesim_env(serverless_environment=3)
            assert "DATABRICKS_ACCELERATOR" not in os.environ
            assert os.environ["DATABRICKS_RUNTIME_VERSION"] == "client.3.0"
            servesim_env()
            assert "DATABRICKS_RUNTIME_VERSION" not in os.environ

        def test_it_is_undone_again():
            assert look() == OWN

        @pytest.mark.servesim(internet=False)
        def test_no_internet(servesim_env):
            servesim_env(serverless_environment=4)
            assert os.environ["PIP_NO_INDEX"] == "1"

        def test_internet_again():
            assert look() == OWN
        """
    )
    guests("-W", "error").assert_outcomes(passed=6)


# --- what pip can install -------------------------------------------------------------------------


@pytest.mark.servesim(internet=False)
def test_without_internet_pip_finds_nothing(servesim, requirements, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with servesim.env(serverless_environment=4):
        code, said = requirements("aiohttp")  # installed here, which says nothing about a notebook
        assert "PIP_FIND_LINKS" not in os.environ
    assert code == 1
    assert "No matching distribution found for aiohttp" in said


@pytest.mark.servesim(private_libraries=["acme-risk", "aioh*"])
@pytest.mark.parametrize(
    "name", ["acme-risk==1.0", "Acme_Risk", "aiohttp"], ids=["pinned", "written otherwise", "pattern"]
)
def test_private_libraries_cannot_be_installed(servesim, requirements, monkeypatch, name):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # this test asks nobody
    with servesim.env(serverless_environment=4):
        assert requirements("PyYAML")[0] == 0
        code, said = requirements("PyYAML", name)
    assert code == 1
    assert "/a-private-library-that-this-workspace-cannot-install/" in said
    assert "index" not in said.lower()


@pytest.mark.servesim(private_libraries=["acme-risk"])
def test_the_constraints_of_the_machine_go_on_to_count(servesim, monkeypatch):
    monkeypatch.setenv("PIP_CONSTRAINT", "mine.txt")
    first, second = servesim.env(4)["PIP_CONSTRAINT"].split()
    assert first == "mine.txt"
    assert os.path.exists(second)  # noqa: PTH110 - as it stands in the variable
    monkeypatch.delenv("PIP_CONSTRAINT")
    assert servesim.env(4)["PIP_CONSTRAINT"] == second


def test_with_internet_and_without_private_libraries_pip_is_left_alone(servesim):
    assert not [name for name in servesim.env(4) if name.startswith("PIP_")]
