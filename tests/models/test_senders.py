"""Who sent a request: by the address that it comes from."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading

import pytest

from servesim.models.senders import Sender, Senders, acting
from servesim.models.threads import Threads, inside_model


@pytest.fixture
def pair():
    """Give a connection over loopback: one end, the other, and the address of the first."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        here = socket.create_connection(listening.getsockname())
        there, address = listening.accept()
    with here, there:
        yield here, address


def test_what_a_sender_sends_from_is_noted_while_it_acts(pair):
    here, address = pair
    senders, sender = Senders(), Sender()
    with senders.act(sender):
        assert acting() is sender
        assert senders.find(address, "w") is None
        here.sendall(b"x")
        assert senders.find(address, "w") is sender
        assert senders.acting == {sender}
    assert senders.find(address, "w") is None
    assert (senders.acting, acting(), sys.getprofile()) == (set(), None, None)


@pytest.mark.parametrize("method", ["send", "sendall", "sendmsg"])
def test_every_way_to_send_is_seen(pair, method):
    here, address = pair
    senders, sender = Senders(), Sender()
    with senders.act(sender):
        getattr(here, method)([b"x"] if method == "sendmsg" else b"x")
        assert senders.find(address, "w") is sender


def test_an_address_is_of_whoever_sent_last(pair):
    here, address = pair
    senders, first, second = Senders(), Sender(), Sender()

    def send(sender):
        with senders.act(sender):
            here.sendall(b"x")
            seen.append(senders.find(address, "w"))

    seen = []
    with senders.act(first):
        here.sendall(b"x")
        thread = threading.Thread(target=send, args=(second,))
        thread.start()
        thread.join()
        assert seen == [second]
        assert senders.find(address, "w") is None  # the second has gone, and took its address along
        here.sendall(b"x")
        assert senders.find(address, "w") is first


def test_an_unknown_address_is_of_whoever_is_expected():
    senders, sender = Senders(), Sender()
    with senders.act(sender):
        senders.expected["w"] = sender
        assert senders.find(("127.0.0.1", 1), "other") is None
        assert senders.find(("127.0.0.1", 1), "w") is sender
        del senders.expected["w"]
        assert senders.find(("127.0.0.1", 1), "w") is sender  # and stays with it
    assert senders.find(("127.0.0.1", 1), "w") is None


def test_tasks_of_one_thread_are_told_apart(pair):
    here, address = pair
    senders, one, other = Senders(), Sender(), Sender()

    async def act(sender, turn, others):
        with senders.act(sender):
            await turn.wait()
            here.sendall(b"x")
            found = senders.find(address, "w")
            others.set()
            return found

    async def both():
        first, second = asyncio.Event(), asyncio.Event()
        first.set()
        return await asyncio.gather(act(one, first, second), act(other, second, first))

    assert asyncio.run(both()) == [one, other]
    assert sys.getprofile() is None


def test_a_profiler_that_is_there_stays():
    def profiler(*_args): ...

    sys.setprofile(profiler)
    try:
        with Senders().act(Sender()):
            assert sys.getprofile() is profiler
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


def test_other_sockets_and_writes_are_passed_over(tmp_path):
    one, other = socket.socketpair()
    senders, sender = Senders(), Sender()
    with one, other, senders.act(sender), (tmp_path / "file").open("wb", buffering=0) as file:
        one.sendall(b"x")
        file.write(b"x")
        assert senders._by_address == {}


def test_threads_know_what_they_work_for():
    async def ask():
        models, others = Threads(1), Threads(1, "route")
        found = [await models.run(inside_model), await others.run(inside_model), inside_model()]
        models.close()
        others.close()
        return found

    assert asyncio.run(ask()) == [True, False, False]
