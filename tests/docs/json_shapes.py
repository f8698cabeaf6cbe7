"""What the JSON of each command looks like, from the commands themselves: for docs/json.md.

One small office goes through a day on which everything happens that a report can tell. Values are replaced by their kind,
so that the shapes are the same at every run.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions
from openphone_sync.sandbox.options import CUSTOM_FIELDS
from openphone_sync.sandbox.samples import load_samples
from tests.fault_injection import Fault, FaultKind, FaultySandbox
from tests.office import FAST, JAMES, Office, open_office

COMMANDS: Sequence[str] = (
    "init --env-file env --dry-run --json",
    "sync --json",
    "dry-run --json",
    "status --json",
    "metrics --json",
    "test-connection --json",
    "stats --json",
    "coverage --json",
    "review list --json",
    "runs list --json",
    "runs show latest --json",
    "rollback latest --dry-run --json",
    "explain {client} --json",
    "problems --json",
    "links --json",
    "report --json",
    "mapping check mapping.toml --database --json",
    "archive fetch archive --media --json",
    "archive verify archive --json",
    "archive html archive --phone {phone} --json",
    "forget {client} --yes --json",
)
WIDTH = 110
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
_KEY = re.compile(r"[0-9a-f]{24}")


def make_shapes() -> Iterator[tuple[str, str]]:
    """Each command line, and its document with values replaced by their kind."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres() as postgres,
        FaultySandbox(SandboxOptions(rate_limit=FAST, custom_fields=CUSTOM_FIELDS[1:], conversations=2)) as sandbox,
        open_office(postgres.dsn(), sandbox, Path(folder)) as office,
    ):
        client = _live_a_day(office)
        (office.folder / "mapping.toml").write_text(office.run("mapping", "show").out, encoding="utf-8")
        phone = sandbox.conversations.conversations()[0]["participants"][0]
        for command in COMMANDS:
            document = office.run(*command.format(client=client, phone=phone).split()).json
            yield command.format(client="ID", phone="N"), format_shape(make_shape(document) | {"schemaVersion": 1})


def make_shape(value: Any) -> Any:
    """The value with its leaves replaced: ``"text"``, ``"time"``, ``0``, ``true``, ``null``; a list has one element."""
    if isinstance(value, dict):
        return {"KEY" if _KEY.fullmatch(key) else key: make_shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_unite([make_shape(one) for one in value])] if value else []
    if isinstance(value, str):
        return "time" if _TIME.fullmatch(value) else "text"
    return value if value is None else True if isinstance(value, bool) else 0


def format_shape(shape: Any, indent: str = "") -> str:
    """JSON; what fits into a line stands in one."""
    line = json.dumps(shape)
    if len(indent) + len(line) <= WIDTH or not isinstance(shape, dict | list):
        return line
    inner = indent + "  "
    if isinstance(shape, list):
        return f"[\n{inner}{format_shape(shape[0], inner)}\n{indent}]"
    pairs = (f"{inner}{json.dumps(key)}: {format_shape(one, inner)}" for key, one in shape.items())
    return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"


def _unite(shapes: Sequence[Any]) -> Any:
    """One shape that tells what any of the elements may have."""
    if all(isinstance(one, dict) for one in shapes):
        keys = dict.fromkeys(key for one in shapes for key in one)
        return {key: _unite([one[key] for one in shapes if key in one]) for key in keys}
    if all(isinstance(one, list) for one in shapes):
        elements = [element for one in shapes for element in one]
        return [_unite(elements)] if elements else []
    return next((one for one in shapes if one is not None), None)


def _live_a_day(office: Office) -> str:
    """A first run, and a day's work on both sides, so that the next run meets everything; the id of a client."""
    load_samples(office.dsn, 2, conversations=3)
    james = office.add_client(JAMES)
    anna = office.add_client({"client_name": "Anna Lindqvist", "client_type": "civil", "phone": "213-555-0177"})
    office.sync()
    workspace, talk = office.sandbox.workspace, office.sandbox.conversations
    talk.add_message(talk.start("+12135550199"))
    county = {"key": workspace.field_key("County"), "value": "Inyo"}
    workspace.edit(office.contact(f"client_{james}")["id"], {"customFields": [county]})
    office.change_client(james, county="Kern", contact_1=None, relationship_1=None, contact_1_phone=None)
    office.change_client(anna, county="Kern")
    refused = f"/v1/contacts/{office.contact(f'client_{anna}')['id']}"
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="PATCH", path=refused))
    office.add_client({"client_name": "Marek Kowalczyk", "phone": "in jail"})
    office.add_client({"client_name": "Ines Oliveira", "phone": "213-555-0178"})
    phone = {"name": "Cell", "value": "+13105550179"}
    workspace.add({"defaultFields": {"firstName": "Ines Oliveira", "phoneNumbers": [phone]}})
    return james
