"""The README's sections: each stands between its marks and is replaced as a whole; nobody edits figures by hand."""

from __future__ import annotations

import re
from pathlib import Path

from openphone_sync.ops.files import save_text

README = Path(__file__).with_name("README.md")


def write_section(name: str, title: str, command: str, report: str) -> None:
    """Replace the section of that name, or add it at the end under its title and the command that makes it."""
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    body = f"{begin}\n{report.rstrip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: body, text)
    else:
        text = f"{text.rstrip()}\n\n## {title}\n\n`{command}`\n\n{body}\n"
    save_text(README, text, mode=0o644)
