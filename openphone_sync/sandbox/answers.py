"""Answers and the three shapes of error bodies: nested from the gateway, flat from the handlers, HTML from Express and
proxies. Seen live, where the vendor document knows the flat one only."""

import html
import json
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses
from typing import Any, Literal

from openphone_sync.sandbox.rules import Json, RefusedError

Style = Literal["auto", "flat", "nested", "html", "empty"]

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
DOCS = "https://quo.com/docs"
BODILESS = (204, 304)  # HTTP gives these no body: a client would take it for the next answer
RETRY_AFTER_S = 2
RETRY_AFTER_HUGE_S = 999_999
CONTACTS = "08"  # error codes begin with the family of their route
STATUS_CODES = {402: "01402", 500: "01500"}
USER_CODES = {CONTACTS: "01403", "10": "01403", "01": "01403", "02": "02403"}
"""Codes of 403 in families whose 403 is about the user of a phone number."""
USER_TITLE = "Not Phone Number User"
DESCRIBED = (USER_TITLE, "Too Many Participants", "Invalid Custom Field Item")
"""Titles that the vendor document repeats as `description`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer before it is put on the wire."""

    status: int
    body: bytes = b""
    content_type: str | None = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


def make_phrase(status: int) -> str:
    """Return the words of a status, "" for one without: proxies have some of their own (520)."""
    return responses.get(status, "")


def make_json(status: int, value: Any) -> Answer:
    """Return a JSON answer; halves of characters go as escapes (``\\ud83d``), as JSON.stringify writes them."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Answer(status, text.encode("utf-8", "backslashreplace"))


def make_refusal(refusal: RefusedError, trace: str) -> Answer:
    """Return the flat envelope of a handler's error. `description` is there for those codes that document it."""
    body: Json = {
        "message": str(refusal),
        "code": refusal.code,
        "status": refusal.status,
        "docs": DOCS,
        "title": refusal.title,
        "trace": trace,
    }
    if refusal.title in DESCRIBED:
        body["description"] = refusal.title
    if refusal.issues:
        body["errors"] = [
            {"path": each.path, "message": each.message, "value": each.value, "schema": {"type": each.type}}
            for each in refusal.issues
        ]
    return make_json(refusal.status, body)


def make_unauthorized(trace: str, *, has_header: bool) -> Answer:
    """Return the gateway's 401 (seen live): nested, with another message where the header is missing."""
    return make_nested(401, "Unauthorized" if has_header else "Missing authorization header", trace)


def make_nested(status: int, message: str, trace: str) -> Answer:
    """Return the gateway's envelope."""
    key = make_phrase(status).upper().replace(" ", "_")
    return make_json(status, {"error": {"message": message, "key": key, "trace": trace}})


def make_unknown_route(method: str, path: str) -> Answer:
    """Return Express' 404 page (seen live)."""
    text = html.escape(f"Cannot {method} {path}")
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
        f"<pre>{text}</pre>\n</body>\n</html>\n"
    )
    return Answer(404, page.encode(), HTML_TYPE)


def make_proxy_page(status: int) -> Answer:
    """Return the page of a proxy whose upstream has failed."""
    title = f"{status} {make_phrase(status)}".rstrip()
    body = f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n{body}\r\n</html>"
    return Answer(status, page.encode(), HTML_TYPE)


def make_status(status: int, style: Style, trace: str, family: str = CONTACTS) -> Answer:
    """Return an error answer that no rule asked for. "auto": 401 nested, 502 to 504 HTML, all others flat."""
    if style == "empty" or status in BODILESS:
        return Answer(status, b"", None)
    if style == "html" or (style == "auto" and status in (502, 503, 504)):
        return make_proxy_page(status)
    phrase = make_phrase(status)
    if style == "nested" or (style == "auto" and status == 401):
        return make_nested(status, phrase, trace)
    code, title = STATUS_CODES.get(status, f"00{status}"), {500: "Unknown"}.get(status, phrase)
    if status == 403 and family in USER_CODES:
        code, title = USER_CODES[family], USER_TITLE
    return make_refusal(RefusedError(status, family + code, title, phrase), trace)


def make_retry_after(kind: str, now: float) -> tuple[tuple[str, str], ...]:
    """Return the Retry-After header: "none", "seconds", "date" (2 s from now), "huge", or any other text as it is."""
    texts = {
        "seconds": str(RETRY_AFTER_S),
        "date": formatdate(now + RETRY_AFTER_S, usegmt=True),
        "huge": str(RETRY_AFTER_HUGE_S),
    }
    return () if kind == "none" else (("Retry-After", texts.get(kind, kind)),)
