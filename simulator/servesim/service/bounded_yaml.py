"""YAML that servesim did not write and nobody vouches for: plain values alone, and no more of them than is bounded."""

from __future__ import annotations

from typing import Any

import yaml

NODE_LIMIT = 50_000
"""Values of a text, counted with what its aliases stand for."""
DEPTH_LIMIT = 50
NUMBER_CHARACTERS = 1_000
"""Of a number: one in base 60, ``1:1:1…``, takes time that grows with the square of its length."""

_TOO_MANY = f"holds more than {NODE_LIMIT:,} values"
_TOO_DEEP = f"nests deeper than {DEPTH_LIMIT} levels"
_TOO_LONG = f"holds a number of more than {NUMBER_CHARACTERS:,} characters"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class Unbounded(ValueError):  # noqa: N818 - named for what is so
    """A text is no YAML of plain values, or goes past the bounds; the message goes on after the name of the file."""


class _Loader(yaml.SafeLoader):
    """Stops at the first value too many of those that are written out."""

    written = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read the next value."""
        self.written += 1
        if self.written > NODE_LIMIT:
            raise Unbounded(_TOO_MANY)
        return super().compose_node(parent, index)


def read(text: str) -> Any:
    """Return the value of a text; raise Unbounded.

    Values are counted before they are made: an alias of an alias of an alias costs nothing until it is merged.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _count(root)
        return loader.construct_document(root)
    except Unbounded:
        raise
    except RecursionError as error:
        raise Unbounded(_TOO_DEEP) from error
    except yaml.MarkedYAMLError as error:
        raise Unbounded(f"cannot be read: {error.problem or 'it is no YAML'}") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise Unbounded(f"cannot be read: {str(error)[:200]}") from error


def _count(root: yaml.Node) -> None:
    seen, left = 0, [(root, 0)]
    while left:
        node, depth = left.pop()
        seen += 1
        if seen > NODE_LIMIT:
            raise Unbounded(_TOO_MANY)
        if depth > DEPTH_LIMIT:
            raise Unbounded(_TOO_DEEP)
        if isinstance(node, yaml.MappingNode):
            left.extend((part, depth + 1) for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            left.extend((part, depth + 1) for part in node.value)
        elif node.tag in _NUMBERS and len(node.value) > NUMBER_CHARACTERS:
            raise Unbounded(_TOO_LONG)
