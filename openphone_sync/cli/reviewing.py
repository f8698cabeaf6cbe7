"""Reviews on a terminal: both sides beside each other, and the walk from one to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import typer

from openphone_sync.cli.options import read_settings
from openphone_sync.cli.output import echo, print_notice
from openphone_sync.cli.tables import is_terminal, print_line, print_sides, print_table, show_id
from openphone_sync.config import Settings
from openphone_sync.errors import RunError
from openphone_sync.model import Candidate, Decision
from openphone_sync.run.decide import decide_link, decide_separate, save_decision, undo_decision
from openphone_sync.views.review import Review, count_open, read_reviews
from openphone_sync.views.sides import make_sides
from openphone_sync.wiring import change_state, read_state

HELP = """\
  1, 2, ...  our client is this candidate: the next sync links the two
  s          none of them: the next sync creates a contact of its own
  a          after s: separate all that are left and held for the same reason
  u          undo the last decision
  e          explain the client (asks the database and OpenPhone)
  Enter      decide later
  q          stop; what is decided stays decided"""


def describe_next(decided: int, still_open: int) -> str:
    """What happens after so many decisions, and how many reviews wait."""
    rest = f"{still_open} still open" if still_open else "none is open"
    if not decided:
        return (
            f"nothing decided, {rest}; openphone-sync review list shows them"
            if still_open
            else f"nothing decided, {rest}"
        )
    return (
        f"{decided} decided, {rest}; the next sync acts on it (now: openphone-sync sync)."
        " Until then openphone-sync review undo ID undoes a decision"
    )


def print_reviews(reviews: Sequence[Review], settings: Settings) -> None:
    """All of them: side by side on a terminal, elsewhere one line for each candidate."""
    if not reviews:
        echo("no open reviews")
    elif is_terminal():
        for review in reviews:
            print_review(review, settings)
        opened = sum(not review.decided for review in reviews)
        print_line(f"{opened} open, {len(reviews) - opened} decided; decide them with openphone-sync review")
    else:
        rows = [
            (
                review.person.name,
                card.name,
                f"{candidate.score:.2f}",
                f"{review.reason}; {candidate.words}".rstrip("; "),
                review.decided,
                review.review_id,
                candidate.subject,
            )
            for review in reviews
            for candidate in review.candidates or (Candidate("", "", 0.0, ""),)
            for card in [review.card_of(candidate)]
        ]
        print_table(("our client", "candidate", "score", "why", "decided", "id", "candidate id"), rows)


def print_review(review: Review, settings: Settings) -> None:
    """Our person beside each candidate."""
    decided = f" (decided: {review.decided})" if review.decided else ""
    echo()
    print_line(f"{review.person.name} is held: {review.reason}{decided}")
    print_line(f"  {show_id(review.review_id)}")
    for number, candidate in enumerate(review.candidates, start=1):
        card = review.card_of(candidate)
        sides = make_sides(review.person, card, settings.region, settings.source)
        print_sides(("our client", f"candidate {number}"), sides)
        where = card.address or candidate.subject
        score = f"{candidate.score:.2f}"
        print_line(f"  evidence: {candidate.words}{'' if score in candidate.words else f' ({score})'}")
        print_line(f"  {where}")


# --- one after the other -------------------------------------------------------------------------------------------


def walk(context: typer.Context) -> None:
    """One question for each open review; quitting early keeps what was decided.

    Takes the lock for each decision only, so that a prompt left open does not block the nightly sync.
    """
    settings = read_settings(context)
    with read_state(settings) as store:
        reviews = [review for review in read_reviews(store) if not review.decided]
    if not reviews:
        echo("no open reviews")
        return
    decided = _Walk(context, settings, reviews).run()
    with read_state(settings) as store:
        still_open = count_open(store)
    print_line(describe_next(decided, still_open))


class _Walk:
    """Where the walk is: the review that is shown, and what was decided on the way."""

    def __init__(self, context: typer.Context, settings: Settings, reviews: list[Review]) -> None:
        self._context = context
        self._settings = settings
        self._reviews = reviews
        self._position = 0
        self._history: list[int] = []  # positions of what was decided, in the order of the decisions
        self._last_kind: tuple[str, str] | None = None  # of the review that was just separated

    def run(self) -> int:
        """Ask until all are decided or left; returns how many decisions stand."""
        shown = -1
        while self._position < len(self._reviews):
            if shown != self._position:
                echo()
                echo(f"{self._position + 1} of {len(self._reviews)}")
                print_review(self._reviews[self._position], self._settings)
                shown = self._position
            answer = self._ask()
            if answer == "q":
                break
            try:
                self._act(answer)
            except RunError as error:  # a sync is running, or the database is down: nothing was decided
                print_notice(str(error))
        return len(self._history)

    def _act(self, answer: str) -> None:
        review = self._reviews[self._position]
        if answer == "?":
            for line in HELP.splitlines():
                print_line(line)
        elif answer == "e":
            from openphone_sync.cli.explain import show_client  # noqa: PLC0415  # 80 ms: most reviews need none

            show_client(self._context, review.link.client_id)
        elif answer == "u":
            self._undo()
        elif answer == "a":
            self._decide({position: decide_separate(self._reviews[position]) for position in self._find_alike()})
        elif answer == "s":
            self._decide({self._position: decide_separate(review)})
            self._last_kind = review.kind
        elif answer:
            self._decide({self._position: decide_link(review, review.candidates[int(answer) - 1].subject)})
            self._last_kind = None
        else:
            self._position += 1

    def _decide(self, decisions: Mapping[int, list[Decision]]) -> None:
        """Remember what was decided about the reviews at these positions, and go to the next one that is open."""
        with change_state(self._settings) as store:
            for position, made in decisions.items():
                save_decision(store, self._reviews[position], made, time.time())
                self._history.append(position)
        while self._position in self._history:
            self._position += 1

    def _undo(self) -> None:
        if not self._history:
            echo("nothing to take back")
            return
        position = self._history[-1]
        with change_state(self._settings) as store:
            undo_decision(store, self._reviews[position].review_id)
        self._history.pop()
        self._position, self._last_kind = position, None

    def _find_alike(self) -> list[int]:
        """Positions of those that are left and held for the reason of the one that was just separated."""
        rest = range(self._position, len(self._reviews))
        return [one for one in rest if self._reviews[one].kind == self._last_kind and one not in self._history]

    def _ask(self) -> str:
        """The number of a candidate, a letter, or empty for later."""
        candidates = len(self._reviews[self._position].candidates)
        alike = len(self._find_alike())
        accepted = {str(number) for number in range(1, candidates + 1)} | {"s", "u", "e", "?", "", "q"}
        accepted |= {"a"} if alike else set()
        more = f", a = separate all {alike} held for this reason" if alike else ""
        question = f"number = same person, s = separate{more}, u = undo, e = explain, ? = help, Enter = later, q = quit"
        while True:
            print_line(question)
            try:
                answer = str(typer.prompt("answer", default="", show_default=False)).strip().lower()
            except typer.Abort:
                echo()
                return "q"
            if answer in accepted:
                return answer
