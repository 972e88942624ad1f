"""Files as ``servesim migrate scan`` reads them: the code of scripts and of notebooks by lines, without comments.

Rules: nothing is run; a file that is no notebook, or no Python, though its name says so is read as plain text.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_LINE = 20_000
"""Characters of a line that are looked at; longer ones are what a program wrote."""
EVERYTHING = frozenset({"*"})

_SLASHES = frozenset((
    "js", "jsx", "mjs", "cjs", "ts", "tsx", "java", "scala", "kt", "cs", "go", "php", "m", "pq", "jsonc", "tf",
    "tfvars", "hcl",
))  # fmt: skip
_HASHES = frozenset((
    "sh", "bash", "zsh", "ps1", "yaml", "yml", "tf", "tfvars", "hcl", "toml", "ini", "cfg", "conf", "env", "properties",
    "r", "rb", "http", "rest",
))  # fmt: skip
_DASHES = frozenset({"sql"})
_SILENCED = re.compile(r"(?:#|//|--|/\*|<!--)\s*servesim:\s*ignore(?:\[([\w\s,]{1,200})\])?")
_MAGIC = ("# MAGIC", "// MAGIC", "-- MAGIC")
_SHELL_MAGIC = re.compile(r"\s*(?:%|!)")
_OTHER_CELL = re.compile(r"\s*%%?(?:sh|bash|script|scala|r|sql|md|markdown|html|javascript|js|writefile)\b")
_PROSE_CELL = re.compile(r"\s*%%?(?:md|markdown|html)\b")


class Line(NamedTuple):
    """A line of code, and where it stands."""

    code: str
    """Without comments; what is left stands where it stood."""
    number: int
    """Its line in the file, from 1."""
    before: int = 0
    """Characters before it there: in a notebook it stands within a text of JSON."""
    cell: str = ""
    """Where it stands in a notebook: ``cell 3, line 2``."""
    silenced: frozenset[str] = frozenset()
    """Rules that a comment silences."""

    def column(self, start: int) -> int:
        """Return the column in the file, from 1, of what has so many characters before it in the line."""
        ahead = len(json.dumps(self.code[:start], ensure_ascii=False)) - 2 if self.cell else start
        return self.before + ahead + 1


class Source(NamedTuple):
    """Code in one language."""

    lines: list[Line]
    is_python: bool = False

    @property
    def text(self) -> str:
        """All of it, a line of the text for each line."""
        return "\n".join(line.code for line in self.lines)


def sources(text: str, suffix: str) -> list[Source]:
    """Return the code of a file; ``suffix`` is what its name ends in, without the dot."""
    if suffix == "ipynb":
        try:
            return _notebook(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return [Source(_plain(text.split("\n"), ""))]
    if suffix == "py":
        return [_python([Line(line, number) for number, line in enumerate(text.split("\n"), 1)])]
    return [Source(_plain(text.split("\n"), suffix))]


def parsed(text: str) -> ast.Module | None:
    """Read Python; None if it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what others wrote may have invalid escapes
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _plain(lines: Iterable[str], suffix: str) -> list[Line]:
    marks = tuple(mark for mark, those in (("//", _SLASHES), ("#", _HASHES), ("--", _DASHES)) if suffix in those)
    return [_cut(line, number, marks) for number, line in enumerate(lines, 1)]


def _cut(line: str, number: int, marks: tuple[str, ...]) -> Line:
    bare = line.lstrip()
    is_comment = bool(marks) and bare.startswith(marks) and not bare.startswith((*_MAGIC, "#!"))
    return Line("" if is_comment else line[:LONGEST_LINE], number, silenced=_silenced(line))


def _silenced(line: str) -> frozenset[str]:
    match = _SILENCED.search(line) if "servesim:" in line else None
    if match is None:
        return frozenset()
    return frozenset(re.split(r"[\s,]+", match[1].strip().upper())) if match[1] else EVERYTHING


# --- Python ---------------------------------------------------------------------------------------


def _python(lines: list[Line]) -> Source:
    """Return lines of Python without comments and docstrings, but with what Databricks runs in comments."""
    code = [line.code for line in lines]
    blanked = _without_comments(code)
    tree = parsed("\n".join(code))
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                blanked[number] = ""
    kept = (
        line._replace(code=text[:LONGEST_LINE], silenced=_silenced(line.code))
        for line, text in zip(lines, blanked, strict=True)
    )
    return Source(list(kept), is_python=True)


def _without_comments(code: list[str]) -> list[str]:
    blanked = list(code)
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(code)).readline):
            if token.type == tokenize.COMMENT and not token.string.startswith("# MAGIC"):
                row, column = token.start
                blanked[row - 1] = blanked[row - 1][:column]
    except (tokenize.TokenError, SyntaxError, IndexError):
        return [
            "" if line.lstrip().startswith("#") and not line.lstrip().startswith("# MAGIC") else line
            for line in blanked
        ]
    return blanked


# --- notebooks ------------------------------------------------------------------------------------


def _notebook(text: str) -> list[Source]:
    """Return the cells of a notebook: those in Python as one source, for they share their names."""
    document = json.loads(text)
    language = document.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    ends = [match.start() for match in re.finditer("\n", text)]
    python: list[Line] = []
    others: list[Source] = []
    at = 0
    for number, cell in enumerate(document["cells"], 1):
        lines, at = _located(text, ends, at, list(_cell_lines(cell)), number)
        first = next((line.code for line in lines if line.code.strip()), "")
        if cell["cell_type"] != "code" or _PROSE_CELL.match(first):
            continue
        if language != "python" or _OTHER_CELL.match(first):
            others.append(Source([line._replace(silenced=_silenced(line.code)) for line in lines]))
            continue
        magic = [line for line in lines if _SHELL_MAGIC.match(line.code)]
        others.extend([Source([line._replace(silenced=_silenced(line.code)) for line in magic])] if magic else [])
        python += [line._replace(code="") if _SHELL_MAGIC.match(line.code) else line for line in lines]
    return [_python(python), *others]


def _cell_lines(cell: dict[str, Any]) -> Iterator[str]:
    source = cell["source"]
    yield from (source if isinstance(source, str) else "".join(source)).split("\n")


def _located(text: str, ends: list[int], at: int, code: list[str], cell: int) -> tuple[list[Line], int]:
    """Return the lines of a cell with where they stand in the file, and where the next cell may begin."""
    lines = []
    for number, line in enumerate(code, 1):
        found = -1
        for is_ascii in (False, True) if line.strip() else ():
            encoded = json.dumps(line, ensure_ascii=is_ascii)[1:-1]
            if (found := text.find(encoded, at)) >= 0:
                at = found + len(encoded)
                break
        start = max(found, 0) if found >= 0 else at
        row = bisect_right(ends, start - 1)
        before = start - (ends[row - 1] + 1 if row else 0)
        lines.append(Line(line, row + 1, before, f"cell {cell}, line {number}"))
    return lines, at
