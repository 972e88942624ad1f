"""The text of a YAML file as a document: the values of JSON, and the line of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from servesim.service.documents import NODE_LIMIT, Document, DocumentError, Key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEYS = frozenset(f"tag:yaml.org,2002:{tag}" for tag in ("str", "merge", "timestamp"))
"""What a key may be."""


class _Loader(yaml.SafeLoader):
    """YAML with the values of JSON: a date stays the text that was written."""


def _as_written(_loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _refuse(_loader: _Loader, node: yaml.Node) -> None:
    raise yaml.constructor.ConstructorError(None, None, f"{node.tag} has no JSON", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)
for _tag in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse)


def parse(path: Path, text: str) -> Document:
    """Return what a YAML text says; raise DocumentError."""
    lines: dict[Key, int] = {}
    document = Document(path, None, lines)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        for key, node in _nodes(document, root, ()):
            lines[key] = node.start_mark.line + 1
            if len(lines) > NODE_LIMIT:
                raise document.error(key, f"more than {NODE_LIMIT:,} values")
        return Document(path, None if root is None else loader.construct_document(root), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentError(f"{path}, line {line}: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{path}: {error}") from error


def _nodes(document: Document, node: yaml.Node | None, key: Key) -> Iterator[tuple[Key, yaml.Node]]:
    """Yield each value with its key; a key that stands twice is an error, the last would win silently."""
    if node is None:
        return
    yield key, node
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _nodes(document, item, (*key, index))
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for name, value in node.value:
            inner = (*key, str(name.value) if isinstance(name, yaml.ScalarNode) else "?")
            if name.tag not in _KEYS:
                document.lines[inner] = name.start_mark.line + 1
                raise document.error(inner, "a key is text: put it in quotes")
            if inner in seen:
                document.lines[inner] = name.start_mark.line + 1
                raise document.error(inner, "stands twice")
            seen.add(inner)
            yield from _nodes(document, value, inner)
