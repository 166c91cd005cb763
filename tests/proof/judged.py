"""What rules of `typed`, `forms` and `fuzzed` became, as a text; and whether it selects what it shall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from converter.plan.fidelity import combine
from converter.plan.model import Draft


def label_lines(drafts: Sequence[Draft]) -> list[str]:
    """Return the fidelity of what was emitted, and the reasons."""
    reasons = [reason for draft in drafts for reason in draft.reasons]
    return [str(combine(reasons)), *(f"{reason.fidelity}: {reason.text}" for reason in reasons)]


def disagreement(
    drafts: Sequence[Draft],
    given: Sequence[Mapping[str, Any]],
    wanted: AbstractSet[int],
    got: AbstractSet[int],
) -> list[str]:
    """Return where the selected events are not those that the label allows.

    Args:
        drafts: what was emitted.
        given: the events.
        wanted: the numbers of those that the rule means.
        got: the numbers of those that the queries select.
    """
    label = combine(reason for draft in drafts for reason in draft.reasons)
    missed, extra = sorted(wanted - got), sorted(got - wanted)
    if label == "narrower" or (not missed and (not extra or label == "broader")):
        return []
    return [
        f"{label}: misses {[given[one] for one in missed[:4]]}, adds {[given[one] for one in extra[:4]]}: "
        f"{drafts[0].text[:600]}"
    ]
