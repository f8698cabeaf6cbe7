"""Texts followed through the package's source with `ast`: from an expression to every text that it can be.

Names lead to where they are bound: assignments, ``append``, loops, the callers of a parameter, constants of other
modules; calls lead to what the package's own function returns or yields. What leads nowhere is an `UnreadError`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Bound = tuple[ast.expr, "Scope"]

_THROUGH = frozenset({"fromkeys", "join", "list", "sorted", "str", "tuple"})
"""Calls that hand on the texts of their first argument."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a node stands: its module (``postgres.clients``), and the functions around it from the outermost."""

    module: str
    functions: tuple[ast.FunctionDef, ...] = ()

    def within(self, function: ast.FunctionDef) -> Scope:
        """The inside of a function that stands here."""
        return Scope(self.module, (*self.functions, function))


class UnreadError(Exception):
    """An expression that cannot be followed to its texts."""


class Source:
    """A package's source. ``nodes`` are all its nodes with where they stand."""

    def __init__(self, folder: Path, passed: Container[object], words: Mapping[str, str]) -> None:
        """``passed``: attributes, keys and caught errors with a text from elsewhere; ``words``: better names for values."""
        self.nodes: list[tuple[ast.AST, Scope]] = []
        self._package = f"{folder.name}."
        self._passed = passed
        self._words = words
        self._functions: dict[tuple[str, str], list[tuple[ast.FunctionDef, Scope]]] = defaultdict(list)
        self._calls: dict[str, list[tuple[ast.Call, Scope]]] = defaultdict(list)
        self._constants: dict[tuple[str, str], ast.expr] = {}
        self._imports: dict[tuple[str, str], tuple[str, str]] = {}
        self._busy: set[tuple[str, str]] = set()
        for path in sorted(folder.rglob("*.py")):
            module = ".".join(path.relative_to(folder).with_suffix("").parts)
            self._enter(ast.parse(path.read_text(encoding="utf-8")), Scope(module))

    def _enter(self, node: ast.AST, scope: Scope) -> None:
        self.nodes.append((node, scope))
        match node:
            case ast.FunctionDef(name=name):
                self._functions[scope.module, name].append((node, scope))
            case ast.Call(func=called):
                self._calls[last_name(called)].append((node, scope))
            case ast.ImportFrom(module=str(origin), names=names) if origin.startswith(self._package):
                home = origin.removeprefix(self._package)
                self._imports |= {(scope.module, one.name): (home, one.name) for one in names}
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not scope.functions:
                self._constants[scope.module, name] = value
        inner = scope.within(node) if isinstance(node, ast.FunctionDef) else scope
        for child in ast.iter_child_nodes(node):
            self._enter(child, inner)

    def functions(self, name: str, scope: Scope) -> list[tuple[ast.FunctionDef, Scope]]:
        """The functions and methods that a name means there."""
        return self._functions.get(self._home(name, scope.module), [])

    def _home(self, name: str, module: str) -> tuple[str, str]:
        return self._imports.get((module, name), (module, name))

    # --- texts -----------------------------------------------------------------------------------------------------

    def texts(self, node: ast.expr, scope: Scope) -> list[str]:
        """Every text that an expression can be, values in braces; none for what was passed on from elsewhere."""
        match node:
            case ast.Constant(value=str()) | ast.JoinedStr():
                return ["".join(self._part(one, scope) for one in getattr(node, "values", [node]))]
            case ast.BinOp(left=left, right=right) if not isinstance(right, ast.List | ast.ListComp):
                return [a + b for a in self._side(left, scope) for b in self._side(right, scope)]
            case ast.Subscript(slice=ast.Constant(value=key)) | ast.Attribute(attr=key) if key in self._passed:
                return []
            case ast.Call():
                return self._texts_of_call(node, scope)
            case ast.Name(id=name):
                return self._texts_of_name(name, scope)
        return [text for one in _branches(node) for text in self.texts(one, scope)]

    def _part(self, node: ast.expr, scope: Scope) -> str:
        """A piece of an f-string: its text, the value of a constant, or a value in braces."""
        if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
            constant = self._constants.get(self._home(node.value.id, scope.module))
            if isinstance(constant, ast.Constant) and not isinstance(constant.value, float):
                node = constant
        return str(node.value) if isinstance(node, ast.Constant) else f"{{{self.word(node)}}}"

    def _side(self, node: ast.expr, scope: Scope) -> list[str]:
        """One side of a sum: a text that was passed on stands there as a value."""
        return self.texts(node, scope) or [f"{{{self.word(node)}}}"]

    def _texts_of_call(self, node: ast.Call, scope: Scope) -> list[str]:
        name = last_name(node.func)
        if name in _THROUGH:
            return [text for one in node.args[:1] for text in self.texts(one, scope)]
        if name == "get" and isinstance(node.args[0], ast.Constant) and node.args[0].value in self._passed:
            return []
        return [text for value, inner in self._results(name, scope) for text in self.texts(value, inner)]

    def _results(self, name: str, scope: Scope) -> Iterator[Bound]:
        """What a function of the package returns and yields."""
        found = self.functions(name, scope)
        if not found:
            raise UnreadError
        for function, outer in found:
            for node in ast.walk(function):
                if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value is not None:
                    yield node.value, outer.within(function)

    def _texts_of_name(self, name: str, scope: Scope) -> list[str]:
        """From the innermost function outwards, then among the constants."""
        for depth in range(len(scope.functions), 0, -1):
            inner = Scope(scope.module, scope.functions[:depth])
            caught = find_caught(name, inner)
            if caught and all(error in self._passed for error in caught):
                return []
            bound = [*_bindings(name, inner), *self._arguments(name, inner), *self._unpacked(name, inner)]
            if bound and not caught:
                return self._texts_bound(name, bound, inner)
        home = self._home(name, scope.module)
        if home not in self._constants:
            raise UnreadError
        return self.texts(self._constants[home], Scope(home[0]))

    def _texts_bound(self, name: str, bound: Iterable[Bound], scope: Scope) -> list[str]:
        key = (name, f"{scope.module}:{scope.functions[-1].lineno}")
        if key in self._busy:  # bound to itself: nothing new
            return []
        self._busy.add(key)
        try:
            return [text for value, where in bound for text in self.texts(value, where)]
        finally:
            self._busy.discard(key)

    def _arguments(self, name: str, scope: Scope) -> list[Bound]:
        """What callers give for a parameter of the innermost function."""
        function = scope.functions[-1]
        plain = [one.arg for one in function.args.args]
        if name not in [*plain, *(one.arg for one in function.args.kwonlyargs)]:
            return []
        position = plain.index(name) - (plain[0] == "self") if name in plain else None
        calls = [
            (call, where)
            for call, where in self._calls[function.name]
            if self._home(function.name, where.module) == (scope.module, function.name)
        ]
        found = [(value, where) for call, where in calls for value in given(call, name, position)]
        if not found:  # called by another name
            raise UnreadError
        return found

    def _unpacked(self, name: str, scope: Scope) -> Iterator[Bound]:
        """What a tuple of names takes from the tuple that a function returns."""
        for node in ast.walk(scope.functions[-1]):
            match node:
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Call() as call):
                    for at in (at for at, one in enumerate(names) if last_name(one) == name):
                        for value, where in self._results(last_name(call.func), scope):
                            if not isinstance(value, ast.Tuple):
                                raise UnreadError
                            yield value.elts[at], where

    # --- values ----------------------------------------------------------------------------------------------------

    def word(self, node: ast.AST) -> str:
        """What to call a value: the last name in its expression, or a better one."""
        match node:
            case ast.FormattedValue(value=inner) | ast.Subscript(value=inner) | ast.GeneratorExp(elt=inner):
                return self.word(inner)
            case (
                ast.Attribute(attr="name" | "__name__", value=inner)
                | ast.BoolOp(values=[inner, *_])
                | ast.BinOp(left=inner)
            ):
                return self.word(inner)
            case ast.Call(func=ast.Attribute(attr="join") | ast.Name(id="sorted" | "str"), args=[inner]):
                return self.word(inner)
            case ast.Call(func=ast.Name(id="len")):
                return "number"
        name = last_name(node)
        return self._words.get(name, name.strip("_").replace("_", " ").lower())


# --- syntax --------------------------------------------------------------------------------------------------------


def last_name(node: ast.AST) -> str:
    """The last name of a name, an attribute, or a call or subscript of one; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return last_name(inner)
    return ""


def given(call: ast.Call, name: str, position: int | None) -> list[ast.expr]:
    """What a call gives for a parameter; nothing where it stands behind a ``*``."""
    named = [one.value for one in call.keywords if one.arg == name]
    stars = [at for at, one in enumerate(call.args) if isinstance(one, ast.Starred)]
    plain = call.args[: stars[0]] if stars else call.args
    return named + ([plain[position]] if position is not None and position < len(plain) else [])


def find_caught(name: str, scope: Scope) -> set[str]:
    """The classes of the errors that the innermost function catches, or is given, by this name."""
    types: list[ast.expr | None] = []
    for node in ast.walk(scope.functions[-1]) if scope.functions else ():
        match node:
            case ast.ExceptHandler(name=found, type=ast.Tuple(elts=several)) if found == name:
                types += several
            case ast.ExceptHandler(name=found, type=one) if found == name:
                types.append(one)
            case ast.arg(arg=found, annotation=ast.Name(id=one)) if found == name and one.endswith("Error"):
                types.append(node.annotation)
    return {last_name(one) for one in types if one is not None}


def _bindings(name: str, scope: Scope) -> Iterator[Bound]:
    """What the innermost function binds a name to."""
    for node in ast.walk(scope.functions[-1]):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=found)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value)
                | ast.AugAssign(target=ast.Name(id=found), value=ast.expr() as value)
                | ast.comprehension(target=ast.Name(id=found), iter=ast.expr() as value)
                | ast.For(target=ast.Name(id=found), iter=ast.expr() as value)
                | ast.Call(func=ast.Attribute(attr="append", value=ast.Name(id=found)), args=[ast.expr() as value])
            ) if found == name:
                yield value, scope


def _branches(node: ast.expr) -> list[ast.expr]:
    """The expressions of which one, or each, is the text."""
    match node:
        case ast.Constant():
            return []
        case ast.IfExp(body=body, orelse=other) | ast.BinOp(left=body, right=other):
            return [body, other]
        case ast.BoolOp(values=inner) | ast.Tuple(elts=inner) | ast.List(elts=inner):
            return inner
        case ast.GeneratorExp(elt=one) | ast.ListComp(elt=one) | ast.Starred(value=one) | ast.Subscript(value=one):
            return [one]
    raise UnreadError
