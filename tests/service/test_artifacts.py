"""The store of artifacts: every content once, nothing outside its folder, nothing left of what failed."""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.core.errors import Code, Rejected
from servesim.models import worker_facts
from servesim.service import artifact_disk, artifact_files, artifact_store, artifacts
from servesim.service.artifact_paths import DEPTH, confined
from servesim.service.artifact_store import ArtifactStore
from servesim.service.mover import Stopping

KEY, OTHER = (1, "1"), (1, "2")
MODEL = {"MLmodel": b"flavors: {}", "data/model.pkl": b"\x80", "data/a-b": b"", "code/__pycache__/x.pyc": b"pyc"}


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """Give a folder for temporary files to this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def sent(*blocks):
    for block in blocks:
        yield block


def on_disk(machine):
    """List the files of all stores, apart from their locks."""
    return sorted(
        path.relative_to(machine).parts[1]
        for path in machine.rglob("*")
        if path.is_file() and path.name != "lock" and "trees" not in path.parts
    )


def with_artifacts(work, quota=artifact_store.QUOTA):
    """Run a test's coroutine on a fresh workspace's artifacts."""

    async def run():
        store = ArtifactStore(quota)
        found = store.open(lambda: 1_000)
        try:
            async with asyncio.timeout(30):
                return await work(found)
        finally:
            await found.close()
            await store.close()

    return asyncio.run(run())


async def fill(found, key=KEY, files=MODEL):
    for path, content in files.items():
        await found.write(key, path, sent(content))


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/etc/passwd", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "./a"),
        *("a\\b", "..\\a", "a\0b", "a\nb", "a\x7fb", "a\x85b", "\x1b[31m", "\ud800", "é" * 128),
        *("a" * 256, "/".join(["a" * 200] * 5), "/".join("a" * (DEPTH + 1)), "/".join(["\u20ac" * 80] * 9)),
    ],
    ids=lambda path: ascii(path)[:20],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path):
    with pytest.raises(Rejected) as refused:
        confined(path)
    assert refused.value.code is Code.PATH_INVALID
    assert refused.value.fields["path"] == path


@pytest.mark.parametrize("path", ["MLmodel", "a/b/c", "...", ".hidden", "a b", "%2e%2e", "é" * 127, "~", "C:", "-rf"])
def test_any_other_name_is_a_name(path):
    assert confined(path) == path


@given(
    st.text(alphabet=st.sampled_from(["a", ".", "/", "\\", "\0", "é", "\n", "~"]), max_size=12) | st.text(max_size=40)
)
def test_what_is_let_in_stays_below_its_folder(path):
    try:
        confined(path)
    except Rejected:
        return
    assert os.path.normpath(f"/folder/{path}") == f"/folder/{path}"
    os.fsencode(path)


# --- contents -------------------------------------------------------------------------------------


def test_a_file_is_kept_by_its_content_and_read_back(machine):
    async def work(found):
        file = await found.write(KEY, "a/b", sent(b"one", b"two"), 6)
        assert file == ("a/b", 6, hashlib.sha256(b"onetwo").hexdigest(), 1_000)
        assert found.where(KEY, "a/b").read_bytes() == b"onetwo"
        assert found.where(KEY, "a/b").stat().st_mode & 0o777 == 0o444
        assert machine in found.where(KEY, "a/b").parents
        return found.store.disk.used

    assert with_artifacts(work) == 6
    assert list(machine.iterdir()) == []


def test_the_same_content_is_there_once_and_goes_with_its_last_reader(machine):
    async def work(found):
        await asyncio.gather(*(found.write((1, str(number)), "same", sent(b"12345")) for number in range(9)))
        assert found.store.disk.used == 5
        assert on_disk(machine) == ["contents"]
        for number in range(8):
            found.forget((1, str(number)))
        await found.settled()
        assert found.where((1, "8"), "same").read_bytes() == b"12345"
        found.forget((1, "8"))
        await found.settled()
        assert found.store.disk.used == 0
        assert on_disk(machine) == []

    with_artifacts(work)


def test_a_file_that_is_replaced_leaves_nothing(machine):
    async def work(found):
        await found.write(KEY, "a", sent(b"before"))
        await found.write(KEY, "a", sent(b"after"))
        assert found.where(KEY, "a").read_bytes() == b"after"
        assert found.store.disk.used == 5
        with pytest.raises(Rejected) as refused:
            await found.write(KEY, "a", sent(b"again"), overwrite=False)
        assert refused.value.code is Code.FILE_EXISTS
        found.remove(KEY, "a")
        await found.settled()
        assert found.files(KEY) == {}
        assert on_disk(machine) == []

    with_artifacts(work)


def test_the_same_file_from_many_at_once_is_one_of_them(machine):
    async def work(found):
        bodies = [bytes([number]) * 100_000 for number in range(20)]
        await asyncio.gather(*(found.write(KEY, "a/b", sent(body)) for body in bodies))
        assert found.where(KEY, "a/b").read_bytes() in bodies
        assert found.store.disk.used == 100_000
        assert on_disk(machine) == ["contents"]

    with_artifacts(work)


@pytest.mark.parametrize(("quota", "fits"), [(10, True), (9, False)])
@pytest.mark.parametrize("announced", [10, None])
def test_the_quota_may_be_reached_and_not_passed(machine, quota, fits, announced):
    async def work(found):
        if fits:
            await found.write(KEY, "a", sent(b"12345", b"67890"), announced)
        else:
            with pytest.raises(Rejected) as refused:
                await found.write(KEY, "a", sent(b"12345", b"67890"), announced)
            assert refused.value.code is Code.UPLOAD_QUOTA
            assert refused.value.fields == {"limit": 9, "size": 10}
            assert on_disk(machine) == []
            assert found.store.disk.used == 0
            await found.write(KEY, "a", sent(b"123456789"))

    with_artifacts(work, quota)


def test_all_workspaces_have_one_quota():
    async def work(found):
        await found.write(KEY, "a", sent(b"12345"))
        another = found.store.open(lambda: 0)
        with pytest.raises(Rejected):
            await another.write(KEY, "a", sent(b"678901"))
        await another.write(KEY, "a", sent(b"67890"))
        await another.close()
        assert found.where(KEY, "a").read_bytes() == b"12345"

    with_artifacts(work, 10)


@pytest.mark.parametrize("announced", [3, 7])
def test_what_is_not_as_long_as_announced_is_not_kept(machine, announced):
    async def work(found):
        with pytest.raises(Rejected) as refused:
            await found.write(KEY, "a", sent(b"12345"), announced)
        assert refused.value.code is Code.UPLOAD_TRUNCATED
        assert refused.value.fields == {"path": "a", "announced": announced, "size": 5}
        assert found.files(KEY) == {}
        assert on_disk(machine) == []
        assert found.store.disk.used == 0

    with_artifacts(work)


def test_nothing_is_left_of_an_upload_that_breaks_off_or_that_nobody_waits_for(machine):
    async def breaking():
        yield b"12345"
        raise Rejected(Code.SLOW_BODY, limit=1, size=5)

    async def hanging(begun):
        yield b"12345"
        begun.set()
        await asyncio.Event().wait()

    async def work(found):
        with pytest.raises(Rejected):
            await found.write(KEY, "a", breaking())
        begun = asyncio.Event()
        waiting = asyncio.create_task(found.write(KEY, "b", hanging(begun)))
        await begun.wait()
        assert on_disk(machine) == ["parts"]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert on_disk(machine) == []
        assert found.store.disk.used == 0
        assert found.files(KEY) == {}

    with_artifacts(work)


def test_a_version_that_goes_while_it_is_uploaded_to_leaves_nothing(machine):
    asked = []

    def check():
        asked.append(len(asked))
        if len(asked) > 1:
            raise Rejected(Code.VERSION_MISSING, model="m", version="1", known=[])

    async def work(found):
        with pytest.raises(Rejected) as refused:
            await found.write(KEY, "a", sent(b"12345"), check=check)
        assert refused.value.code is Code.VERSION_MISSING
        assert on_disk(machine) == []
        assert found.store.disk.used == 0

    with_artifacts(work)
    assert asked == [0, 1]


def test_a_file_is_no_folder_and_a_folder_no_file():
    async def work(found):
        await found.write(KEY, "a/b", sent(b"1"))
        for path in ("a", "a/b/c", "a/b/c/d"):
            with pytest.raises(Rejected) as refused:
                await found.write(KEY, path, sent(b"2"))
            assert refused.value.code is Code.PATH_INVALID
        found.remove(KEY, "a/b")
        await found.write(KEY, "a", sent(b"3"))
        assert [*found.files(KEY)] == ["a"]

    with_artifacts(work)


def test_a_version_has_so_many_files_and_no_more(monkeypatch):
    monkeypatch.setattr(artifacts, "FILES", 2)

    async def work(found):
        await fill(found, files={"a": b"1", "b": b"2"})
        await found.write(KEY, "b", sent(b"3"))
        with pytest.raises(Rejected, match="as many as it may have"):
            await found.write(KEY, "c", sent(b"4"))
        await found.write(OTHER, "c", sent(b"4"))

    with_artifacts(work)


def test_some_uploads_run_and_the_others_wait_for_a_while(monkeypatch):
    monkeypatch.setattr(artifact_store, "UPLOAD_WAIT_S", 0)

    async def hanging(begun, go_on):
        begun.release()
        yield b"1"
        await go_on.wait()

    async def work(found):
        begun, go_on = asyncio.Semaphore(0), asyncio.Event()
        names = [str(number) for number in range(artifact_store.UPLOADS_AT_ONCE)]
        running = [asyncio.create_task(found.write(KEY, name, hanging(begun, go_on))) for name in names]
        for _ in names:
            await begun.acquire()
        with pytest.raises(Rejected) as refused:
            await found.write(KEY, "one more", sent(b"1"))
        assert refused.value.code is Code.UPLOADS_BUSY
        go_on.set()
        await asyncio.gather(*running)
        await found.write(KEY, "one more", sent(b"1"))

    with_artifacts(work)


# --- folders --------------------------------------------------------------------------------------


def test_folders_are_listed_by_name():
    async def work(found):
        await fill(found)
        assert [entry.path for entry in found.listing(KEY)] == ["MLmodel", "code", "data"]
        assert [(entry.path, entry.file is None) for entry in found.listing(KEY, "code")] == [
            ("code/__pycache__", True)
        ]
        assert [entry.path for entry in found.listing(KEY, "data")] == ["data/a-b", "data/model.pkl"]
        for folder in ("dat", "data/", "MLmodel", "nowhere"):
            with pytest.raises(Rejected) as refused:
                found.listing(KEY, folder)
            assert refused.value.code is Code.FOLDER_MISSING
        assert found.listing(OTHER) == []

    with_artifacts(work)


def test_a_sealed_version_is_a_folder_with_the_digest_of_models(machine):
    async def work(found):
        await fill(found)
        tree = await found.seal(KEY)
        assert await found.seal(KEY) == tree
        assert tree.digest == worker_facts.digest(tree.folder)
        for path, content in MODEL.items():
            assert (tree.folder / path).read_bytes() == content
            assert (tree.folder / path).stat().st_ino == found.where(KEY, path).stat().st_ino
        assert {path.stat().st_mode & 0o777 for path in tree.folder.rglob("*") if path.is_dir()} == {0o555}
        for change in (lambda: found.remove(KEY, "MLmodel"), lambda: found.write(KEY, "new", sent(b"1"))):
            with pytest.raises(Rejected):
                await change()
        found.forget(KEY)
        await found.settled()
        assert not tree.folder.exists()
        assert on_disk(machine) == []

    with_artifacts(work)


def test_what_is_sealed_twice_at_once_or_forgotten_meanwhile_leaves_one_folder_or_none(machine):
    async def work(found):
        await fill(found)
        one, other = await asyncio.gather(found.seal(KEY), found.seal(KEY))
        assert one == other
        await found.settled()
        assert list(one.folder.parent.iterdir()) == [one.folder]
        await fill(found, OTHER)
        sealing = asyncio.create_task(found.seal(OTHER))
        await asyncio.wait([sealing], timeout=0)
        found.forget(OTHER)
        with pytest.raises((Rejected, FileNotFoundError)):
            await sealing
        found.forget(KEY)
        await found.settled()
        assert list(one.folder.parent.iterdir()) == []
        assert on_disk(machine) == []
        assert found.store.disk.used == 0

    with_artifacts(work)


@settings(deadline=None, max_examples=50)
@given(
    files=st.dictionaries(st.from_regex(r"[a-zA-Z0-9_.-]{1,3}x(/[ab]y){0,2}", fullmatch=True), st.binary(max_size=9))
)
def test_the_digest_is_that_of_models_whatever_the_names(files):
    folder = Path(tempfile.mkdtemp())
    held = []
    for path, content in files.items():
        if (folder / path).is_dir() or any(parent.is_file() for parent in (folder / path).parents):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        held.append(artifact_files.File(path, len(content), hashlib.sha256(content).hexdigest()))
    assert artifact_files.digest(held) == worker_facts.digest(folder)
    shutil.rmtree(folder)


def test_where_a_disk_has_no_hard_links_a_copy_is_made_and_counted(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    async def work(found):
        await fill(found, files={"a": b"12345"})
        tree = await found.seal(KEY)
        assert (tree.folder / "a").read_bytes() == b"12345"
        assert found.store.disk.used == 10
        await found.write(OTHER, "b", sent(b"678901"))
        with pytest.raises(Rejected):
            await found.seal(OTHER)
        assert len(list(tree.folder.parent.iterdir())) == 1
        found.forget(KEY)
        await found.settled()
        assert found.store.disk.used == 6
        await found.seal(OTHER)

    with_artifacts(work, 20)


def test_a_folder_is_taken_as_it_is(tmp_path, machine):
    for path, content in MODEL.items():
        (tmp_path / "model" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / path).write_bytes(content)
    (tmp_path / "model" / "link").symlink_to("MLmodel")

    async def work(found):
        tree = await found.take(KEY, tmp_path / "model")
        assert {path: (tree.folder / path).read_bytes() for path in MODEL} == MODEL
        assert (tree.folder / "link").read_bytes() == MODEL["MLmodel"]
        assert not (tree.folder / "link").is_symlink()
        assert tree.digest == worker_facts.digest(tmp_path / "model")
        (tmp_path / "model" / "MLmodel").write_bytes(b"changed")
        assert (tree.folder / "MLmodel").read_bytes() == MODEL["MLmodel"]
        assert found.share(OTHER, KEY) == tree
        found.forget(KEY)
        await found.settled()
        assert (tree.folder / "MLmodel").read_bytes() == MODEL["MLmodel"]
        found.forget(OTHER)
        await found.settled()
        assert on_disk(machine) == []

    with_artifacts(work)


@pytest.mark.parametrize("missing", [KEY, OTHER])
def test_only_what_is_sealed_is_shared(missing):
    async def work(found):
        await found.write(KEY, "a", sent(b"1"))
        with pytest.raises(Rejected) as refused:
            found.share((2, "1"), missing)
        assert refused.value.code is Code.FOLDER_MISSING

    with_artifacts(work)


def test_too_much_for_the_quota_is_not_taken_in_part(tmp_path, machine):
    for name in "abc":
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(name.encode() * 5)

    async def work(found):
        with pytest.raises(Rejected) as refused:
            await found.take(KEY, tmp_path / "model")
        assert refused.value.code is Code.UPLOAD_QUOTA
        assert on_disk(machine) == []
        assert found.store.disk.used == 0
        assert found.files(KEY) == {}

    with_artifacts(work, 14)


def world(*registered, deployed=()):
    """Give as much of a world as tells which versions there are."""
    versions = {}
    for number, version in registered:
        versions.setdefault(number, SimpleNamespace(number=number, versions={})).versions[version] = None
    deployments = {str(folder): SimpleNamespace(model=SimpleNamespace(source=str(folder))) for folder in deployed}
    registry = SimpleNamespace(models=versions, revision=len(registered) + 100 * len(deployed))
    return SimpleNamespace(registry=registry, deployments=deployments)


def test_what_is_not_registered_goes_once_it_is_deployed_no_more(machine):
    async def work(found):
        await fill(found)
        await fill(found, OTHER)
        tree = await found.seal(KEY)
        await found.tidy(world(KEY, OTHER))
        assert found.files(OTHER)
        await found.tidy(world(KEY))
        assert found.files(OTHER) == {}
        await found.tidy(world(deployed=[tree.folder]))
        assert (tree.folder / "MLmodel").exists()
        await found.tidy(world())
        assert not tree.folder.exists()
        assert on_disk(machine) == []

    with_artifacts(work)


# --- folders of servers ---------------------------------------------------------------------------


def left_behind(machine, name="left", prefix=artifact_disk.PREFIX):
    folder = machine / f"{prefix}{name}"
    (folder / "trees" / "1").mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "trees" / "1" / "MLmodel").touch()
    (folder / "trees" / "1").chmod(0o555)
    return folder


def test_the_folder_is_nobody_else_s_and_goes_with_its_server(machine):
    async def work(found):
        assert list(machine.iterdir()) == []
        await found.write(KEY, "a", sent(b"1"))
        (folder,) = machine.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder == found.store.disk.folder

    with_artifacts(work)
    assert list(machine.iterdir()) == []


def test_nothing_is_made_anew_once_the_store_is_closed(machine):
    async def work(found):
        file = await found.write(KEY, "a", sent(b"1"))
        disk = found.store.disk
        disk.close()
        for late in (disk.begin, lambda: disk.plant({"a": file.content}), lambda: disk.where(file.content)):
            with pytest.raises(Stopping):
                late()
        assert list(machine.iterdir()) == []

    with_artifacts(work)


def test_what_is_planted_while_the_store_closes_leaves_nothing(machine, monkeypatch):
    place = artifact_disk.Disk._place

    def closes(disk, content, target):
        closing = threading.Thread(target=disk.close)
        closing.start()
        while not disk._is_closed:
            pass
        threads.append(closing)
        return place(disk, content, target)

    async def work(found):
        await fill(found)
        with pytest.raises(Stopping):
            await found.seal(KEY)
        threads[0].join()
        assert list(machine.iterdir()) == []

    threads = []
    monkeypatch.setattr(artifact_disk.Disk, "_place", closes)
    with_artifacts(work)


def test_the_end_waits_for_a_folder_that_is_taken_for_nobody_any_more(machine, tmp_path, monkeypatch):
    model, begun, go = tmp_path / "model", threading.Event(), threading.Event()
    model.mkdir()
    for name in "abc":
        (model / name).write_text(name)
    begin, take_in, copies, ended = artifact_disk.Disk.begin, artifacts.take_in, [], []

    def slow(disk):
        copies.append(disk)
        begun.set()
        assert go.wait(30)
        return begin(disk)

    def told(*args):
        take_in(*args)
        ended.append(True)

    async def work(found):
        taking = asyncio.create_task(found.take(KEY, model))
        await asyncio.to_thread(begun.wait, 30)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        asyncio.get_running_loop().call_soon(go.set)
        await found.close()
        assert (len(copies), ended, found.store.disk.used, on_disk(machine)) == (1, [True], 0, [])

    monkeypatch.setattr(artifact_disk.Disk, "begin", slow)
    monkeypatch.setattr(artifacts, "take_in", told)
    with_artifacts(work)


def test_what_a_killed_server_left_is_removed_by_the_next(machine):
    left_behind(machine)

    async def work(found):
        await found.write(KEY, "a", sent(b"1"))
        assert list(machine.iterdir()) == [found.store.disk.folder]

    with_artifacts(work)


def test_what_may_be_a_living_server_s_stays(machine, tmp_path):
    locked = left_behind(machine, "locked")
    making = left_behind(machine, "x", artifact_disk.MAKING)
    elsewhere = left_behind(machine, "x", "somebody-else-")
    without_lock = left_behind(machine, "without-lock")
    (without_lock / "lock").unlink()
    outside = left_behind(tmp_path, "outside")
    link = machine / f"{artifact_disk.PREFIX}link"
    link.symlink_to(outside)
    linked_lock = left_behind(machine, "linked-lock")
    (linked_lock / "lock").unlink()
    (linked_lock / "lock").symlink_to(outside / "lock")
    with (locked / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        artifact_disk.remove_leftovers()
    for folder in (locked, making, elsewhere, without_lock, outside, linked_lock):
        assert (folder / "trees" / "1" / "MLmodel").exists()
    assert link.is_symlink()


def test_two_servers_do_not_take_from_each_other(machine):
    async def work(found):
        await found.write(KEY, "a", sent(b"1"))
        another = ArtifactStore().open(lambda: 0)
        await another.write(KEY, "a", sent(b"2"))
        assert len(list(machine.iterdir())) == 2
        assert found.where(KEY, "a").read_bytes() == b"1"
        await another.close()
        await another.store.close()
        assert found.where(KEY, "a").read_bytes() == b"1"

    with_artifacts(work)
