"""Templates -> pages. Whatever comes from people is escaped; a page runs nothing and loads nothing.

jinja2 is imported by what makes pages only: it takes 40 ms.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_LOADER = PackageLoader("openphone_sync.html")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What HTML does not allow, or what no reader sees."""


def make_page(name: str, values: Mapping[str, Any]) -> Iterator[bytes]:
    """The page of ``name`` (its template and style sheet) in pieces, UTF-8.

    A value that the template names and that is absent is a bug, and raises.
    """
    style, policy = _read_style(name)
    pieces = _environment().get_template(f"{name}.html").stream(values, style=style, policy=policy)
    pieces.enable_buffering(200)
    for piece in pieces:
        yield piece.encode()


def embed_picture(content: bytes, media_type: str) -> str:
    """A picture as an address that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _clean(value: Any) -> Any:
    """Every value on its way into a page: None shows as nothing, control characters as U+FFFD."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return _CONTROLS.sub("\ufffd", value)


def _begin_sentence(text: str) -> str:
    """With a capital letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["begin"] = _begin_sentence
    return environment


@cache
def _read_style(name: str) -> tuple[Markup, str]:
    """The style sheet, and the policy that lets in that sheet and embedded pictures, and nothing else."""
    style = _LOADER.get_source(_environment(), f"{name}.css")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(style), policy  # noqa: S704  # our own file
