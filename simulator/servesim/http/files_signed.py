"""URLs that are good without a token: asked for in the Files API, and answered outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from servesim.core.errors import Code, Rejected
from servesim.http.file_places import Place, named
from servesim.http.files import send, store
from servesim.http.parameters import fields_of
from servesim.http.reply import Reply, encode
from servesim.service.signed import Signed

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.http.calls import Call
    from servesim.http.server import Server
    from servesim.service.hub import HostedWorkspace

SIGNED = "/_servesim/signed/"


async def create_upload_url(call: Call) -> Reply:
    """Give a URL to which one file of a version is sent; raise Rejected."""
    place = named(call, (await fields_of(call)).filled("path")).may_write()
    return _given(sign(call, place, "PUT"))


async def create_download_url(call: Call) -> Reply:
    """Give a URL from which one file is read; the SDK names it in the query. Raise Rejected."""
    path = call.request.query.get("path") or (await fields_of(call)).filled("path")
    place = await named(call, path).opened()
    place.session.workspace.artifacts.file(place.key, place.path)
    return _given(sign(call, place, "GET"))


async def create_upload_part_urls(call: Call) -> Reply:
    """Refuse: the client then sends the whole file by one PUT, as it does where the service gives no URLs."""
    named(call, (await fields_of(call)).filled("path")).may_write()
    advice = "Send the file by one PUT, as the SDK then does."
    raise Rejected(Code.NOT_SIMULATED, what="uploading a file in parts", advice=advice)


async def create_abort_upload_url(call: Call) -> Reply:
    """Give a URL that ends an upload in parts, of which there is nothing."""
    place = named(call, (await fields_of(call)).filled("path")).may_write()
    url = {"url": sign(call, place, "DELETE"), "headers": []}
    return Reply(200, encode({"abort_upload_url": url}), grade="observed")


def sign(call: Call, place: Place, method: str) -> str:
    """Return a URL that is good for one method and one file."""
    model, target = place.model, place.target
    signed = Signed(method, target, place.session, model.name, model.number, place.version.number, place.path)
    return f"{call.base_url}{SIGNED}{target}?token={place.session.workspace.store.signed.make(signed)}"


async def answer(server: Server, bound: HostedWorkspace | None, request: web.BaseRequest, target: str) -> Reply:
    """Answer a call of such a URL; raise SIGNED_URL_INVALID, or what the same call in the Files API raises."""
    target = "/".join(quote(unquote(part), safe="") for part in target.split("/"))
    signed = server.hub.store.signed.find(request.query.get("token", ""), request.method, target)
    if signed is None or bound not in {None, signed.session.workspace}:
        raise Rejected(Code.SIGNED_URL_INVALID)
    place = _place(signed)
    if signed.method == "GET":
        return send(place.may_read(), request)._replace(grade="chosen")
    if signed.method == "PUT":
        file = await store(place.may_write(), request)
        return Reply(200, b"", "text/plain", {"ETag": f'"{file.sha256}"'}, "chosen")
    return Reply(200, b"", "text/plain", grade="chosen")


def _place(signed: Signed) -> Place:
    signed.session.workspace.clock.now()
    registry = signed.session.workspace.world.registry
    model = registry.model(signed.model)
    if model.number != signed.number:
        raise Rejected(Code.SIGNED_URL_INVALID)
    return Place(signed.session, model, registry.version(signed.model, signed.version), signed.file)


def _given(url: str) -> Reply:
    return Reply(200, encode({"url": url, "headers": []}), grade="observed")
