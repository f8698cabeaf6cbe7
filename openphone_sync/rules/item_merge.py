"""Three-way merge of the phones or the e-mails of one contact. Pure.

An item is the same on both sides when its normalised value is (E.164, folded address). Else it is the one that carries
the label which we gave it: a person typed another value into our item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from openphone_sync.model import Conflict, Item, RemoteItem, Tie
from openphone_sync.rules.comparing import fold_text

APP_SUFFIX = " (app)"
"""Added to the label of a phone or e-mail that a person typed into an item of ours that the source changed."""

SOURCE, REMOTE = "source", "remote"


@dataclass(frozen=True, slots=True)
class ItemRules:
    """``name`` is the field ("phoneNumbers"), ``normalise`` makes values comparable; policies as in `MergeRules`."""

    name: str
    normalise: Callable[[str], str]
    overwrite_edits: bool
    source_wins: bool


@dataclass(frozen=True, slots=True)
class MergedItems:
    """The items to send, and which values of ours (normalised) are a person's: they were there before, or we left them out."""

    items: tuple[RemoteItem, ...]
    met: frozenset[str]
    conflicts: tuple[Conflict, ...] = ()


@dataclass(slots=True)
class _Place:
    """An item of the contact during the merge. ``value`` is normalised; ``claimed`` once it holds an item of ours."""

    item: RemoteItem
    value: str
    claimed: bool = False


@dataclass(slots=True)
class _Work:
    """What the steps below share. Mappings are by normalised value.

    ``known`` are the values of the base and of the source, ``written`` those that this merge put on the contact.
    """

    rules: ItemRules
    tie: Tie
    base: Mapping[str, Item]
    met: AbstractSet[str]
    ours: Mapping[str, Item]
    places: list[_Place]
    known: AbstractSet[str]
    written: set[str] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)


def merge_items(
    base: Sequence[Item],
    met: AbstractSet[str],
    theirs: Sequence[RemoteItem],
    ours: Sequence[Item],
    tie: Tie,
    rules: ItemRules,
) -> MergedItems:
    """``base`` are the items last seen in the source, ``met`` the normalised values among them that are a person's.

    Without a base (``tie`` is not LINKED) both are empty.
    """
    base_items, our_items = _by_value(base, rules), _by_value(ours, rules)
    places = [_Place(item, rules.normalise(item.value) if item.value else "") for item in theirs]
    work = _Work(rules, tie, base_items, met, our_items, places, base_items.keys() | our_items.keys())

    present = _meet(work)
    new = [value for value in our_items if value not in base_items and value not in present]
    # What was met is a person's: the source can drop it or change it, it stays, and what is new is added beside it.
    dropped = [value for value in base_items if value not in our_items and value not in met]

    _exchange(work, dropped, new)
    if rules.overwrite_edits:
        _restore(work, [value for value in our_items if value in base_items and value not in met | present])
    if tie is Tie.OWN:
        _take_over_labels(work, new)
    for value in new:
        _add(work, value)
    for value in dropped:
        place = _find(places, value, base_items[value].label)
        if place is not None:  # with its id and no value, so that an API that merges removes it too
            place.item = replace(place.item, value=None)

    items = tuple(place.item for place in places if place.item.value is not None or place.item.item_id is not None)
    return MergedItems(items, _find_met(work, present), tuple(work.conflicts))


def _find_met(work: _Work, present: AbstractSet[str]) -> frozenset[str]:
    """Values of ours that we did not put there: a person had them first, or they gave way to what a person typed."""
    met = set()
    for value in work.ours:
        if value in work.base:
            known_as_met = value in work.met
        else:
            # Without a base, what stands on our own earlier contact counts as written by us.
            known_as_met = value not in work.written and not (work.tie is Tie.OWN and value in present)
        if known_as_met:
            met.add(value)
    return frozenset(met)


# --- the steps -----------------------------------------------------------------------------------------------------


def _meet(work: _Work) -> set[str]:
    """Pair the items that have one value on both sides, where only the label can differ; returns those values."""
    present = set()
    for value, item in work.ours.items():
        place = _find(work.places, value, item.label)
        if place is None:
            continue
        place.claimed = True
        present.add(value)
        # A person's item keeps the label that the person gave it.
        if value in work.base and value not in work.met:
            place.item = replace(
                place.item, label=_merge_label(work, work.base[value].label, place.item.label, item.label)
            )
        elif work.tie is Tie.OWN:
            place.item = replace(place.item, label=_merge_label(work, None, place.item.label, item.label))
    return present


def _exchange(work: _Work, dropped: list[str], new: list[str]) -> None:
    """Where the source exchanged one value for another, the new one takes the old one's item and label.

    What was placed is taken out of ``dropped`` and ``new``.
    """
    for gone, value in _pair(work, dropped, new):
        gone_item, item = work.base[gone], work.ours[value]
        place = _find(work.places, gone, gone_item.label)
        if place is not None:
            label = _merge_label(work, gone_item.label, place.item.label, item.label)
            _put(work, place, value, label)
        else:
            place = _find_retyped(work, gone_item.label)
            if place is None:
                continue  # a person removed the old one: the new one is added
            _displace(work, place, value, source_wins=work.rules.source_wins)
        dropped.remove(gone)
        new.remove(value)


def _restore(work: _Work, missing: Iterable[str]) -> None:
    """Put back what we wrote and a person removed or retyped; what the person typed instead stays beside it."""
    for value in missing:
        place = _find_retyped(work, work.base[value].label)
        if place is None:
            _add(work, value)
        else:
            _displace(work, place, value, source_wins=True)


def _take_over_labels(work: _Work, new: list[str]) -> None:
    """Our earlier contact, and nobody knows what was written: an item with our label and another value is a conflict."""
    for value in list(new):
        place = _find_retyped(work, work.ours[value].label)
        if place is not None:
            new.remove(value)
            _displace(work, place, value, source_wins=work.rules.source_wins)


def _displace(work: _Work, place: _Place, value: str, *, source_wins: bool) -> None:
    """Our item holds what a person typed: ours takes the item, and theirs stays as a further one."""
    conflict = Conflict(work.rules.name, SOURCE if source_wins else REMOTE)
    if conflict not in work.conflicts:
        work.conflicts.append(conflict)
    if not source_wins:
        place.claimed = True
        return
    typed = place.item
    label = typed.label if typed.label.endswith(APP_SUFFIX) else typed.label + APP_SUFFIX
    work.places.append(_Place(RemoteItem(label, typed.value, extra=typed.extra), place.value, claimed=True))
    _put(work, place, value, work.ours[value].label)


def _merge_label(work: _Work, base: str | None, theirs: str, ours: str) -> str:
    """A label that a person changed stays, unless the source changed it too. ``base`` None: nobody knows who chose it."""
    rules = work.rules
    if fold_text(theirs) == fold_text(ours):
        return theirs
    if base is not None and fold_text(base) == fold_text(theirs):
        return ours
    unchanged = base is None or fold_text(base) == fold_text(ours)
    # With `overwrite`, a conflict that left the label would be undone by the next run; so ours wins at once.
    wins = rules.overwrite_edits or (rules.source_wins and not unchanged)
    if wins or not unchanged:
        kept, lost = (SOURCE, theirs) if wins else (REMOTE, ours)
        work.conflicts.append(Conflict(f"{rules.name}.name", kept, lost))
    return ours if wins else theirs


# --- items and values ------------------------------------------------------------------------------------------------


def _by_value(items: Iterable[Item], rules: ItemRules) -> dict[str, Item]:
    """Items by normalised value; the first of equal ones counts."""
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(rules.normalise(item.value), item)
    return found


def _pair(work: _Work, dropped: Iterable[str], new: Iterable[str]) -> list[tuple[str, str]]:
    """Dropped values with the new one that takes their place: by label first, then in order."""
    pairs: list[tuple[str, str]] = []
    dropped, new = list(dropped), list(new)
    for gone in list(dropped):
        value = next((value for value in new if work.ours[value].label == work.base[gone].label), None)
        if value is not None:
            pairs.append((gone, value))
            dropped.remove(gone)
            new.remove(value)
    return pairs + list(zip(dropped, new, strict=False))


def _find(places: Iterable[_Place], value: str, label: str) -> _Place | None:
    """The unclaimed item with this value; of several, the one with our label: staff may have typed the number again."""
    found = [place for place in places if not place.claimed and place.value == value]
    return next(
        (place for place in found if fold_text(place.item.label) == fold_text(label)), found[0] if found else None
    )


def _find_retyped(work: _Work, label: str) -> _Place | None:
    """The item with our label whose value neither the source nor the base knows: a person typed it there."""
    for place in work.places:
        typed = not place.claimed and place.value and place.value not in work.known
        if typed and fold_text(place.item.label) == fold_text(label):
            return place
    return None


def _put(work: _Work, place: _Place, value: str, label: str) -> None:
    place.item = replace(place.item, label=label, value=work.ours[value].value)
    place.value, place.claimed = value, True
    work.written.add(value)


def _add(work: _Work, value: str) -> None:
    item = work.ours[value]
    work.places.append(_Place(RemoteItem(item.label, item.value), value))
    work.written.add(value)
