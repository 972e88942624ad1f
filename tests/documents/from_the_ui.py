"""Write the page ``docs/from-the-ui.md``: ``python tests/documents/from_the_ui.py > docs/from-the-ui.md``.

It is made from the docstrings of the tests of the published documents. A test of a step that the document takes by
clicking says so: which step, what is clicked, and which calls or commands do it here. The tests make those calls.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
HEAD = """\
# From the UI

servesim has no UI. What the published pages do by clicking is a call or a command here, and each line of this page is
a test that makes these calls and runs these commands. `servesim serve` prints the variables that point curl and the
commands at it; a call with a body is sent like this:

```sh
# to: servesim serve --serverless-preview enabled --model ElasticNet=constant:1
curl -u token:$DATABRICKS_TOKEN -X POST $DATABRICKS_HOST/api/2.0/preview/mlflow/endpoints-v2/enable \\
  -H 'Content-Type: application/json' -d '{"registered_model_name": "ElasticNet"}'
```

Calls below `/_servesim/v1` are those of the [admin API](admin.md#the-admin-api) and need its token; `{id}` is the name
of the workspace. Legacy serving answers while simulated time is before its end, e.g. with `--start-time 2025-06-01`;
the serverless preview in a workspace that has it: see [retired.md](retired.md).

This page is made from the tests, and a test fails when it is older than they are.
"""


class Step(NamedTuple):
    """What a test says of the step of a document that it does."""

    name: str
    """Which step, in words."""
    clicks: str
    """What the document does in the UI; empty if the step is a call there as well."""
    here: str
    """What is called or run here, in code spans."""
    test: str


class Document(NamedTuple):
    """A published document with its steps that tests do."""

    title: str
    address: str
    steps: tuple[Step, ...]
    file: str


def step_of(docstring: str | None, test: str = "") -> Step:
    """Read the docstring of a test: the step, and after blank lines ``In the UI:`` and ``Here:``."""
    said = {"": "", "In the UI": "", "Here": ""}
    for paragraph in re.split(r"\n\s*\n", docstring or ""):
        key, text = next(
            (
                (key, paragraph.strip().removeprefix(f"{key}:"))
                for key in said
                if paragraph.strip().startswith(f"{key}:")
            ),
            ("", paragraph),
        )
        said[key] = said[key] or " ".join(text.split())
    return Step(said[""].rstrip("."), said["In the UI"], said["Here"], test)


def read(file: Path) -> Document:
    """Read a module of tests without running it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in {"DOCUMENT", "ADDRESS"}
    }
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    steps = tuple(step_of(ast.get_docstring(test), test.name) for test in tests)
    return Document(names["DOCUMENT"], names["ADDRESS"], steps, file.name)


def documents() -> list[Document]:
    """Read every document, in the order of the way off."""
    return [read(file) for file in sorted(HERE.glob("test_published_*.py"))]


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(line for document in documents() for line in _section(document))]).rstrip() + "\n"


def _section(document: Document) -> Iterator[str]:
    clicked = [step for step in document.steps if step.clicks]
    if not clicked:
        return
    yield f"## {document.title}"
    yield ""
    yield f"[The page]({document.address}); its tests: `tests/documents/{document.file}`."
    yield ""
    yield "| step | in the UI | here |"
    yield "|---|---|---|"
    yield from (f"| {step.name} | {step.clicks} | {_cell(step.here)} |" for step in clicked)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
