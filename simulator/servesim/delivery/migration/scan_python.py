"""What only the syntax of Python shows: URLs that are put together, and bodies by how they are made.

A name stands for what was assigned to it last above its use, in its function or else in the module; an unknown part of
a text is ``{}``.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from servesim.delivery.migration.scan_patterns import Hit, urls
from servesim.delivery.migration.scan_source import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNKNOWN = "{}"
DEEPEST = 40
LONGEST = 2_000
"""Characters of a text that is put together."""
SCORING = re.compile(r"/(?:model|model-endpoint|serving-endpoints)/[^\n]{0,200}?invocations")
"""A scoring path of any generation."""

_SENDERS = frozenset({"post", "put", "request", "Request", "urlopen", "fetch"})
_BODIES = frozenset({"data", "json", "content", "body"})
_KEYS = frozenset({"dataframe_split", "dataframe_records", "instances", "inputs"})
_SPLIT, _LIST = "SRV009", "SRV011"
_Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Scope(NamedTuple):
    """What names stand for: each assignment with its line."""

    names: dict[str, list[tuple[int, ast.expr]]]
    outer: Scope | None
    texts: dict[int, str]
    """Those that were put together before, by the identity of their expressions."""

    def find(self, name: str, line: int) -> ast.expr | None:
        """Return what was assigned to a name last above a line."""
        assigned = self.names.get(name, [])
        above = bisect_left(assigned, line, key=itemgetter(0))
        if above:
            return assigned[above - 1][1]
        return self.outer.find(name, 10**9) if self.outer is not None and name not in self.names else None


def python_hits(text: str) -> Iterator[tuple[int, Hit]]:
    """Yield what is found in Python, each with the index of its line; nothing where it cannot be read."""
    tree = parsed(text)
    if tree is None:
        return
    lines = text.split("\n")
    is_scoring = SCORING.search(text) is not None
    seen: set[int] = set()
    for node, scope in _scoped(tree):
        if isinstance(node, ast.Call):
            for rule, expression in _bodies(node, scope, is_scoring=is_scoring):
                yield _at(expression, lines, Hit(rule, 0, 0, ast.get_source_segment(text, expression) or ""))
        if isinstance(node, ast.expr) and id(node) not in seen and _makes_text(node):
            seen.update(map(id, ast.walk(node)))
            for hit in urls(template(node, scope)):
                yield _at(node, lines, hit)


def _makes_text(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "urljoin") | ast.Name(id="urljoin")):
            return True
    return False


def _scoped(tree: ast.Module) -> Iterator[tuple[ast.AST, Scope]]:
    """Yield every node with the names that are known there, what is outside before what is inside."""
    waiting: list[tuple[ast.AST, Scope]] = [(tree, _names(tree, None))]
    for node, scope in waiting:  # it grows meanwhile
        yield node, scope
        inner = _names(node, scope) if isinstance(node, _Scoped) else scope
        waiting.extend((child, inner) for child in ast.iter_child_nodes(node))


def _names(owner: ast.AST, outer: Scope | None) -> Scope:
    names: dict[str, list[tuple[int, ast.expr]]] = {}
    waiting = list(ast.iter_child_nodes(owner))
    for node in waiting:
        if isinstance(node, ast.arg):
            names.setdefault(node.arg, [])  # whatever the caller gives
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    names.setdefault(target.id, []).append((node.lineno, node.value))
        if not isinstance(node, _Scoped):
            waiting.extend(ast.iter_child_nodes(node))
    for found in names.values():
        found.sort(key=itemgetter(0))
    return Scope(names, outer, {} if outer is None else outer.texts)


def template(node: ast.expr, scope: Scope, depth: int = 0) -> str:
    """Return the text that an expression makes, as far as it can be read."""
    if depth > DEEPEST:
        return UNKNOWN
    known = scope.texts.get(id(node))
    if known is None:
        known = scope.texts[id(node)] = _text(node, scope, depth)[:LONGEST]
    return known


def _text(node: ast.expr, scope: Scope, depth: int) -> str:
    def part(inner: ast.expr) -> str:
        return template(inner, scope, depth + 1)

    match node:
        case ast.Constant(value=str() | int() as constant):
            text = str(constant)
        case ast.JoinedStr(values=values):
            text = "".join(map(part, values))
        case ast.FormattedValue(value=value):
            text = part(value)
        case ast.BinOp():
            text = _operated(node, part)
        case ast.Name(id=name):
            assigned = scope.find(name, node.lineno)
            text = UNKNOWN if assigned is None else part(assigned)
        case ast.Call():
            text = _called(node, part)
        case _:
            text = UNKNOWN
    return text


def _operated(node: ast.BinOp, part: Callable[[ast.expr], str]) -> str:
    if isinstance(node.op, ast.Add):
        return part(node.left) + part(node.right)
    if not isinstance(node.op, ast.Mod):
        return UNKNOWN
    values = iter(node.right.elts if isinstance(node.right, ast.Tuple) else [node.right])
    return re.sub("%[sdr]", lambda _: next(map(part, islice(values, 1)), UNKNOWN), part(node.left))


def _called(node: ast.Call, part: Callable[[ast.expr], str]) -> str:
    """Return the text that a call makes of others."""
    if not isinstance(node.func, ast.Attribute):
        is_join = isinstance(node.func, ast.Name) and node.func.id == "urljoin"
        return "/".join(part(one).strip("/") for one in node.args) if is_join else UNKNOWN
    attr, owner = node.func.attr, part(node.func.value)
    args = [part(one) for one in _listed(node.args)]
    if attr == "format":
        values = iter(args)
        return re.sub(r"\{\}", lambda _: next(values, UNKNOWN), owner)
    if attr == "join" and owner != UNKNOWN:
        return owner.join(args)
    if attr in {"join", "urljoin"}:  # of a module for paths or addresses
        return "/".join(one.strip("/") for one in args)
    return owner if attr in {"strip", "rstrip", "lstrip", "replace"} else UNKNOWN


def _listed(args: list[ast.expr]) -> list[ast.expr]:
    return list(args[0].elts) if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple) else args


# --- bodies ---------------------------------------------------------------------------------------


def _bodies(call: ast.Call, scope: Scope, *, is_scoring: bool) -> Iterator[tuple[str, ast.expr]]:
    """Yield the bodies of MLflow 1.x that a call sends, each with its rule."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _SENDERS:
        return
    first = int(name == "request")  # its first argument is the method
    given = {one.arg: one.value for one in call.keywords if one.arg is not None}
    url = given.get("url") or next(iter(call.args[first : first + 1]), None)
    address = template(url, scope) if url is not None else UNKNOWN
    is_known = SCORING.search(address) is not None
    if not is_known and re.sub(r"\{\}", "", address).strip("/"):
        return  # it goes elsewhere
    sent = [value for key, value in given.items() if key in _BODIES] + call.args[first + 1 : first + 2]
    for body in sent:
        found = _body(body, scope)
        if found is not None and (is_known or is_scoring or found[0] == _SPLIT):
            yield found


def _body(node: ast.expr, scope: Scope, depth: int = 0) -> tuple[str, ast.expr] | None:
    """Return the rule that a body breaks, and what makes it so."""
    if depth > DEEPEST:
        return None
    inner = _unwrapped(node, scope)
    if inner:
        return next((found for one in inner if (found := _body(one, scope, depth + 1)) is not None), None)
    return _made(node)


def _unwrapped(node: ast.expr, scope: Scope) -> list[ast.expr]:
    """Return what a body is made of, where that is its form as well."""
    match node:
        case ast.Name(id=name):
            value = scope.find(name, node.lineno)
            return [] if value is None else [value]
        case ast.IfExp(body=one, orelse=other):
            return [one, other]
        case ast.Call(func=ast.Attribute(attr="encode", value=inner)):
            return [inner]
        case ast.Call(func=ast.Attribute(attr="dumps" | "loads") | ast.Name(id="dumps" | "loads"), args=[inner, *_]):
            return [inner]
    return []


def _made(node: ast.expr) -> tuple[str, ast.expr] | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="to_json" | "to_dict")):
            return _oriented(node)
        case ast.Call(func=ast.Attribute(attr="tolist")) | ast.List() | ast.ListComp():
            return _LIST, node
        case ast.Dict(keys=keys):
            names = {key.value for key in keys if isinstance(key, ast.Constant)}
            return (_SPLIT, node) if {"columns", "data"} <= names and not names & _KEYS else None
        case ast.Constant(value=str() as text):
            return _literal(text, node)
    return None


def _oriented(call: ast.Call) -> tuple[str, ast.expr] | None:
    given = [one.value for one in call.keywords if one.arg == "orient"] or call.args[-1:]
    orient = given[0].value if given and isinstance(given[0], ast.Constant) else None
    rule = {"split": _SPLIT, "records": _LIST}.get(str(orient))
    return (rule, call) if rule else None


def _literal(text: str, node: ast.expr) -> tuple[str, ast.expr] | None:
    if text.lstrip().startswith("["):
        return _LIST, node
    is_split = '"columns"' in text and '"data"' in text and not any(key in text for key in _KEYS)
    return (_SPLIT, node) if is_split and text.lstrip().startswith("{") else None


def _at(node: ast.expr, lines: list[str], hit: Hit) -> tuple[int, Hit]:
    """Return a hit with where its expression stands; the syntax counts bytes."""
    index = node.lineno - 1
    line = lines[index].encode()
    start = len(line[: node.col_offset].decode(errors="replace"))
    last = node.end_col_offset if node.end_lineno == node.lineno and node.end_col_offset else len(line)
    return index, hit._replace(start=start, end=len(line[:last].decode(errors="replace")))
