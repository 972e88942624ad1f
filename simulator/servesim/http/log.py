"""Lines of the log: one for each call, and one for what no call can be made of."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from aiohttp.http_exceptions import HttpProcessingError

from servesim.http.reply import SERVED_MODEL_HEADER

if TYPE_CHECKING:
    from servesim.http.reply import Reply

logger = logging.getLogger("servesim")

_QUOTED = re.compile(r":\s*(?:bytearray\()?b?['\"]")
"""Where a complaint about a request begins to quote it."""
PLAIN_CHARACTERS = 200
"""A call that takes no more of a line, in printable ASCII, is shown as it is."""


def shown(text: str, most: int) -> str:
    """Return a path or name as a line of a log can hold it, or a terminal: printable ASCII."""
    text = text[:most]
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in text)


def line(principal: str, method: str, path: str, reply: Reply) -> str:
    """Return the line of a call: who, what, and the answer with its grade; no query, which may hold secrets."""
    served = reply.headers.get(SERVED_MODEL_HEADER, "")
    asked = f"{principal} {method} {path}"
    if len(asked) > PLAIN_CHARACTERS or not (asked.isascii() and asked.isprintable()):
        asked = f"{shown(principal, 200)} {method} {shown(path, 500)}"
    text = f"{asked} -> {reply.status} {served}" if served else f"{asked} -> {reply.status}"
    return f"{text} ({reply.grade})" if reply.grade else text


def wire_logger() -> logging.Logger:
    """Return the log of what no call can be made of."""
    wire = logger.getChild("wire")
    wire.addFilter(_in_one_line)  # once: adding it again changes nothing
    return wire


def _in_one_line(record: logging.LogRecord) -> bool:
    """Shorten what is not HTTP (TLS, say): that is the client's mistake, and a traceback says nothing about it."""
    problem = record.exc_info[1] if record.exc_info else None
    if isinstance(problem, HttpProcessingError):
        record.exc_info = None
        why = _QUOTED.split(problem.message, maxsplit=1)[0]  # what it quotes may be a token
        record.msg, record.args = "%s: %s", (record.getMessage(), shown(" ".join(why.split()), 200))
    return True
