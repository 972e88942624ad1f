"""Hypothesis strategies for models that are served: signatures, tables, requests, and what must be refused."""

from servesim.payloads.encode import FORMATS, Format, Payload, Table, encode
from servesim.strategies.broken import BrokenConfig, broken_configs
from servesim.strategies.configs import (
    OfferedModel,
    create_bodies,
    endpoint_configs,
    traffic_configs,
)
from servesim.strategies.equivalence import (
    assert_formats_agree,
    assert_order_is_ignored,
    disagreement,
    equal_formats,
    equivalent_payloads,
    reordered_payloads,
)
from servesim.strategies.examples import examples_of
from servesim.strategies.history import History
from servesim.strategies.invariants import INVARIANTS
from servesim.strategies.lifecycle import EndpointLifecycle
from servesim.strategies.malformed import Malformed, Reason, malformed, reasons_of
from servesim.strategies.payloads import formats_of, params_of, payloads, tables
from servesim.strategies.signatures import signature_of, signatures
from servesim.strategies.targets import Answer, Open, ServesimTarget, Target

__all__ = [
    "FORMATS",
    "INVARIANTS",
    "Answer",
    "BrokenConfig",
    "EndpointLifecycle",
    "Format",
    "History",
    "Malformed",
    "OfferedModel",
    "Open",
    "Payload",
    "Reason",
    "ServesimTarget",
    "Table",
    "Target",
    "assert_formats_agree",
    "assert_order_is_ignored",
    "broken_configs",
    "create_bodies",
    "disagreement",
    "encode",
    "endpoint_configs",
    "equal_formats",
    "equivalent_payloads",
    "examples_of",
    "formats_of",
    "malformed",
    "params_of",
    "payloads",
    "reasons_of",
    "reordered_payloads",
    "signature_of",
    "signatures",
    "tables",
    "traffic_configs",
]
