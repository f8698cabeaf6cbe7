"""Pairs -> a plan, and whether the plan may run. Pure.

A plan is data: sorted, countable, refusable. One `Action` for each wanted contact, so that counts always add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from openphone_sync.errors import SafetyStopError
from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    Candidate,
    ClientTally,
    ContactValues,
    DesiredContact,
    Link,
    LookAlike,
    Merged,
    Pair,
    RemoteContact,
    Skipped,
    Standing,
    Tie,
    Verdict,
)
from openphone_sync.rules.matching.passes import GONE_TWICE, HANDED_OVER, Matches
from openphone_sync.rules.merging import MergeRules, make_changes, make_first_draft, merge

NUMBERS_STAY = "no usable phone in the source: the contact's numbers stay"
NOT_OURS = "gone from the source, and not made by this tool: never deleted"

_TIES = {Verdict.LINKED: Tie.LINKED, Verdict.OWN: Tie.OWN, Verdict.ADOPT: Tie.ADOPTED}


@dataclass(frozen=True, slots=True)
class PlanningRules:
    """Settings that decide what a pair becomes."""

    source: str
    merging: MergeRules
    delete_removed: bool = False
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Resting:
    """Wanted contacts that nobody looked at again, since their client's row has not moved."""

    linked: int = 0
    skipped: tuple[Link, ...] = ()
    held: tuple[Link, ...] = ()
    evidence: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    ``actions`` are ordered by client id and slot. ``fingerprints`` are remembered for each client once all its
    actions are settled. ``relinks`` are state rows that change without a request; they are committed first, together.
    ``spoken_for`` are contacts that some link or action holds: no creation may end in one of them.
    ``orphans`` are links that the source no longer wants, old ones included; ``removed`` the clients that it dropped,
    ``forgotten`` rows that no longer mean anything. ``linked_before`` counts the contacts that were linked before
    this run, ``known_clients`` the clients, and ``losses`` the linked contacts that lose in the source what they had.
    """

    actions: tuple[Action, ...] = ()
    clients: ClientTally = field(default_factory=ClientTally)
    resting: Resting = field(default_factory=Resting)
    fingerprints: Mapping[str, bytes] = field(default_factory=dict)
    orphans: tuple[Link, ...] = ()
    relinks: tuple[Link, ...] = ()
    spoken_for: frozenset[str] = frozenset()
    removed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()
    warnings: tuple[str, ...] = ()
    linked_before: int = 0
    known_clients: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)
    complete: bool = True
    missing_columns: tuple[str, ...] = ()

    @property
    def pending(self) -> int:
        """How many actions will send something."""
        return sum(action.writes for action in self.actions)


# --- actions -------------------------------------------------------------------------------------------------------


def make_actions(
    matches: Matches,
    skipped: Iterable[Skipped],
    links: Mapping[str, Link],
    owners: Mapping[str, Link],
    taken: Container[str],
    rules: PlanningRules,
) -> tuple[Action, ...]:
    """One action for each wanted contact.

    ``links`` are the state's rows by external id, ``owners`` the rows by contact id; ``taken`` are the external
    ids that some contact of the workspace carries.
    """
    actions = [_act(pair, links.get(pair.desired.external_id), owners, taken, rules) for pair in matches.pairs]
    actions += [_skip(one, links.get(one.external_id)) for one in skipped]
    return tuple(sorted(actions, key=lambda action: (action.client_id, action.slot)))


def make_settled_actions(settled: Iterable[DesiredContact], links: Mapping[str, Link]) -> Iterator[Action]:
    """Actions for contacts that are what was last written: nothing was read for them and nothing is sent."""
    for desired in settled:
        link = links[desired.external_id]
        yield Action(
            kind=ActionKind.UNCHANGED,
            link=link,
            contact_id=link.contact_id,
            desired=desired,
            linked_before=True,
        )


def make_reverted_actions(links: Iterable[Link]) -> Iterator[Action]:
    """Actions for contacts that a rollback undid: held as they are."""
    for link in links:
        yield Action(
            kind=ActionKind.HOLD,
            link=link,
            contact_id=link.contact_id,
            reason=link.reason,
        )


def _act(
    pair: Pair, link: Link | None, owners: Mapping[str, Link], taken: Container[str], rules: PlanningRules
) -> Action:
    match pair.verdict:
        case Verdict.LINKED | Verdict.OWN | Verdict.ADOPT:
            return _meet(pair, link, owners, rules)
        case Verdict.CREATE | Verdict.RECREATE:
            return _create(pair, link, taken, rules)
        case Verdict.HOLD:
            return _rest(ActionKind.HOLD, Standing.HELD, pair, link, pair.reason)
        case Verdict.SKIP:
            declined = pair.reason == GONE_TWICE or (link is not None and link.standing is Standing.DECLINED)
            return _rest(ActionKind.SKIP, Standing.DECLINED if declined else Standing.SKIPPED, pair, link, pair.reason)


def _meet(pair: Pair, link: Link | None, owners: Mapping[str, Link], rules: PlanningRules) -> Action:
    remote = pair.remote
    if remote is None:
        raise AssertionError(f"{pair.desired.external_id}: {pair.verdict} without a contact")
    base = _base(remote, owners)
    # The state does not hold marks yet: what it remembers counts as written by us.
    merged = merge(Base(base) if base else None, remote, pair.desired, rules.merging, _TIES[pair.verdict])
    linked_before = pair.verdict is Verdict.LINKED
    kind = (ActionKind.UPDATE if merged.changes else ActionKind.UNCHANGED) if linked_before else ActionKind.ADOPT
    lost = base is not None and base.phones and not pair.desired.values.phones
    planned = _linked(pair.desired, link, remote.contact_id, merged.base.values, rules)
    return Action(
        kind=kind,
        link=replace(planned, reason=NUMBERS_STAY) if lost else planned,
        contact_id=remote.contact_id,
        desired=pair.desired,
        verdict=pair.verdict,
        before=remote,
        base=base,
        merged=merged,
        evidence=pair.evidence,
        reason=pair.reason,
        linked_before=linked_before,
    )


def _base(remote: RemoteContact, owners: Mapping[str, Link]) -> ContactValues | None:
    """The base stays with the contact, also where it now belongs to another slot or another client."""
    owner = owners.get(remote.contact_id)
    return owner.base if owner else None


def _create(pair: Pair, link: Link | None, taken: Container[str], rules: PlanningRules) -> Action:
    desired = pair.desired
    if desired.unfit:
        return _rest(ActionKind.SKIP, Standing.SKIPPED, pair, link, desired.unfit)
    recreates = pair.verdict is Verdict.RECREATE
    draft = make_first_draft(desired, rules.source)
    if pair.reason == HANDED_OVER or desired.external_id in taken:
        draft = replace(draft, external_id=_free_external_id(desired.external_id, taken))
    planned = _linked(desired, None if recreates else link, None, desired.values, rules)
    return Action(
        kind=ActionKind.CREATE,
        link=replace(planned, times_gone=(link.times_gone + 1) if recreates and link else planned.times_gone),
        desired=desired,
        verdict=pair.verdict,
        merged=Merged(draft, Base(desired.values), make_changes(None, draft, rules.merging)),
        evidence=pair.evidence,
        reason=pair.reason,
        recreates=recreates,
        linked_before=recreates,
    )


def _free_external_id(external_id: str, taken: Container[str]) -> str:
    """External ids never move, so the newcomer gets the next free one; ``~`` stands in no id that the mapping makes."""
    number = 2
    while f"{external_id}~{number}" in taken:
        number += 1
    return f"{external_id}~{number}"


def _linked(
    desired: DesiredContact, link: Link | None, contact_id: str | None, base: ContactValues, rules: PlanningRules
) -> Link:
    return Link(
        external_id=desired.external_id,
        client_id=desired.client_id,
        slot=desired.slot,
        standing=Standing.LINKED,
        contact_id=contact_id,
        base=base,
        person=desired.person,
        times_gone=link.times_gone if link else 0,
        failures=link.failures if link else 0,
        first_run=link.first_run if link and link.first_run and link.contact_id == contact_id else rules.run_id,
    )


def _rest(kind: ActionKind, standing: Standing, pair: Pair, link: Link | None, reason: str) -> Action:
    """Nothing is sent; a contact that was linked keeps its link."""
    desired = pair.desired
    known = link or Link(desired.external_id, desired.client_id, desired.slot, standing, person=desired.person)
    return Action(
        kind=kind,
        link=replace(known, standing=standing, reason=reason),
        contact_id=known.contact_id or (pair.remote.contact_id if pair.remote else None),
        desired=desired,
        verdict=pair.verdict,
        evidence=pair.evidence,
        reason=reason,
    )


def _skip(one: Skipped, link: Link | None) -> Action:
    known = link or Link(one.external_id, one.client_id, one.slot, Standing.SKIPPED)
    return Action(
        kind=ActionKind.SKIP,
        link=replace(known, standing=Standing.SKIPPED, reason=one.reason),
        contact_id=known.contact_id,
        reason=one.reason,
    )


# --- those who left ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leavers:
    """Links that the source no longer wants: ``orphans`` hold a contact, ``forgotten`` do not, or no longer."""

    orphans: tuple[Link, ...] = ()
    forgotten: tuple[str, ...] = ()


def find_leavers(links: Iterable[Link], actions: Sequence[Action], gone: Container[str]) -> Leavers:
    """Which of these links no action keeps; ``gone`` are contacts that were deleted in the app.

    A contact whose external id is wanted again by another person is kept under an id of its own, so that it is not lost
    from sight.
    """
    wanted = {action.external_id for action in actions}
    kept = {action.contact_id for action in actions if action.contact_id}
    orphans: list[Link] = []
    forgotten: list[str] = []
    for link in links:
        if link.contact_id is None or link.contact_id in kept or link.contact_id in gone:
            if link.external_id not in wanted:
                forgotten.append(link.external_id)
            continue
        external_id = link.external_id
        if external_id in wanted:
            external_id = f"{external_id}#{link.contact_id}"
        orphans.append(replace(link, external_id=external_id, standing=Standing.ORPHANED))
    return Leavers(tuple(orphans), tuple(forgotten))


def mark_foreign(orphans: Iterable[Link], remotes: Mapping[str, RemoteContact], rules: PlanningRules) -> list[Link]:
    """Orphans that turned out to be somebody else's, with the reason why they stay: no later run looks at them."""
    found = ((link, remotes.get(link.contact_id or "")) for link in orphans)
    return [replace(link, reason=NOT_OURS) for link, remote in found if remote and remote.source != rules.source]


def make_deletions(orphans: Iterable[Link], remotes: Mapping[str, RemoteContact], rules: PlanningRules) -> list[Action]:
    """Deletions of orphans that are ours without doubt: our source, our link, and read in this run."""
    if not rules.delete_removed:
        return []
    found = ((link, remotes.get(link.contact_id or "")) for link in orphans)
    return [_delete(link, remote) for link, remote in found if remote is not None and remote.source == rules.source]


def _delete(link: Link, remote: RemoteContact) -> Action:
    return Action(
        kind=ActionKind.DELETE,
        link=link,
        contact_id=remote.contact_id,
        before=remote,
        base=link.base,
        reason="gone from the source",
        linked_before=True,
        unlinks=True,
    )


def make_relinks(actions: Iterable[Action], links: Mapping[str, Link], orphans: Iterable[Link]) -> tuple[Link, ...]:
    """State rows to commit before the first request: what moves without one, and contacts that change their slot."""
    moved = [replace(one, standing=Standing.ORPHANED) for one in orphans if links.get(one.external_id) != one]
    for action in actions:
        known = links.get(action.external_id)
        if not action.writes:
            link = replace(action.link, failures=0)
        elif _passes_over(action) and (known is None or known.contact_id != action.contact_id):
            link = replace(action.link, base=action.base)
        else:
            continue
        if link != known:
            moved.append(link)
    return tuple(moved)


def _passes_over(action: Action) -> bool:
    """Whether it writes to a contact that some row of the state holds: it must not be lost if the write fails."""
    return action.contact_id is not None and (action.linked_before or action.base is not None)


# --- safety --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SafetyLimit:
    """How much may change unasked: a share of the linked contacts (0 to 1), or an absolute number.

    ``setting`` is how the operator wrote it.
    """

    setting: str
    share: float = 0.0
    number: int | None = None

    def allowed(self, linked: int) -> int:
        """How many changes may pass without asking; a share never stops fewer than 20."""
        return self.number if self.number is not None else max(20, int(self.share * linked))


def check_safety(plan: Plan, limit: SafetyLimit) -> None:
    """Raise `SafetyStopError` where the plan goes past what may happen unasked.

    Counted are updates, deletions and re-creations among contacts that were linked before this run; creations and
    adoptions are not. Rows that are gone are judged only on a complete read.
    """
    problems = list(_problems(plan, limit))
    if problems:
        raise SafetyStopError(
            f"{', and '.join(problems)}, so nothing was written (OPENPHONE_MAX_CHANGES={limit.setting}); look at it with "
            "--dry-run --force, and run again with --force if it is right"
        )


def _problems(plan: Plan, limit: SafetyLimit) -> Iterable[str]:
    if plan.complete and not plan.clients.read and plan.linked_before:
        yield f"the source has no rows, but {plan.linked_before} contacts are linked"
        return
    if plan.missing_columns and plan.linked_before:
        yield f"the source no longer has the column {', '.join(plan.missing_columns)}"
    touched = _count_touched(plan.actions)
    changes, allowed = sum(touched.values()), limit.allowed(plan.linked_before)
    if changes > allowed:
        parts = ", ".join(f"{count} {name}" for name, count in touched.items() if count)
        yield f"{changes} of {plan.linked_before} linked contacts would change ({parts}), {allowed} may"
    gone, rows_allowed = len(plan.removed), limit.allowed(plan.known_clients)
    if plan.complete and gone > rows_allowed:
        yield f"{gone} of {plan.known_clients} clients are gone from the source, {rows_allowed} may be"
    for column, count in {**_count_lost_fields(plan.actions), **plan.losses}.items():
        if count > allowed:
            yield f"{count} rows lost their {column}, {allowed} may"


def _count_touched(actions: Iterable[Action]) -> dict[str, int]:
    touched: Counter[str] = Counter()
    for action in actions:
        if not (action.linked_before and action.writes):
            continue
        name = {ActionKind.UPDATE: "updates", ActionKind.DELETE: "deletions"}.get(action.kind, "re-creations")
        touched[name] += 1
    return dict(touched)


def count_losses(actions: Iterable[Action], links: Mapping[str, Link], orphans: Iterable[Link]) -> dict[str, int]:
    """How many linked contacts lose in the source what merging leaves alone, so that no change tells of it.

    ``links`` are the rows of the clients that were looked at, ``orphans`` those that an alternate left. What an earlier
    run has seen is in the rows and does not count again.
    """
    linked = {key: link for key, link in links.items() if link.standing is Standing.LINKED}
    known = [(action, linked[action.external_id]) for action in actions if action.external_id in linked]
    left = {link.contact_id for link in orphans}
    return {
        "phone": sum(action.link.reason == NUMBERS_STAY != link.reason for action, link in known),
        "name": sum(action.kind is ActionKind.SKIP and action.desired is None for action, _ in known),
        "alternate": sum(link.contact_id in left for link in linked.values()),
    }


def _count_lost_fields(actions: Iterable[Action]) -> Counter[str]:
    """How many linked contacts' rows became empty in a field that they had."""
    lost: Counter[str] = Counter()
    for action in actions:
        if not (action.linked_before and action.merged):
            continue
        for change in action.merged.changes:
            if change.before not in (None, "", []) and change.after in (None, "", []):
                lost[change.field] += 1
    return lost
