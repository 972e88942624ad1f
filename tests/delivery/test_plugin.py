"""The pytest plugin as a test author meets it."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_an_unused_plugin_imports_nothing(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            heavy = {"asyncio", "aiohttp", "pandas", "mlflow", "databricks", "numpy", "yaml", "click", "servesim.core"}
            assert not heavy & set(sys.modules)
        """
    )
    # Others' plugins may import what they like, and coverage starts in every process: neither is loaded here.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_servesim", str(pytester.path)]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_each_test_has_a_workspace_of_its_own(pytester: pytest.Pytester, guests):
    pytester.makepyfile(
        """
        import pytest

        def test_one(servesim):
            assert servesim.models.stub("m") == "1"
            assert servesim.models.stub("m") == "2"
            servesim.clock.advance("1d")

        def test_two(servesim):
            assert servesim.models.stub("m") == "1"
            assert servesim.clock.now() == "2026-01-05T09:00:00Z"

        @pytest.mark.servesim(clock="frozen", start="2030-01-01T00:00:00Z", seed=4)
        class TestMarked:
            def test_class_marker(self, servesim):
                assert (servesim.clock.mode, servesim.workspace.settings.seed) == ("frozen", 4)

            @pytest.mark.servesim(clock="paced")
            def test_the_nearest_marker_wins(self, servesim):
                assert (servesim.clock.mode, servesim.workspace.settings.seed) == ("paced", 4)
        """
    )
    guests("-W", "error").assert_outcomes(passed=4)


def test_options_set_the_defaults(pytester: pytest.Pytester, guests):
    pytester.makepyfile(
        """
        def test_defaults(servesim):
            settings = servesim.workspace.settings
            assert (settings.seed, settings.mode, settings.profile.name) == (7, "frozen", "instant")
        """
    )
    options = ("--servesim-seed=7", "--servesim-clock=frozen", "--servesim-profile=instant")
    guests(*options).assert_outcomes(passed=1)


def test_a_wrong_marker_is_an_error_that_names_it(pytester: pytest.Pytester, guests):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.servesim(speed=3)
        def test_unknown(servesim): ...

        @pytest.mark.servesim(clock="sundial")
        def test_wrong(servesim): ...
        """
    )
    result = guests()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*servesim knows no setting 'speed'; it knows *", "*clock must be one of *; got 'sundial'*"]
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_calls_that_are_not_simulated_are_summed_up(pytester: pytest.Pytester, guests, workers):
    pytester.makepyfile(
        """
        import urllib.error, urllib.request

        def test_calls_something_else(servesim):
            call = urllib.request.Request(
                servesim.host + "/api/2.1/jobs/list", headers={"Authorization": "Bearer " + servesim.token}
            )
            for _ in range(2):
                try:
                    urllib.request.urlopen(call)
                except urllib.error.HTTPError as error:
                    assert error.code == 501
                    error.close()
            assert servesim.not_simulated == {"GET /api/2.1/jobs/list": 2}
        """
    )
    result = guests("-p", "xdist.plugin", "-n", workers)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*calls that are not simulated*", "*2  GET /api/2.1/jobs/list"])


def test_workers_of_xdist_each_have_their_server(pytester: pytest.Pytester, guests):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_isolated(servesim, number):
            assert servesim.models.stub("m") == "1"
        """
    )
    guests("-p", "xdist.plugin", "-n", "2").assert_outcomes(passed=6)


@pytest.mark.parametrize("how", ["marker", "option", "variable"])
def test_an_answer_that_was_chosen_fails_a_strict_test_at_its_end(pytester, guests, monkeypatch, how):
    if how == "variable":
        monkeypatch.setenv("SERVESIM_STRICT_EVIDENCE", "1")
    pytester.makepyfile(
        f"""
        import urllib.request, urllib.error
        import pytest

        def get(servesim, path):
            request = urllib.request.Request(servesim.host + path)
            request.add_header("Authorization", "Bearer " + servesim.token)
            urllib.request.urlopen(request).close()

        @pytest.mark.servesim({"strict_evidence=True" if how == "marker" else ""})
        def test_known(servesim):
            get(servesim, "/api/2.0/serving-endpoints")

        @pytest.mark.servesim({"strict_evidence=True" if how == "marker" else ""})
        def test_chosen(servesim):
            with pytest.raises(urllib.error.HTTPError) as caught:
                get(servesim, "/api/2.0/nothing")
            caught.value.close()
        """
    )
    result = guests(*(["--servesim-strict-evidence"] if how == "option" else []))
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["rests on what servesim chose: GET /api/2.0/nothing -> 501 NOT_IMPLEMENTED"])
