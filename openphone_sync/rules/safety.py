"""Whether a plan may run unasked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from openphone_sync.errors import SafetyStopError
from openphone_sync.model import Create, Delete
from openphone_sync.rules.planning import Plan

FEWEST_CHANGES = 20
"""A share of the linked contacts never stops fewer updates, deletions and re-creations than this."""
FEWEST_LOST = 3
"""A share never stops so few deletions, or rows gone from the source."""


@dataclass(frozen=True, slots=True)
class SafetyLimit:
    """How much may change unasked: a share of the linked contacts (0 to 1), or an absolute number.

    ``setting`` is how the operator wrote it.
    """

    setting: str
    share: float = 0.0
    number: int | None = None

    def changes(self, linked: int) -> int:
        """How many updates, deletions and re-creations may pass, of so many linked contacts."""
        return self.number if self.number is not None else max(FEWEST_CHANGES, int(self.share * linked))

    def losses(self, known: int) -> int:
        """How many deletions, or clients gone, may pass, of so many."""
        return self.number if self.number is not None else max(FEWEST_LOST, int(self.share * known))


def count_touched(plan: Plan) -> Counter[str]:
    """Updates, deletions and re-creations among contacts that were linked before this run."""
    touched = Counter({"updates": plan.changed_contacts})
    touched["deletions"] = sum(isinstance(action, Delete) for action in plan.actions)
    touched["re-creations"] = sum(isinstance(action, Create) and action.again for action in plan.actions)
    return touched


def check_safety(plan: Plan, limit: SafetyLimit, before: Counter[str] | None = None) -> None:
    """Raise `SafetyStopError` where the plan goes past what may happen unasked.

    ``before`` is what an earlier round of the same run has touched. Rows that are gone are judged only on a complete
    read. Creations and adoptions do not count.
    """
    problems = list(_find_problems(plan, limit, before or Counter()))
    if problems:
        raise SafetyStopError(
            f"{', and '.join(problems)}, so nothing {'more ' if before else ''}was written "
            f"(OPENPHONE_MAX_CHANGES={limit.setting}); look at it with --dry-run --force, and run again with --force if it "
            "is right"
        )


def _find_problems(plan: Plan, limit: SafetyLimit, before: Counter[str]) -> Iterator[str]:
    if plan.complete and not plan.clients.read and plan.linked_before:
        yield f"the source has no rows, but {plan.linked_before} contacts are linked"
        return
    if plan.missing_columns and plan.linked_before:
        yield f"the source no longer has the column {', '.join(plan.missing_columns)}"
    touched = count_touched(plan) + before
    changes, allowed = touched.total(), limit.changes(plan.linked_before)
    if changes > allowed:
        counts = ", ".join(f"{count} {name}" for name, count in touched.items() if count)
        yield f"{changes} of {plan.linked_before} linked contacts would change ({counts}), {allowed} may"
    deletions, may_go = touched["deletions"], limit.losses(plan.linked_before)
    if deletions > may_go and changes <= allowed:
        yield f"{deletions} of {plan.linked_before} linked contacts would be deleted, {may_go} may"
    gone, may_leave = len(plan.removed), limit.losses(plan.known_clients)
    if plan.complete and gone > may_leave:
        yield f"{gone} of {plan.known_clients} clients are gone from the source, {may_leave} may be"
    for field, count in plan.losses.items():
        if count > allowed:
            yield f"{count} rows lost their {field}, {allowed} may"
