"""The baseline: a bare aiohttp handler that reads the body and answers text. Arguments: PORT."""

from __future__ import annotations

import signal
import sys

from aiohttp import web
from calls import GET_PATH, HOST, SCORING_PATH

LIFETIME_S = 900


async def post(request: web.Request) -> web.Response:
    """Read the body and answer text."""
    await request.read()
    return web.Response(text="hello")


async def get(_request: web.Request) -> web.Response:
    """Answer text."""
    return web.Response(text="hello")


def main() -> None:
    """Serve until a signal, and in no case for long."""
    signal.alarm(LIFETIME_S)
    app = web.Application()
    app.router.add_post(SCORING_PATH, post)
    app.router.add_get(GET_PATH, get)
    app.router.add_get("/", get)
    web.run_app(app, host=HOST, port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
