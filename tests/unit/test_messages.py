"""Messages of errors: what is wrong, then for those that end a run "; " and what to do now."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import openphone_sync
from openphone_sync import errors
from openphone_sync.ops import crontab

KINDS = {name: kind for room in (errors, crontab) for name, kind in vars(room).items() if isinstance(kind, type)}
ODD_WORDS = re.compile(r"\b(mend|lest|anew|whoever|likewise)\b|(?<!there) is no ", re.IGNORECASE)


def find_messages() -> Iterator[tuple[str, type, str]]:
    """Place, kind and text of every message that stands in the code; values are shown as {}."""
    for path in sorted(Path(openphone_sync.__file__).parent.rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for call in (node for node in nodes if isinstance(node, ast.Call) and node.args):
            kind = KINDS.get(getattr(call.func, "id", ""), object)
            if issubclass(kind, errors.OpenPhoneSyncError) and (text := render(call.args[0])).strip("{}"):
                yield f"{path.name}:{call.lineno}", kind, text


def render(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "{}"
    if isinstance(node, ast.BinOp):
        return render(node.left) + render(node.right)
    return "".join(map(render, node.values)) if isinstance(node, ast.JoinedStr) else "{}"


@pytest.mark.parametrize(("place", "kind", "text"), list(find_messages()))
def test_a_message_says_what_is_wrong_and_what_to_do(place: str, kind: type, text: str) -> None:
    assert not text.endswith(".")
    assert not ODD_WORDS.search(text)
    assert not issubclass(kind, errors.RunError) or re.search(r"[^;]; \S", text)
