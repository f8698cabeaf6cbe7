"""Every error and warning that an operator can see, read off the source: for docs/messages.md and for its test.

A message is what goes into an error of ours, into `say`, a logger's ``warning``, or a field that reports carry. An
expression that cannot be followed to its texts is in ``unread``, a ``raise`` of something unknown in ``unknown_raises``:
no message is left out in silence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openphone_sync
from openphone_sync import errors
from tests.docs.following import Scope, Source, UnreadError, find_caught, given, last_name

PACKAGE = Path(openphone_sync.__file__).parent
MARK = "; "
"""Stands between what is wrong and what to do, and nowhere else."""

FIELDS = {"reason": "reason", "unfit": "reason", "warnings": "warning", "message": "contact", "mend": "check"}
"""Fields whose text an operator reads, and the kind of message in them."""
CARRIERS = frozenset({"JournalEntry", "RunReport"})
"""Classes whose fields are filled with what the state or a report holds already."""
OTHER_ERRORS = frozenset({"BadParameter", "SandboxError"})
"""Errors for operators that do not stand in `errors`: typer's for usage, the sandbox's own."""
PASSED = frozenset({*FIELDS, "stopped_by", *vars(errors), *OTHER_ERRORS})
"""Attributes, keys and caught errors whose text was collected where it was made."""

SILENT = {
    "AssertionError": "a bug, which the door words",
    "AttributeError": "Python's own protocol",
    "BrokenPipeError": "an exit code",
    "Exit": "an exit code",
    "IsADirectoryError": "worded by `workflows.export._why`",
    "LookupError": "a bug, which the door words",
    "SystemExit": "an exit code",
    "_BusyError": "worded by `Caller.call` when it gives up",
    "_UnsentError": "worded by `Caller.call` when it gives up",
    "alerts.ValueError": "worded by `alerts.ping`",
    "openphone.wire.ValueError": "worded by `OpenPhone._parse`",
}
"""What is raised and never shown with a text of its own, and why."""
PIECES = {"config._RejectedError": "accepted", "mapping.ValueError": "unfit"}
"""Errors whose text stands in another message as ``{error}``."""

WORDS = {
    "_first_line": "answer",
    "_place": "place",
    "_primary": "answer",
    "_read_log_tail": "answer",
    "_reason": "cause",
    "_why": "cause",
    "dbname": "database",
    "good": "time",
    "message": "cause",
    "reason": "cause",
    "strerror": "cause",
    "type": "cause",
}
"""Better names for values than their last name in the source."""


@dataclass(frozen=True, slots=True)
class Message:
    """``what`` is wrong and how to ``mend`` it; ``kind`` is the class of an error, or a kind of `FIELDS`."""

    what: str
    mend: str
    kind: str
    module: str
    line: int

    @property
    def text(self) -> str:
        """As it is shown."""
        return self.what + MARK + self.mend if self.mend else self.what


class Messages:
    """All messages of a package."""

    def __init__(self, folder: Path = PACKAGE) -> None:
        self._source = Source(folder, PASSED, WORDS)
        self._classes = {node.name: node for node, _ in self._source.nodes if isinstance(node, ast.ClassDef)}
        self.unread: list[str] = []
        self.found = [one for node, scope in self._source.nodes for one in self._read(node, scope)]
        self.unknown_raises = [
            f"{scope.module}:{node.lineno}: {ast.unparse(node)}"
            for node, scope in self._source.nodes
            if isinstance(node, ast.Raise) and not self._is_known(node.exc, scope)
        ]

    def pieces(self, kind: str) -> list[str]:
        """The texts that stand in other messages as ``{error}``, without what they have in common."""
        calls = [
            (node.exc, scope)
            for node, scope in self._source.nodes
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
            if PIECES.get(f"{scope.module}.{last_name(node.exc)}") == kind
        ]
        return sorted({text for call, scope in calls for text in self._source.texts(call.args[0], scope)})

    # --- what is shown ---------------------------------------------------------------------------------------------

    def _read(self, node: ast.AST, scope: Scope) -> Iterator[Message]:
        for kind, shown in self._shown(node, scope):
            try:
                texts = self._source.texts(shown, scope)
            except UnreadError:
                self.unread.append(f"{scope.module}:{shown.lineno}: {ast.unparse(shown)}")
                continue
            for text in filter(_has_words, texts):
                what, _, mend = text.partition(MARK)
                if kind == "check" and isinstance(node, ast.Call):
                    what, mend = self._describe_check(node, scope), text
                yield Message(what, mend, kind, scope.module, shown.lineno)

    def _describe_check(self, node: ast.Call, scope: Scope) -> str:
        """A check's name, with its detail where that is one text."""
        name, *_ = self._source.texts(node.args[0], scope)
        try:
            details = [text for one in given(node, "detail", 2) for text in self._source.texts(one, scope)]
        except UnreadError:
            details = []
        return f"{name}: {details[0]}" if len(details) == 1 else name

    def _shown(self, node: ast.AST, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
        """The expressions of a node that an operator gets to read, with the kind of message."""
        match node:
            case ast.ClassDef(name=name) if own := self._own_words(name):
                yield name, own
            case ast.Call():
                yield from self._shown_by_call(node, scope)
            case ast.Assign(targets=[ast.Attribute(attr=field)], value=value) if field in FIELDS and _is_product(scope):
                yield FIELDS[field], value

    def _shown_by_call(self, node: ast.Call, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
        name = last_name(node.func)
        if kind := self._error_kind(name, scope):
            if node.args and not self._own_words(name):
                yield kind, node.args[0]
        elif not _is_product(scope):
            return
        elif name == "say":
            yield "notice", node.args[0]
        elif name == "warning":
            yield "notice", _fill(node)
        elif name == "_warn" and isinstance(node.func, ast.Attribute):  # how adapters put a warning into the report
            yield "warning", node.args[0]
        elif name == "append" and isinstance(node.func, ast.Attribute) and last_name(node.func.value) in FIELDS:
            yield FIELDS[last_name(node.func.value)], node.args[0]
        elif name == "replace" or (name in self._classes and name not in CARRIERS):
            order = self._field_names(name)
            for field, kind in FIELDS.items():
                position = order.index(field) if field in order else None
                yield from ((kind, value) for value in given(node, field, position))

    def _error_kind(self, name: str, scope: Scope) -> str:
        """The class of `errors`, or of `OTHER_ERRORS`, that a class is or comes from; empty for any other."""
        while name:
            ours = isinstance(getattr(errors, name, None), type) and not scope.module.startswith("sandbox.")
            if ours or name in OTHER_ERRORS:
                return name
            bases = self._classes[name].bases if name in self._classes else []
            name = last_name(bases[0]) if bases else ""
        return ""

    def _own_words(self, name: str) -> ast.expr | None:
        """The message of an error that words itself: what it is made with is none."""
        for node in ast.walk(self._classes[name]) if name in self._classes else ():
            match node:
                case ast.Call(func=ast.Attribute(attr="__init__"), args=[ast.JoinedStr() as text]):
                    return text
        return None

    def _field_names(self, name: str) -> list[str]:
        body = self._classes[name].body if name in self._classes else []
        return [last_name(one.target) for one in body if isinstance(one, ast.AnnAssign)]

    # --- what is raised --------------------------------------------------------------------------------------------

    def _is_known(self, raised: ast.expr | None, scope: Scope) -> bool:
        """Whether a raise shows a collected message, or none: an error of ours, a caught one, or a function's."""
        if raised is None or not _is_product(scope):
            return True
        if isinstance(raised, ast.IfExp):
            return self._is_known(raised.body, scope) and self._is_known(raised.orelse, scope)
        name = last_name(raised)
        if self._error_kind(name, scope) or {name, f"{scope.module}.{name}"} & {*SILENT, *PIECES}:
            return True
        if isinstance(raised, ast.Name):
            return bool(find_caught(name, scope))
        return any(self._makes_error(function, scope) for function, _ in self._source.functions(name, scope))

    def _makes_error(self, function: ast.FunctionDef, scope: Scope) -> bool:
        made = (last_name(node.func) for node in ast.walk(function) if isinstance(node, ast.Call))
        return any(self._error_kind(name, scope) for name in made)


def _has_words(text: str) -> bool:
    """A text of values alone only passes another one on."""
    return any(part.rpartition("}")[2].strip(" :,()") for part in text.split("{"))


def _is_product(scope: Scope) -> bool:
    """The sandbox answers as an API does: only its own error is for operators. `errors` hands its texts on."""
    return not scope.module.startswith("sandbox.") and scope.module != "errors"


def _fill(node: ast.Call) -> ast.expr:
    """The text of a logger's call: its arguments in the place of each ``%s``."""
    form, *values = node.args
    if not isinstance(form, ast.Constant):
        return form
    texts = [ast.Constant(text) for text in str(form.value).split("%s")]
    filled = [
        part for text, value in zip(texts, values, strict=False) for part in (text, ast.FormattedValue(value, -1))
    ]
    return ast.copy_location(ast.JoinedStr([*filled, texts[-1]]), node)
