"""``review``, and ``review list|link|separate|apply``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, FormatOption, Group, JsonOption, TableFormat, make_app, read_settings
from openphone_sync.cli.output import print_json
from openphone_sync.cli.terminal import print_table
from openphone_sync.config import Settings
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Decision
from openphone_sync.run.decide import apply_csv, decide_all, decide_link, decide_separate, save_decision
from openphone_sync.views.review import Filter, Review, find_review, make_csv, make_document, read_reviews
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
IdArgument = Annotated[str | None, typer.Argument(metavar="ID", help="Id of a review.")]

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
        _ask_about_each(read_settings(context))
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
    """Show the open reviews with their evidence.

    Example: openphone-sync review list --format csv > reviews.csv
    """
    with read_state(read_settings(context)) as store:
        reviews = read_reviews(store, Filter(evidence and evidence.value, min_score))
    if as_json or form is TableFormat.JSON:
        print_json(make_document(reviews))
    elif form is TableFormat.CSV:
        typer.echo(make_csv(reviews), nl=False)
    else:
        _print_reviews(reviews)


@app.command("link", cls=Command)
def review_link(
    context: typer.Context,
    review_id: IdArgument = None,
    contact: Annotated[str | None, typer.Argument(metavar="CONTACT", help="The candidate to link.")] = None,
    every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Decide that a held contact is this candidate.

    The next run links the two.

    Example: openphone-sync review link --all --evidence phone --min-score 0.95
    """
    chosen = Filter(evidence and evidence.value, min_score)
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
    _print_decided(decided, as_json=as_json)


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
    if review_id is None:
        with change_state(settings) as store:
            decided = decide_all(store, chosen, time.time(), link=link)
    else:
        _decide_one(settings, review_id, decide)
        decided = [review_id]
    _print_decided(decided, as_json=as_json)


def _decide_one(settings: Settings, review_id: str, decide: Callable[[Review], list[Decision]]) -> None:
    with change_state(settings) as store:
        found = find_review(store, review_id)
        save_decision(store, found, decide(found), time.time())


def _print_decided(decided: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "decided": decided})
    else:
        typer.echo(f"{len(decided)} decided; the next sync acts on it")


def _print_reviews(reviews: Sequence[Review]) -> None:
    if not reviews:
        typer.echo("no open reviews")
        return
    rows = []
    for found in reviews:
        for number, candidate in enumerate(found.candidates):
            shown = (found.review_id, found.reason) if number == 0 else ("", "")
            rows.append((*shown, candidate.subject, f"{candidate.score:.2f}", candidate.words))
        if not found.candidates:
            rows.append((found.review_id, found.reason, "", "", ""))
    print_table(("id", "why", "candidate", "score", "evidence"), rows)


def _ask_about_each(settings: Settings) -> None:
    """One question for each open review; quitting early keeps what was decided.

    Takes the lock for each decision only, so that a prompt left open does not block the nightly sync.
    """
    with read_state(settings) as store:
        reviews = read_reviews(store)
    if not reviews:
        typer.echo("no open reviews")
    for number, found in enumerate(reviews, start=1):
        typer.echo(f"\n{number} of {len(reviews)}: {found.review_id} is held: {found.reason}")
        for position, candidate in enumerate(found.candidates, start=1):
            typer.echo(f"  {position}  {candidate.subject}  {candidate.score:.2f}  {candidate.words}")
        answer = _ask(len(found.candidates))
        if answer == "q":
            return
        if answer == "s":
            _decide_one(settings, found.review_id, decide_separate)
        elif answer.isdigit():
            chosen = found.candidates[int(answer) - 1].subject
            _decide_one(settings, found.review_id, partial(decide_link, candidate=chosen))


def _ask(candidates: int) -> str:
    """The number of a candidate, ``s`` for none of them, ``q`` (or Ctrl-D) to quit, empty for later."""
    accepted = {str(number) for number in range(1, candidates + 1)} | {"s", "", "q"}
    question = "number = same person, s = separate, Enter = later, q = quit"
    while True:
        try:
            answer = str(typer.prompt(question, default="", show_default=False)).strip().lower()
        except typer.Abort:
            typer.echo()
            return "q"
        if answer in accepted:
            return answer
