"""How a version gets registered: what its source means, and what becomes of it when things go wrong meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from servesim.core.access import ADMINS, Member, Principal
from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    SetAlias,
    TransitionStage,
    UpdateRegisteredModel,
)
from servesim.core.registry import ModelVersion, Stage, Status
from servesim.models import worker_facts
from servesim.models.host import ModelHost
from servesim.service import registering
from servesim.service.hub import Hub, WorkspaceSettings

ALICE = Principal("alice@example.com", "Alice")
BOB = Principal("bob@example.com", "Bob")
LOGGED = "m-614d1ac061124874b81e8e7a01fca7f6"


@pytest.fixture
def folder(tmp_path):
    """Make a model folder below the root, which is ``tmp_path / "root"``."""

    def make(name="model", *, packed=False, mlmodel="flavors: {python_function: {}}\nmlflow_version: 3.17.2\n"):
        where = tmp_path / "root" / name
        where.mkdir(parents=True)
        (where / "MLmodel").write_text(mlmodel + "databricks_runtime: client.4.9\n", encoding="utf-8")
        (where / "conda.yaml").write_text("dependencies: [{pip: [mlflow]}]", encoding="utf-8")
        if packed:
            (where / "_databricks").mkdir()
            (where / "_databricks" / "model_environment.tar").write_bytes(b"x")
        return where

    (tmp_path / "root").mkdir()
    return make


@asynccontextmanager
async def workspace_of(tmp_path, quota=10**9, **settings):
    """A workspace with Alice in it, whose model `fraud` is hers, and Bob."""
    hub = Hub(ModelHost(), quota)
    members = {"a": Member(ALICE, (ADMINS,)), "b": Member(BOB)}
    workspace = hub.open(WorkspaceSettings(**{"model_roots": (str(tmp_path / "root"),), **settings}), members)
    workspace.clock.execute(CreateRegisteredModel("fraud", ALICE))
    try:
        yield workspace
    finally:
        await hub.close()


def within(tmp_path, act, **settings):
    """Do ``act(workspace)`` in a new workspace."""

    async def body():
        async with workspace_of(tmp_path, **settings) as workspace:
            return await act(workspace)

    return asyncio.run(body())


def register(workspace, source, name="fraud", principal=ALICE):
    return registering.create(workspace, CreateModelVersion(name, principal, str(source)))


def refused(tmp_path, source, principal=ALICE, **settings):
    """The refusal of a source; nothing has changed by it."""

    async def act(workspace):
        before = workspace.world.registry.revision
        with pytest.raises(Rejected) as refusal:
            await register(workspace, source, principal=principal)
        assert workspace.world.registry.revision == before
        assert not workspace.world.registry.models["fraud"].versions
        assert workspace.store.disk.used == 0
        return refusal.value

    return within(tmp_path, act, **settings)


def test_a_registration_that_fails_after_another_has_finished_it_takes_no_files(folder, tmp_path):
    where = folder()

    async def act(workspace):
        version = await register(workspace, where)
        late = registering._Registration(workspace, workspace.world.registry.model("fraud"), version)
        assert late.fail("the disk is full").status is Status.READY
        assert (Path(version.model.source) / "MLmodel").exists()
        assert list(workspace.artifacts.files(late._key)) == ["MLmodel", "conda.yaml"]

    within(tmp_path, act)


# --- folders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    ["{root}/model", "{root}/model/", "file://{root}/model", "file:{root}/model", "model", "./other/../model", "link"],
)
def test_a_folder_below_the_root_is_taken_in(folder, tmp_path, written):
    where = folder()
    (tmp_path / "root" / "link").symlink_to(where)

    async def act(workspace):
        version = await register(workspace, written.format(root=tmp_path / "root"))
        assert (version.number, version.status, version.status_message) == ("1", Status.READY, "")
        model = version.model
        assert model is not None
        assert model.digest == worker_facts.digest(where)
        assert model.requirements == ("mlflow",)
        assert Path(model.source) != where, "a copy, so that what is registered does not change any more"
        assert worker_facts.digest(Path(model.source)) == model.digest
        assert version.source == written.format(root=tmp_path / "root"), "as the client gave it"

    within(tmp_path, act)


def test_what_is_registered_outlives_its_source_and_is_not_changed_with_it(folder, tmp_path):
    where = folder()

    async def act(workspace):
        version = await register(workspace, where)
        (where / "MLmodel").write_text("changed", encoding="utf-8")
        return (Path(version.model.source) / "MLmodel").read_text(encoding="utf-8")

    assert within(tmp_path, act).startswith("flavors:")


def outside(tmp_path):
    other = tmp_path / "outside"
    other.mkdir()
    (other / "MLmodel").write_text("flavors: {python_function: {}}", encoding="utf-8")
    (tmp_path / "root-beside").symlink_to(other)
    (tmp_path / "root" / "link").symlink_to(other)
    return other


@pytest.mark.parametrize(
    "written", ["{out}", "file://{out}", "file://{escaped}", "../outside", "link", "/", "{root}-beside", "model/../.."]
)
def test_what_leads_out_of_the_root_is_refused(folder, tmp_path, written):
    folder()
    out = outside(tmp_path)
    escaped = f"{tmp_path / 'root'}/%2e%2e/outside"
    refusal = refused(tmp_path, written.format(out=out, escaped=escaped, root=tmp_path / "root"))
    assert refusal.code is Code.SOURCE_OUTSIDE
    assert refusal.fields["root"] == str(tmp_path / "root")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("missing", "there is no folder"),
        ("model/MLmodel", "there is no folder"),
        ("empty", 'there is no file "MLmodel" in it'),
        ("broken", "MLmodel cannot be read"),
        ("a\x00b", "null byte"),
        ("x" * 5000, "there is no folder"),
        ("file://[", "Invalid IPv6 URL"),
        ("models:/nobody/1", "there is no registered model 'nobody' here"),
        ("models:/fraud/1", "registered model 'fraud' has no version 1; it has none"),
        ("models:/fraud@champion", "registered model 'fraud' has no alias 'champion'"),
        ("models:/fraud/Production", "registered model 'fraud' has no version in stage 'Production'; it has none"),
    ],
    ids=range(13),
)
def test_what_is_no_model_is_refused(folder, tmp_path, source, reason):
    folder()
    folder("broken", mlmodel="flavors: {\n")
    (tmp_path / "root" / "empty").mkdir()
    refusal = refused(tmp_path, source)
    assert refusal.code is Code.SOURCE_UNREADABLE
    assert reason in str(refusal.fields["reason"])


def test_folders_are_read_only_where_this_machine_alone_reaches_the_server(folder, tmp_path):
    where = folder()

    async def act(workspace):
        workspace.store.host = "0.0.0.0"  # noqa: S104 - nobody listens there
        with pytest.raises(Rejected) as refusal:
            await register(workspace, where)
        assert not workspace.world.registry.models["fraud"].versions
        elsewhere = await register(workspace, "dbfs:/models/fraud")  # which reads nothing
        return refusal.value.code, elsewhere.status

    assert within(tmp_path, act) == (Code.UPLOADS_NEED_LOOPBACK, Status.FAILED)


def test_the_right_to_register_is_asked_before_the_folder(tmp_path, folder):
    folder()
    refusal = refused(tmp_path, "/etc/there-is-no-such-folder", principal=BOB)
    assert refusal.code is Code.MODEL_NOT_PERMITTED


# --- what MLflow's clients send for a tracking store on this machine ---------------------------------


@pytest.mark.parametrize("place", ["mlruns/0/models", "artifacts/models"])
def test_a_logged_model_is_found_where_mlflow_keeps_it(folder, tmp_path, place):
    folder(f"{place}/{LOGGED}/artifacts")
    version = within(tmp_path, lambda workspace: register(workspace, f"models:/{LOGGED}"))
    assert version.status is Status.READY


@pytest.mark.parametrize("uri", ["sqlite:///{}/mlflow.db", "file://{}/mlruns", "{}/mlruns"])
def test_a_logged_model_beside_a_tracking_store_deep_below_the_root(folder, tmp_path, monkeypatch, uri):
    folder(f"deep/below/mlruns/1/models/{LOGGED}/artifacts")
    missing = within(tmp_path, lambda workspace: register(workspace, f"models:/{LOGGED}"))
    assert missing.status is Status.FAILED
    assert "finds no logged model" in missing.status_message
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(tmp_path / "root" / "deep" / "below"))
    assert within(tmp_path, lambda workspace: register(workspace, f"models:/{LOGGED}")).status is Status.READY


def test_a_logged_model_outside_the_root_is_refused_as_any_folder(folder, tmp_path, monkeypatch):
    folder()
    place = tmp_path / "elsewhere" / "mlruns" / "0" / "models" / LOGGED / "artifacts"
    place.mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    assert refused(tmp_path, f"models:/{LOGGED}").code is Code.SOURCE_OUTSIDE


@pytest.mark.parametrize(
    "source",
    [
        "dbfs:/models/fraud",
        "s3://bucket/fraud",
        "runs:/0123/model",
        f"models:/{LOGGED}",
        "file://other/x",
        "C:\\models",
    ],
)
def test_what_servesim_cannot_read_is_registered_and_failed(folder, tmp_path, source):
    folder()
    version = within(tmp_path, lambda workspace: register(workspace, source))
    assert (version.status, version.model) == (Status.FAILED, None)
    assert source in version.status_message
    assert str(tmp_path / "root") in version.status_message
    assert "--unknown-models stub" in version.status_message


def test_a_stub_answers_for_it_where_unknown_models_are_stubs(tmp_path, folder):
    folder()
    version = within(tmp_path, lambda workspace: register(workspace, "s3://bucket/x"), unknown_models="stub")
    assert version.status is Status.READY
    assert version.model.kind == "stub"
    assert (version.model.name, version.model.version) == ("fraud", "1")


# --- other versions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["1", "Staging", "staging", "latest"])
@pytest.mark.parametrize("scheme", ["models:/", "models://databricks/", "models:///"])
def test_a_copy_of_a_version_has_its_files(folder, tmp_path, written, scheme):
    where = folder()

    async def act(workspace):
        first = await register(workspace, where)
        workspace.clock.execute(TransitionStage("fraud", "1", ALICE, Stage.STAGING))
        workspace.clock.execute(CreateRegisteredModel("copy", ALICE))
        used = workspace.store.disk.used
        version = await register(workspace, f"{scheme}fraud/{written}", "copy")
        assert version.status is Status.READY
        assert (version.model.name, version.model.version) == ("copy", "1")
        assert (version.model.source, version.model.digest) == (first.model.source, first.model.digest)
        assert workspace.store.disk.used == used
        workspace.clock.execute(TransitionStage("fraud", "1", ALICE, Stage.ARCHIVED))
        workspace.clock.execute(DeleteRegisteredModel("fraud", ALICE))
        await workspace.tidy_artifacts()
        assert (Path(version.model.source) / "MLmodel").exists()

    within(tmp_path, act)


def test_an_alias_and_a_version_that_was_named_at_the_start_can_be_copied(tmp_path, folder):
    folder()

    async def act(workspace):
        workspace.clock.execute(AddModel(ModelVersion("main.ml.a", "7", "stub", '{"behaviour": "hash"}')))
        workspace.clock.execute(SetAlias("main.ml.a", "champion", ALICE, "7"))
        version = await register(workspace, "models:/main.ml.a@champion")
        return version.status, version.model.kind, version.model.name

    assert within(tmp_path, act) == (Status.READY, "stub", "fraud")


def test_a_copy_needs_the_right_to_read_the_other_model(folder, tmp_path):
    folder()

    async def act(workspace):
        workspace.clock.execute(CreateRegisteredModel("bobs", BOB))
        workspace.clock.execute(AddModel(ModelVersion("fraud", "1", "stub", "{}")))
        with pytest.raises(Rejected) as refusal:
            await register(workspace, "models:/fraud/1", "bobs", BOB)
        return refusal.value.code, len(workspace.world.registry.models["bobs"].versions)

    assert within(tmp_path, act) == (Code.MODEL_NOT_PERMITTED, 0)


def test_a_version_that_failed_cannot_be_copied(tmp_path, folder):
    folder()

    async def act(workspace):
        await register(workspace, "s3://bucket/x")
        with pytest.raises(Rejected) as refusal:
            await register(workspace, "models:/fraud/1")
        return refusal.value.fields["reason"]

    assert within(tmp_path, act) == "the status of version 1 is FAILED_REGISTRATION"


# --- what happens meanwhile ---------------------------------------------------------------------------


def test_versions_that_are_registered_at_once_get_different_numbers(folder, tmp_path):
    where = folder()

    async def act(workspace):
        return await asyncio.gather(*(register(workspace, where) for _ in range(12)))

    versions = within(tmp_path, act)
    assert sorted(int(version.number) for version in versions) == list(range(1, 13))
    assert {version.status for version in versions} == {Status.READY}
    assert len({version.model.digest for version in versions}) == 1


async def begun(workspace, where):
    """A registration whose version is there and whose files are not yet taken in."""
    taking, take = asyncio.Event(), workspace.artifacts.take

    async def told(key, folder):
        taking.set()
        return await take(key, folder)

    workspace.artifacts.take = told
    task = asyncio.create_task(register(workspace, where))
    await taking.wait()
    return task


@pytest.mark.parametrize("deletes", [DeleteModelVersion("fraud", "1", ALICE), DeleteRegisteredModel("fraud", ALICE)])
def test_a_version_that_is_deleted_meanwhile_leaves_nothing(folder, tmp_path, deletes):
    where = folder()

    async def act(workspace):
        task = await begun(workspace, where)
        workspace.clock.execute(deletes)
        with pytest.raises(Rejected) as refusal:
            await task
        await workspace.artifacts.settled()
        assert refusal.value.code is Code.VERSION_MISSING
        assert workspace.store.disk.used == 0

    within(tmp_path, act)


def test_a_model_that_was_made_anew_under_the_name_does_not_get_the_version(folder, tmp_path):
    where = folder()

    async def act(workspace):
        task = await begun(workspace, where)
        workspace.clock.execute(DeleteRegisteredModel("fraud", ALICE))
        workspace.clock.execute(CreateRegisteredModel("fraud", ALICE))
        again = workspace.clock.execute(CreateModelVersion("fraud", ALICE, "x"))
        with pytest.raises(Rejected):
            await task
        assert (again.number, again.status) == ("1", Status.PENDING)

    within(tmp_path, act)


def test_a_reset_meanwhile_leaves_nothing(folder, tmp_path):
    where = folder()

    async def act(workspace):
        task, artifacts = await begun(workspace, where), workspace.artifacts
        await workspace.reset()
        workspace.clock.execute(CreateRegisteredModel("fraud", ALICE))
        fresh = workspace.clock.execute(CreateModelVersion("fraud", ALICE, "x"))
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], Rejected)
        assert (fresh.status, fresh.model) == (Status.PENDING, None)
        await artifacts.settled()
        assert workspace.store.disk.used == 0

    within(tmp_path, act)


def test_a_model_that_is_renamed_meanwhile_gets_its_version(folder, tmp_path):
    where = folder()

    async def act(workspace):
        task = await begun(workspace, where)
        workspace.clock.execute(UpdateRegisteredModel("fraud", ALICE, new_name="risk"))
        version = await task
        assert (version.status, version.model.name) == (Status.READY, "risk")

    within(tmp_path, act)


def test_a_caller_who_goes_away_leaves_a_version_that_failed(folder, tmp_path):
    where = folder()

    async def act(workspace):
        task = await begun(workspace, where)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await workspace.artifacts.settled()
        version = workspace.world.registry.version("fraud", "1")
        assert (version.status, version.status_message) == (Status.FAILED, registering.INTERRUPTED)

    within(tmp_path, act)


def test_a_folder_past_the_quota_fails_and_leaves_nothing(folder, tmp_path):
    where = folder()

    async def act(workspace):
        version = await register(workspace, where)
        await workspace.artifacts.settled()
        assert version.status is Status.FAILED
        assert "30 bytes" in version.status_message
        assert workspace.store.disk.used == 0

    within(tmp_path, act, quota=30)


def test_a_link_that_leads_out_of_the_folder_fails_and_leaves_nothing(folder, tmp_path):
    where = folder()
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (where / "data").symlink_to(tmp_path / "secret")

    async def act(workspace):
        version = await register(workspace, where)
        await workspace.artifacts.settled()
        assert (version.status, workspace.store.disk.used) == (Status.FAILED, 0)

    within(tmp_path, act)


# --- uploads, and those that bring their environment ---------------------------------------------------


async def upload(workspace, key, files):
    async def chunks(data):
        yield data

    for path, data in files.items():
        await workspace.artifacts.write(key, path, chunks(data))


UPLOAD = {"MLmodel": b"flavors: {python_function: {}}", "requirements.txt": b"mlflow"}


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        (UPLOAD, Status.READY, ""),
        ({}, Status.FAILED, 'The model cannot be read: there is no file "MLmodel" in it.'),
        ({**UPLOAD, "MLmodel": b"["}, Status.FAILED, "The model cannot be read: MLmodel cannot be read: "),
    ],
    ids=["whole", "empty", "broken"],
)
def test_an_upload_is_read_when_it_is_finalized(tmp_path, folder, files, status, message):
    folder()

    async def act(workspace):
        model = workspace.clock.execute(CreateRegisteredModel("main.ml.fraud", ALICE))
        version = workspace.clock.execute(CreateModelVersion("main.ml.fraud", ALICE, "runs:/x"))
        await upload(workspace, (model.number, "1"), files)
        finished = await registering.finalize(workspace, "main.ml.fraud", "1", ALICE)
        again = await registering.finalize(workspace, "main.ml.fraud", "1", ALICE)
        assert finished is version is again
        assert version.status is status
        assert version.status_message.startswith(message)
        await workspace.artifacts.settled()
        assert bool(workspace.artifacts.files((model.number, "1"))) is (status is Status.READY)

    within(tmp_path, act)


def test_finalizing_twice_at_once_finishes_once(tmp_path, folder):
    folder()

    async def act(workspace):
        model = workspace.clock.execute(CreateRegisteredModel("main.ml.fraud", ALICE))
        workspace.clock.execute(CreateModelVersion("main.ml.fraud", ALICE, "runs:/x"))
        await upload(workspace, (model.number, "1"), UPLOAD)
        both = (registering.finalize(workspace, "main.ml.fraud", "1", ALICE) for _ in range(2))
        first, second = await asyncio.gather(*both)
        assert first is second
        assert first.status is Status.READY
        assert (Path(first.model.source) / "MLmodel").exists()

    within(tmp_path, act)


def test_one_that_brings_its_environment_is_ready_when_somebody_waits_for_it(folder, tmp_path):
    where = folder(packed=True)

    async def act(workspace):
        version = await register(workspace, where)
        assert (version.status, workspace.clock.now()) == (Status.PENDING, version.created)
        due = version.due
        await registering.settled(workspace, version)
        assert (version.status, workspace.clock.now()) == (Status.READY, due)
        assert version.created < due
        await registering.settled(workspace, version)
        assert workspace.clock.now() == due

    within(tmp_path, act)


def test_nobody_moves_time_where_it_is_frozen(folder, tmp_path):
    where = folder(packed=True)

    async def act(workspace):
        version = await register(workspace, where)
        await registering.settled(workspace, version)
        assert (version.status, workspace.clock.now()) == (Status.PENDING, version.created)

    within(tmp_path, act, mode="frozen")


def test_the_working_directory_is_the_root_unless_another_is_named(folder, tmp_path, monkeypatch):
    folder()
    monkeypatch.chdir(tmp_path / "root")

    async def act(workspace):
        inside = await register(workspace, "model")
        with pytest.raises(Rejected) as refusal:
            await register(workspace, "/")
        return inside.status, refusal.value.code

    usual = WorkspaceSettings().model_roots
    assert within(tmp_path, act, model_roots=usual) == (Status.READY, Code.SOURCE_OUTSIDE)
