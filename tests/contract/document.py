"""Exchanges with the API held against the vendor's OpenAPI document, where the environment names it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.unit.sandbox_support import Reply
from tests.unit.test_sandbox_document import DOCUMENT, check, load_document

UNLIKE = frozenset({400, 401, 429})
"""Answers that live differ from the document."""


def watch(client: httpx.Client) -> None:
    """Check every exchange of a client from now on."""
    if DOCUMENT:
        client.event_hooks["response"].append(check_exchange)


def check_exchange(response: httpx.Response) -> None:
    """Raise where request or answer is not as documented."""
    response.read()
    request = response.request
    path, method = request.url.path, request.method.lower()
    route = find_route(path)
    operation = load_document()["paths"][route][method]
    _check_query(operation, request.url.params)
    if request.content:
        _validate(operation["requestBody"]["content"]["application/json"]["schema"], json.loads(request.content))
    if response.status_code == httpx.codes.NO_CONTENT:
        assert str(response.status_code) in operation["responses"]
        assert not response.content
    elif response.status_code not in UNLIKE:
        reply = Reply(response.status_code, dict(response.headers), response.content)
        check(reply, route, method, response.status_code)


def find_route(path: str) -> str:
    """The document's path for a request's: itself, or the one with a name in braces in place of its last piece."""
    paths: Any = load_document()["paths"]
    parent = path.rpartition("/")[0]
    return path if path in paths else next(one for one in paths if one.startswith(f"{parent}/{{") and one.endswith("}"))


def _check_query(operation: Any, params: httpx.QueryParams) -> None:
    known = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
    for name in params:
        values = params.get_list(name)
        schema = known[name]
        if schema.get("type") == "integer":
            _validate(schema, int(values[0]))
        else:
            _validate(schema, values if schema.get("type") == "array" else values[0])


def _validate(schema: Any, value: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    whole = {**schema, "components": load_document()["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)
