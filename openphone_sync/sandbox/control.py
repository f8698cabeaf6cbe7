"""The sandbox's own routes, for other processes: no key, no rate limit, not among the recorded requests.

Bodies and answers are JSON. What is wrong with a request comes back as 400 or 404 with a `message`.

    GET    /_sandbox/contacts        {"data": [...]}: every stored contact, oldest first
    POST   /_sandbox/contacts        make one as staff in the app (`source` null) or as an integration (`source` given)
    PATCH  /_sandbox/contacts/{id}   change one as staff: what is not named stays, items are met by id or value, custom
                                     fields by `key` or `name`, `"value": null` removes
    DELETE /_sandbox/contacts/{id}   delete one as staff; with `?bury=1` lists go on showing it
    GET    /_sandbox/custom-fields   {"data": [{"key", "name", "type", "options"}]}
    POST   /_sandbox/custom-fields   {"name", "type", "options"} defines one; {"key", "name"} renames one;
                                     {"key", "deleted": true} deletes one
    POST   /_sandbox/conversations   {"participants": ["+1…"]} begins one; answers {"id"}
    POST   /_sandbox/messages        {"conversationId", "text", "media": [file name], …} comes in, or goes out with
                                     "is_incoming": false
    POST   /_sandbox/calls           {"conversationId", "outcome": "answered|called|voicemail|missed|unanswered"}
    GET    /_sandbox/requests        {"data": [{"receivedAt", "method", "path", "status", "body"}]}
    DELETE /_sandbox/requests        forget them
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from typing import Any, Protocol
from urllib.parse import urlsplit

from openphone_sync.sandbox.answers import Answer, make_json
from openphone_sync.sandbox.api import parse_body
from openphone_sync.sandbox.contacts import Workspace
from openphone_sync.sandbox.conversations import Conversations
from openphone_sync.sandbox.errors import SandboxError
from openphone_sync.sandbox.rules import Json, RefusedError

CONTROL = "/_sandbox/"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DONE = Answer(204, b"", None)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received: Unix time in seconds; path with its query; status 0 where no answer was begun."""

    received_at: float
    method: str
    path: str
    status: int
    body: bytes


def is_cross_site(headers: Message, host: str) -> bool:
    """Whether a web page sent this, of another site or under a host name that was made to point here.

    ``host`` is where the sandbox listens. Programs send no Origin.
    """
    asked = urlsplit(f"//{headers.get('Host', '')}").hostname
    is_ours = host not in _LOOPBACK or asked in _LOOPBACK
    return not is_ours or "Origin" in headers or headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


class Controlled(Protocol):
    """What these routes need of a server."""

    workspace: Workspace
    conversations: Conversations

    @property
    def requests(self) -> list[Request]:
        """The requests so far."""

    def forget_requests(self) -> None:
        """Empty `requests`."""


@dataclass(frozen=True, slots=True)
class Order:
    """A request to the sandbox itself: whom it is about, its query, its JSON."""

    contact_id: str
    query: str
    sent: Any


def answer_control(sandbox: Controlled, method: str, target: str, body: bytes) -> Answer:
    """Carry out a request to the sandbox itself."""
    path, _, query = target.removeprefix(CONTROL).partition("?")
    noun, _, contact_id = path.partition("/")
    try:
        return _ROUTES[f"{method} {noun}"](sandbox, Order(contact_id, query, parse_body(body)))
    except KeyError as error:
        return make_json(404, {"message": f"there is no {error.args[0]}"})
    except (SandboxError, RefusedError, TypeError, ValueError, AttributeError) as error:
        return make_json(400, {"message": str(error)})


def _list_contacts(sandbox: Controlled, _order: Order) -> Answer:
    return make_json(200, {"data": sandbox.workspace.contacts()})


def _add_contact(sandbox: Controlled, order: Order) -> Answer:
    return make_json(201, {"data": sandbox.workspace.add(order.sent)})


def _edit_contact(sandbox: Controlled, order: Order) -> Answer:
    return make_json(200, {"data": sandbox.workspace.edit(order.contact_id, order.sent)})


def _remove_contact(sandbox: Controlled, order: Order) -> Answer:
    workspace = sandbox.workspace
    (workspace.bury if "bury=1" in order.query else workspace.remove)(order.contact_id)
    return DONE


def _list_fields(sandbox: Controlled, _order: Order) -> Answer:
    return make_json(200, {"data": [asdict(each) for each in sandbox.workspace.fields]})


def _change_field(sandbox: Controlled, order: Order) -> Answer:
    sent = order.sent
    if "key" not in sent:
        options = tuple(sent.get("options", ()))
        return make_json(201, {"data": asdict(sandbox.workspace.add_field(sent["name"], sent["type"], options))})
    if sent.get("deleted"):
        sandbox.workspace.remove_field(sent["key"])
    else:
        sandbox.workspace.rename_field(sent["key"], sent["name"])
    return DONE


def _start_conversation(sandbox: Controlled, order: Order) -> Answer:
    return make_json(201, {"data": {"id": sandbox.conversations.start(*order.sent["participants"])}})


def _add_message(sandbox: Controlled, order: Order) -> Answer:
    sent = dict(order.sent)
    return make_json(201, {"data": sandbox.conversations.add_message(sent.pop("conversationId"), **sent)})


def _add_call(sandbox: Controlled, order: Order) -> Answer:
    sent = dict(order.sent)
    return make_json(201, {"data": sandbox.conversations.add_call(sent.pop("conversationId"), **sent)})


def _list_requests(sandbox: Controlled, _order: Order) -> Answer:
    return make_json(200, {"data": [_describe(each) for each in sandbox.requests]})


def _forget_requests(sandbox: Controlled, _order: Order) -> Answer:
    sandbox.forget_requests()
    return DONE


def _describe(request: Request) -> Json:
    return {
        "receivedAt": request.received_at,
        "method": request.method,
        "path": request.path,
        "status": request.status,
        "body": request.body.decode("utf-8", "replace"),
    }


_ROUTES: Mapping[str, Callable[[Controlled, Order], Answer]] = {
    "GET contacts": _list_contacts,
    "POST contacts": _add_contact,
    "PATCH contacts": _edit_contact,
    "DELETE contacts": _remove_contact,
    "GET custom-fields": _list_fields,
    "POST custom-fields": _change_field,
    "POST conversations": _start_conversation,
    "POST messages": _add_message,
    "POST calls": _add_call,
    "GET requests": _list_requests,
    "DELETE requests": _forget_requests,
}
