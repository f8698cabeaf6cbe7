"""Who is who: which remote contact each wanted contact meets, on what evidence. Pure.

Each wanted contact meets at most one contact, two never share one. `PASSES` is the order of evidence: a person's
decisions, links, external ids, then strong evidence (phone or e-mail, and the name agrees) from the strongest down, then
the rest against what is left. The result does not depend on the order of the input. Nothing is ever matched on a part of
a phone number.
"""

from __future__ import annotations

from collections.abc import Sequence

from openphone_sync.model import DesiredContact
from openphone_sync.rules.matching.context import (
    Context,
    Known,
    Matches,
    MatchingRules,
    find_referred_clients,
    is_integration,
    key_of,
)
from openphone_sync.rules.matching.index import RemoteIndex, collector_paused
from openphone_sync.rules.matching.ledger import Ledger
from openphone_sync.rules.matching.passes import PASSES
from openphone_sync.rules.merging import MergeRules

__all__ = [
    "PASSES",
    "Known",
    "Matches",
    "MatchingRules",
    "RemoteIndex",
    "find_referred_clients",
    "is_integration",
    "match_contacts",
]


def match_contacts(
    wanted: Sequence[DesiredContact],
    index: RemoteIndex,
    known: Known,
    rules: MatchingRules,
    merging: MergeRules | None = None,
) -> Matches:
    """One result for each wanted contact, in their order.

    ``wanted`` holds all wanted contacts of the clients in play, unchanged ones too. Linked contacts need not be in the
    index. Where the workspace was not listed, what only the workspace could tell ends as `Makes`: list it, and match
    again. By ``merging`` contacts that this run updates are judged as it will leave them, otherwise as they are.
    """
    with collector_paused():
        context = Context(wanted, index, known, rules, merging)
        ledger = Ledger(context)
        for decide in PASSES:
            decide(ledger, context)
    results = tuple(ledger.results[key_of(desired)] for desired in wanted)
    return Matches(results, tuple(alike for _, alike in sorted(ledger.look_alikes.items())))
