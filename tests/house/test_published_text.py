"""What is published speaks of the product: no path of one machine, no host of a package registry."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each pattern is spelled so that it doesn't match this file.
MACHINE_PATH = r"(?<![\w.~-])/(?:work|root|home/\w+)/|/opt/[p]ypi|/opt/[w]heels|/tmp/[v]\b|/tmp/[b]ash_"
REGISTRY_HOST = r"pythonhosted\.org|pypi\.org|registry\.npmjs|deb\.debian\.org|crates\.io|conda\.anaconda"
PATTERNS = {"path of one machine": MACHINE_PATH, "host of a package registry": REGISTRY_HOST}


def published_files() -> list[Path]:
    """List the files that are tracked, or would be by the next commit."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in sorted(set(listed.split("\0"))) if name]
    return [path for path in paths if path.is_file()]


def findings(text: str, pattern: str) -> list[str]:
    """Quote the lines in which the pattern is found."""
    return [line.strip()[:200] for line in text.splitlines() if re.search(pattern, line)]


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_nothing_published_names_a(pattern):
    texts = {path: path.read_bytes().decode("utf-8", errors="replace") for path in published_files()}
    found = {path.relative_to(ROOT).as_posix(): findings(text, pattern) for path, text in texts.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "see /" + "work/main/notes"),
        (MACHINE_PATH, "'/" + "root/.cache/x'"),
        (MACHINE_PATH, "file:///" + "home/someone/x"),
        (REGISTRY_HOST, "https://files.python" + "hosted.org/packages"),
        (REGISTRY_HOST, "https://py" + "pi.org/simple"),
    ],
)
def test_the_search_finds(pattern, text):
    assert findings(text, pattern)


@pytest.mark.parametrize("text", ["/dbfs/work/x", "app/root/x", "~/work/x", "home/x", "/Workspace/x"])
def test_the_search_passes(text):
    assert not findings(text, MACHINE_PATH)
