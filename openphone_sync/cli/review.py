"""``review`` and ``problems``: what people have to decide or to mend."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, read_settings

if TYPE_CHECKING:
    from openphone_sync.config import Settings
    from openphone_sync.model import Decision
    from openphone_sync.run.decide import Review


class Evidence(StrEnum):
    """What a review can rest on."""

    PHONE = "phone"
    EMAIL = "email"
    NAME = "name"
    EXTERNAL_ID = "external id"
    ROW = "row"
    ROLLBACK = "rollback"


class TableFormat(StrEnum):
    """Forms of a list."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


AllOption = Annotated[bool, typer.Option("--all", help="Every open review that the filters take.")]
EvidenceOption = Annotated[Evidence | None, typer.Option(help="Only where the best evidence is of this kind.")]
ScoreOption = Annotated[float, typer.Option(min=0, max=1, help="Only from this score on.", metavar="X")]
FormatOption = Annotated[TableFormat, typer.Option("--format", help="Form of the list.")]

review_app = typer.Typer(cls=Group, invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(review_app, name="review")
    app.command("problems", cls=Command)(problems_command)


@review_app.callback()
def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """Decide the possible duplicates that a run held back.

    Without a command one by one, on a terminal.

    Example: openphone-sync review link client_17 664d0db69fcac7cf2e6ec001
    """
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: {"as_json": as_json}}  # --json holds for what follows
        return
    if sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        _walk_through(context)
    else:
        review_list(context, as_json=as_json)


@review_app.command("list", cls=Command)
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
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.run.decide import Filter, make_csv, make_document, read_reviews  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state  # noqa: PLC0415

    with look_at_state(read_settings(context)) as store:
        reviews = read_reviews(store, Filter(evidence and evidence.value, min_score))
    if as_json or form is TableFormat.JSON:
        print_json(make_document(reviews))
    elif form is TableFormat.CSV:
        sys.stdout.write(make_csv(reviews))
    else:
        _print_reviews(reviews)


@review_app.command("link", cls=Command)
def review_link(
    context: typer.Context,
    review_id: Annotated[str | None, typer.Argument(metavar="ID", help="Id of a review.")] = None,
    contact: Annotated[str | None, typer.Argument(metavar="CONTACT", help="The candidate that it is.")] = None,
    every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Decide that a held contact is this candidate: the next run joins them.

    Example: openphone-sync review link --all --evidence phone --min-score 0.95
    """
    from openphone_sync.run.decide import decide_link  # noqa: PLC0415

    _decide(context, review_id, every, evidence, min_score, as_json, lambda one: decide_link(one, contact), link=True)


@review_app.command("separate", cls=Command)
def review_separate(
    context: typer.Context,
    review_id: Annotated[str | None, typer.Argument(metavar="ID", help="Id of a review.")] = None,
    every: AllOption = False,
    evidence: EvidenceOption = None,
    min_score: ScoreOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Decide that a held contact is none of its candidates: the next run makes it.

    Example: openphone-sync review separate client_17
    """
    from openphone_sync.run.decide import decide_separate  # noqa: PLC0415

    _decide(context, review_id, every, evidence, min_score, as_json, decide_separate, link=False)


@review_app.command("apply", cls=Command)
def review_apply(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table of review list --format csv, decisions filled in.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Decide by a table: its column decision holds link, separate or nothing.

    Example: openphone-sync review apply reviews.csv
    """
    from openphone_sync.errors import ConfigurationError  # noqa: PLC0415
    from openphone_sync.run.decide import apply_csv  # noqa: PLC0415
    from openphone_sync.wiring import change_state  # noqa: PLC0415

    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{file} cannot be read; give a UTF-8 file of review list --format csv") from None
    with change_state(read_settings(context)) as store:
        decided = apply_csv(store, text, time.time())
    _print_decided(decided, as_json=as_json)


def problems_command(
    context: typer.Context, form: FormatOption = TableFormat.TABLE, as_json: JsonOption = False
) -> None:
    """Show what the office should mend at the source.

    Unusable phones, missing names, rows that look like each other, contacts that keep failing.

    Example: openphone-sync problems --format csv > problems.csv
    """
    from openphone_sync.cli.output import make_table, print_json, print_table  # noqa: PLC0415
    from openphone_sync.views.problems import find_problems, make_csv, make_document  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state  # noqa: PLC0415

    with look_at_state(read_settings(context)) as store:
        problems = find_problems(store)
    if as_json or form is TableFormat.JSON:
        print_json(make_document(problems))
    elif form is TableFormat.CSV:
        sys.stdout.write(make_csv(problems))
    elif problems:
        rows = [(one.externalId, one.kind, one.detail, one.other) for one in problems]
        print_table(make_table(("contact", "kind", "what to mend", "looks like"), rows))
    else:
        sys.stdout.write("nothing to mend\n")


def _decide(
    context: typer.Context,
    review_id: str | None,
    every: bool,
    evidence: Evidence | None,
    min_score: float,
    as_json: bool,
    decide: Callable[[Review], list[Decision]],
    *,
    link: bool,
) -> None:
    from openphone_sync.run.decide import Filter, decide_all  # noqa: PLC0415
    from openphone_sync.wiring import change_state  # noqa: PLC0415

    if (review_id is None) is not every:
        raise typer.BadParameter("ID or --all is needed, and not both; give one of them")
    settings = read_settings(context)
    if review_id is None:
        with change_state(settings) as store:
            decided = decide_all(store, Filter(evidence and evidence.value, min_score), time.time(), link=link)
    else:
        _decide_one(settings, review_id, decide)
        decided = [review_id]
    _print_decided(decided, as_json=as_json)


def _decide_one(settings: Settings, review_id: str, decide: Callable[[Review], list[Decision]]) -> None:
    from openphone_sync.run.decide import find_review, save_decision  # noqa: PLC0415
    from openphone_sync.wiring import change_state  # noqa: PLC0415

    with change_state(settings) as store:
        found = find_review(store, review_id)
        save_decision(store, found, decide(found), time.time())


def _print_decided(decided: list[str], *, as_json: bool) -> None:
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.documents import SCHEMA_VERSION  # noqa: PLC0415

    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "decided": decided})
    else:
        sys.stdout.write(f"{len(decided)} decided; the next sync acts on it\n")


def _print_reviews(reviews: list[Review]) -> None:
    from openphone_sync.cli.output import make_table, print_table  # noqa: PLC0415

    if not reviews:
        sys.stdout.write("no open reviews\n")
        return
    rows = []
    for found in reviews:
        for number, one in enumerate(found.candidates):
            shown = (found.review_id, found.link.reason) if number == 0 else ("", "")
            rows.append((*shown, one.subject, f"{one.score:.2f}", one.words))
        if not found.candidates:
            rows.append((found.review_id, found.link.reason, "", "", ""))
    print_table(make_table(("id", "why", "candidate", "score", "evidence"), rows))


def _walk_through(context: typer.Context) -> None:
    """One question for each open review; leaving early keeps what was decided.

    The lock is held for each decision alone: a prompt that somebody left open must not keep the nightly sync out.
    """
    from openphone_sync.run.decide import decide_link, decide_separate, read_reviews  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state  # noqa: PLC0415

    settings = read_settings(context)
    with look_at_state(settings) as store:
        reviews = read_reviews(store)
    if not reviews:
        typer.echo("no open reviews")
    for number, found in enumerate(reviews, start=1):
        typer.echo(f"\n{number} of {len(reviews)}: {found.review_id} is held: {found.link.reason}")
        for position, one in enumerate(found.candidates, start=1):
            typer.echo(f"  {position}  {one.subject}  {one.score:.2f}  {one.words}")
        answer = _ask(len(found.candidates))
        if answer == "q":
            return
        if answer == "s":
            _decide_one(settings, found.review_id, decide_separate)
        elif answer.isdigit():
            chosen = found.candidates[int(answer) - 1].subject
            _decide_one(settings, found.review_id, partial(decide_link, candidate=chosen))


def _ask(candidates: int) -> str:
    """A number: it is that candidate; s: it is none of them; Enter: later; q or Ctrl-D: leave."""
    accepted = {str(number) for number in range(1, candidates + 1)} | {"s", "", "q"}
    asked = "number = same person, s = separate, Enter = later, q = quit"
    while True:
        try:
            answer = str(typer.prompt(asked, default="", show_default=False)).strip().lower()
        except typer.Abort:
            typer.echo()
            return "q"
        if answer in accepted:
            return answer
