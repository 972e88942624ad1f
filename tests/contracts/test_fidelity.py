import subprocess
import sys
from pathlib import Path

from servesim.contracts.documents import document
from servesim.contracts.fidelity import GRADES, page
from servesim.contracts.operations import find, operations
from servesim.generations.ga_texts import TEXTS

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"


def test_the_page_is_as_new_as_the_contracts():
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m servesim.contracts.fidelity > docs/fidelity.md"


def test_the_module_writes_the_page():
    command = [sys.executable, "-m", "servesim.contracts.fidelity"]
    written = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert written.replace("\r\n", "\n") == page()


def test_the_page_has_every_operation_and_every_refusal_once():
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page().splitlines() if line.startswith("| `")]
    named = [f"`{operation.method} {operation.path}`" for operation in operations()]
    assert rows == [f"`{grade}`" for grade in GRADES] + named + [f"`{code}`" for code in TEXTS]


def test_what_is_said_not_to_be_simulated_is_in_no_contract_and_on_the_page():
    known = document()["x-not-simulated"]
    assert "POST /api/2.0/external-function" in {one["call"] for one in known}
    for one in known:
        assert one["grade"] in GRADES
        assert find(*one["call"].split(" ")) is None, one["call"]
        assert f"- `{one['call']}` ({one['grade']}): " in page()
