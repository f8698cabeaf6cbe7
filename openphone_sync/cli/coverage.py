"""``coverage``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated, Any, cast

import typer

from openphone_sync.cli.options import BOTH, Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.progress import show_progress
from openphone_sync.cli.signals import finish_on_signal
from openphone_sync.cli.tables import is_terminal, make_when, print_line, print_table, show_id
from openphone_sync.config import Settings
from openphone_sync.conversations.coverage_reading import DAYS, CoverageTools, measure
from openphone_sync.documents import describe_coverage
from openphone_sync.errors import ContactError, InterruptedRunError, RunError, UnreachableError
from openphone_sync.ports import Progress
from openphone_sync.run.read import Remote, list_workspace
from openphone_sync.views.cards import make_link_card
from openphone_sync.views.words import format_phone
from openphone_sync.wiring import SystemClock, open_context, open_conversations, read_state

EARLIER = 10

app = make_app()


class Source(StrEnum):
    """Where conversations are read."""

    API = "api"
    TABLE = "table"


@app.command(cls=Command)
def coverage(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back to look.", metavar="N")] = DAYS,
    source: Annotated[
        Source, typer.Option("--source", help="OpenPhone's conversations, or the stored ones.")
    ] = Source.API,
    as_json: JsonOption = False,
) -> None:
    """Show which callers show a name, and why others do not.

    Reads OpenPhone, the client table and the state; writes nothing.

    Example: openphone-sync coverage --days 90
    """
    given, settings = read_globals(context), read_settings(context, require=BOTH)
    with finish_on_signal(print_notice) as stop, show_progress(quiet=given.quiet) as progress:
        try:
            document = _measure(settings, SystemClock(stop.event), progress, stop.signal_number, days, source)
        except (RunError, ContactError) as error:
            if stop.signal_number():
                raise InterruptedRunError(stop.signal_number()) from None
            if isinstance(error, ContactError):
                raise UnreachableError(f"OpenPhone cannot be read: {error.message}; try again later") from error
            raise
    if as_json:
        print_json(document)
    elif not given.quiet:
        _print(document, settings)


def _measure(
    settings: Settings,
    clock: SystemClock,
    progress: Progress,
    signal_number: Callable[[], int],
    days: int,
    source: Source,
) -> dict[str, Any]:
    with ExitStack() as stack:
        read_callers = None
        if source is Source.TABLE:  # first: a missing table costs no request
            table = stack.enter_context(open_conversations(settings))
            read_callers = table.read_callers
        run = stack.enter_context(open_context(settings, clock, progress, read_only=True, signal_number=signal_number))
        remote = Remote()
        list_workspace(run.workspace, progress, remote)
        progress.start("reading conversations", None)
        document = measure(cast(CoverageTools, run.coverage), remote.contacts.values(), days, read_callers)
        progress.finish()
        return document | {"trend": run.store.read_coverage(EARLIER)}


def _print(document: Mapping[str, Any], settings: Settings) -> None:
    when, region = make_when(), settings.region
    with read_state(settings) as store:
        links = store.read_links({one["clientId"] for one in document["unnamed"] if one["clientId"]})
    names = {link.client_id: make_link_card(link).name or link.person for link in links.values() if not link.slot}
    print_line(describe_coverage(document))
    for earlier in document["trend"]:
        print_line(f"  {when(earlier['measuredAt'])}: {describe_coverage(earlier)}")
    rows = [
        (
            format_phone(one["number"], region) if is_terminal() else one["number"],
            "" if one["activity"] is None else str(one["activity"]),
            when(one["lastAt"]),
            names.get(one["clientId"], ""),
            one["reason"],
            one["fix"],
            show_id(one["clientId"] or ""),
        )
        for one in document["unnamed"]
    ]
    if rows:
        print_table(("number", "how often", "last", "client", "why", "what to do", "id"), rows)
