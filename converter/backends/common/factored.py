"""What alternatives of a condition have in common, said once: ``A and B or A and C`` is ``A and (B or C)``.

For every language whose conditions are trees of AND and OR. It holds in logics with null, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

N = TypeVar("N")


def factored(
    items: Sequence[N],
    parts_of: Callable[[N], Sequence[N]],
    both: Callable[[Sequence[N]], N],
    either: Callable[[Sequence[N]], N],
) -> list[N]:
    """Return alternatives that say the same, those with common conditions as one.

    That is one of them if all have something in common. Some of them are joined only if what is left of them
    needs no AND: else a reader would no longer see the rule's own alternatives.

    Args:
        items: the alternatives, two or more.
        parts_of: gives the parts of an AND; of anything else itself.
        both: makes an AND.
        either: makes an OR.
    """
    parts = [list(parts_of(item)) for item in items]
    shared = [part for part in parts[0] if all(part in other for other in parts[1:])]
    if shared:
        return [_joined(parts, shared, both, either)]
    counts = Counter(part for held in parts if len(held) > 1 for part in dict.fromkeys(held))
    for part, count in counts.most_common():
        if count < 2:
            break
        chosen = [held for held in parts if len(held) > 1 and part in held]
        shared = [one for one in chosen[0] if all(one in other for other in chosen[1:])]
        rests = [[one for one in held if one not in shared] for held in chosen]
        if not all(len(rest) == 1 for rest in rests):
            continue
        first = next(place for place, held in enumerate(parts) if held is chosen[0])
        kept: list[N] = []
        for place, (item, held) in enumerate(zip(items, parts, strict=True)):
            if place == first:
                kept.append(_joined(chosen, shared, both, either))
            elif not any(held is one for one in chosen):
                kept.append(item)
        return factored(kept, parts_of, both, either) if len(kept) > 1 else kept
    return list(items)


def _joined(
    parts: Sequence[Sequence[N]],
    shared: Sequence[N],
    both: Callable[[Sequence[N]], N],
    either: Callable[[Sequence[N]], N],
) -> N:
    rests = [[one for one in held if one not in shared] for held in parts]
    if not all(rests):
        return both(list(shared))  # One of them asks for nothing else.
    return both([*shared, either([both(rest) for rest in rests])])
