"""Which protocol of scoring a model has: that of the MLflow version which its environment declares.

Models here speak the newest one. For one of another version the request is translated before it gets there, and the
answer on its way back.
"""

import re
from functools import lru_cache
from typing import Final

from servesim.payloads.protocol import NEWEST, Protocol
from servesim.payloads.protocol_1 import Old
from servesim.payloads.protocol_2 import Wrapped

_NUMBERS: Final = re.compile(r"(\d+)(?:\.(\d+))?")
_LATER: Final = (3, 4)
"""The first version that speaks as the newest. Chosen: what came between it and 3.17 was not looked at."""


@lru_cache(maxsize=256)
def protocol_of(mlflow: str) -> Protocol:
    """Return the protocol of an MLflow version such as ``1.28.0``; the newest for a text that is none."""
    found = _NUMBERS.match(mlflow)
    version = (int(found[1][:9]), int((found[2] or "0")[:9])) if found else _LATER
    if version < (2, 0):
        return Old(version)
    return Wrapped(version) if version < _LATER else NEWEST
