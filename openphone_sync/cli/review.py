"""``review``, and ``review list|link|separate|undo|apply``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import (
    Command,
    FormatOption,
    Group,
    JsonOption,
    TableFormat,
    confirm,
    make_app,
    read_settings,
)
from openphone_sync.cli.output import print_json, print_text
from openphone_sync.cli.reviewing import describe_next, print_reviews, walk
from openphone_sync.cli.tables import print_line, show_id
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Decision
from openphone_sync.run.decide import (
    apply_csv,
    decide_all,
    decide_link,
    decide_separate,
    save_decision,
    undo_decision,
)
from openphone_sync.views.cards import read_names
from openphone_sync.views.review import Filter, Review, count_open, find_review, make_csv, make_document, read_reviews
from openphone_sync.wiring import change_state, read_state


class Evidence(StrEnum):
    """What a review can rest on."""

    PHONE = "phone"
    EMAIL = "email"
    NAME = "name"
    EXTERNAL_ID = "external id"
    ROW = "row"
    ROLLBACK = "rollback"


AllOption = Annotated[bool, typer.Option("--all", help="Every open review that the filters select.")]
EvidenceOption = Annotated[Evidence | None, typer.Option(help="Only if the best evidence is of this kind.")]
ScoreOption = Annotated[float, typer.Option(min=0, max=1, help="Only from this score on.", metavar="X")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
IdArgument = Annotated[str | None, typer.Argument(metavar="ID", help="Id of a review, or its beginning.")]

app = make_app(cls=Group, invoke_without_command=True)


@app.callback()
def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """Decide the possible duplicates that a run held back.

    Without a command: asks about one after the other if this is a terminal, else lists them.

    Example: openphone-sync review link client_17 664d0db69fcac7cf2e6ec001
    """
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: {"as_json": as_json}}  # --json holds for what follows
        return
    if sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        walk(context)
    else:
        review_list(context, as_json=as_json)


@app.command("list", cls=Command)
def review_list(
    context: typer.Context,
    form: FormatOption = TableFormat.TABLE,
    _every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Show our person beside each candidate.

    With the evidence. Shows people's data. What is decided already is marked.

    Example: openphone-sync review list --format csv > reviews.csv
    """
    settings = read_settings(context)
    with read_state(settings) as store:
        reviews = read_reviews(store, Filter(evidence and evidence.value, min_score))
    if as_json or form is TableFormat.JSON:
        print_json(make_document(reviews, settings.region, settings.source))
    elif form is TableFormat.CSV:
        print_text(make_csv(reviews, settings.region, settings.source))
    else:
        print_reviews(reviews, settings)


@app.command("link", cls=Command)
def review_link(
    context: typer.Context,
    review_id: IdArgument = None,
    contact: Annotated[str | None, typer.Argument(metavar="CONTACT", help="The candidate to link.")] = None,
    every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide that a held contact is this candidate.

    The next run links the two.

    Example: openphone-sync review link --all --evidence phone --min-score 0.95
    """
    chosen = Filter(evidence and evidence.value, min_score)
    if every and chosen.takes_all:
        with read_state(read_settings(context)) as store:
            count = count_open(store)
        if count:
            confirm(f"Link every open review ({count}) to its best candidate?", yes=yes)
    _decide(context, review_id, every, chosen, as_json, partial(decide_link, candidate=contact), link=True)


@app.command("separate", cls=Command)
def review_separate(
    context: typer.Context,
    review_id: IdArgument = None,
    every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Decide that a held contact is none of its candidates.

    The next run creates it. Also releases a contact that a rollback holds.

    Example: openphone-sync review separate client_17
    """
    chosen = Filter(evidence and evidence.value, min_score)
    _decide(context, review_id, every, chosen, as_json, decide_separate, link=False)


@app.command("undo", cls=Command)
def review_undo(
    context: typer.Context,
    review_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a review, or its beginning.")],
    as_json: JsonOption = False,
) -> None:
    """Undo a decision.

    The next run holds the contact again, unless a run has acted on the decision: what was written stays.

    Example: openphone-sync review undo client_17
    """
    with change_state(read_settings(context)) as store:
        undone, acted = undo_decision(store, review_id)
        name = _name(undone, read_names(store, [undone]))
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "undone": undone, "actedOn": acted})
    elif acted:
        print_line(f"{name}: the decision is undone; what a run wrote for it stays (see openphone-sync explain)")
    else:
        print_line(f"{name}: the decision is undone; decide again with openphone-sync review")


@app.command("apply", cls=Command)
def review_apply(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table of review list --format csv with decisions filled in.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Apply the decisions in a CSV file.

    The column decision holds link, separate or nothing.

    Example: openphone-sync review apply reviews.csv
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{file} cannot be read; give a UTF-8 file of review list --format csv") from None
    with change_state(read_settings(context)) as store:
        decided = apply_csv(store, text, time.time())
        still_open = count_open(store)
    _print_decided(decided, [], {}, still_open, as_json=as_json)


def _decide(
    context: typer.Context,
    review_id: str | None,
    every: bool,
    chosen: Filter,
    as_json: bool,
    decide: Callable[[Review], list[Decision]],
    *,
    link: bool,
) -> None:
    if (review_id is None) is not every:
        raise typer.BadParameter("either ID or --all is needed; give one of them")
    settings = read_settings(context)
    left: list[tuple[str, str]] = []
    with change_state(settings) as store:
        if review_id is None:
            decided, left = decide_all(store, chosen, time.time(), link=link)
        else:
            found = find_review(store, review_id)
            save_decision(store, found, decide(found), time.time())
            decided = [found.review_id]
        names, still_open = read_names(store, [one for one, _ in left]), count_open(store)
    _print_decided(decided, left, names, still_open, as_json=as_json)


def _name(external_id: str, names: Mapping[str, str]) -> str:
    return f"{names[external_id]} ({show_id(external_id)})" if external_id in names else external_id


def _print_decided(
    decided: list[str], left: list[tuple[str, str]], names: Mapping[str, str], still_open: int, *, as_json: bool
) -> None:
    if as_json:
        kept = [{"id": review_id, "reason": reason} for review_id, reason in left]
        print_json({"schemaVersion": SCHEMA_VERSION, "decided": decided, "left": kept})
        return
    for review_id, reason in left:
        print_line(f"left: {_name(review_id, names)}: {reason}")
    print_line(describe_next(len(decided), still_open))
