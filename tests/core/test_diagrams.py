import subprocess
import sys
from pathlib import Path

from servesim.core import deployment, endpoint, enrolment, model_endpoint
from servesim.core.diagrams import page

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_page_is_as_new_as_the_tables():
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m servesim.core.diagrams > docs/lifecycle.md"


def test_the_page_shows_every_entry_once():
    rows = [line for line in page().splitlines() if line.startswith("| ") and not line.startswith("| In")]
    expected = [
        f"| {left} | {signal} | {entered} |"
        for table in (deployment.TABLE, endpoint.TABLE, model_endpoint.TABLE, enrolment.TABLE)
        for (left, signal), entered in table.items()
    ]
    assert rows == expected


def test_the_module_writes_the_page():
    command = [sys.executable, "-m", "servesim.core.diagrams"]
    written = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert written.replace("\r\n", "\n") == page()
