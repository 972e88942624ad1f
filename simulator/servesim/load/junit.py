"""A load run as JUnit's XML: a case for each judgement and each limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from servesim.load.document import FAIL, INCONCLUSIVE, PASS
from servesim.service.documents import plain

if TYPE_CHECKING:
    from servesim.load.document import Run


def junit(run: Run) -> bytes:
    """Return the XML; what was not decided is an error, so that no CI takes it for a pass."""
    cases = [*run["judgements"], *run["checks"]] or [
        {"name": "the run", "outcome": run["outcome"], "why": "; ".join(run.get("notes") or []) or run["outcome"]}
    ]
    root = ET.Element("testsuites", name="servesim load")
    suite = ET.SubElement(root, "testsuite", name=plain(_suite(run)), tests=str(len(cases)))
    for attribute, outcome in (("failures", FAIL), ("errors", INCONCLUSIVE)):
        suite.set(attribute, str(sum(case["outcome"] == outcome for case in cases)))
    suite.set("time", f"{run['seconds']:.3f}")
    for case in cases:
        _add(suite, case, run)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(run: Run) -> str:
    return f"{run['test']} of {run['endpoint']}" if run.get("endpoint") else str(run["test"])


def _add(suite: ET.Element, case: dict[str, Any], run: Run) -> None:
    seconds = case["to_s"] - case["from_s"] if "to_s" in case else run["seconds"]
    element = ET.SubElement(
        suite, "testcase", classname=plain(run["test"]), name=plain(case["name"]), time=f"{seconds:.3f}"
    )
    why = plain(case["why"])
    if case["outcome"] == PASS:
        ET.SubElement(element, "system-out").text = why
        return
    kind = "failure" if case["outcome"] == FAIL else "error"
    told = ET.SubElement(element, kind, type=case["outcome"], message=f"{case['outcome']}: {why}")
    told.text = "\n".join([why, *(plain(remark) for remark in case.get("remarks") or [])])
