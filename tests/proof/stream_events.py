"""Random streams of events around a correlation's windows."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.proof.stream_rules import LETTERS, Chain

SIZE = 200
START_MS = 1_700_000_000_000
_NUMBERS = (-2, -1, -0.5, 0, 0.1, 0.2, 0.25, 1, 1.5, 2, 3, 4)
_TEXTS = ("12", "-3", "0.5", "2", "abc", "1 2", "", "-", "0x1F", "3", "-0.25", "1.5.2")


def stream(
    random: Random, chain: Chain, offset_ms: int, *, ties: bool = True, size: int = SIZE
) -> list[dict[str, Any]]:
    """Return the events of one stream, in the order of their arrival.

    Args:
        random: the source of everything random.
        chain: the rules.
        offset_ms: added to all times.
        ties: whether several events may have one time.
        size: how many events.
    """
    span = chain.span_ms
    length = span * random.choice((2, 5, 12, 30, 60))
    hosts, users = random.randint(1, 4), random.randint(1, 3)
    shares = random.choice(((0.9, 0.02), (0.6, 0.05), (0.3, 0.2)))
    times = _times(random, span, length, size)
    events: list[dict[str, Any]] = []
    for time in times:
        if events and random.random() < 0.04:
            events.append({**random.choice(events[-5:]), "timestamp": time})
            continue
        event = _event(random, chain.bases, shares[0], hosts, users)
        for key in ("host", "user", "peer", "acct", "p", "w", "n", "t"):
            if random.random() < shares[1]:
                event.pop(key, None)
        events.append({**event, "timestamp": time})
    if not ties:
        taken: set[int] = set()
        for event in events:
            while event["timestamp"] in taken:
                event["timestamp"] += 1
            taken.add(event["timestamp"])
    for event in events:
        event["timestamp"] += offset_ms
    order = random.random()
    if order < 0.4:
        random.shuffle(events)
    elif order < 0.7:
        events.sort(key=lambda event: event["timestamp"])
    return events


def _times(random: Random, span: int, length: int, size: int) -> list[int]:
    """Times of which many are equal, exactly a window apart, or a millisecond off that."""
    step = max(span // random.choice((1, 2, 4, 10, 1000)), 1)
    times: list[int] = []
    while len(times) < size:
        chance = random.random()
        if times and chance < 0.3:
            times.append(random.choice(times[-20:]) + span + random.choice((-1, 0, 0, 1)))
        elif times and chance < 0.4:
            times.append(random.choice(times[-20:]))
        elif times and chance < 0.5:
            # A burst.
            times.append(times[-1] + random.randrange(span // 4))
        else:
            times.append(random.randrange(length) // step * step)
    return times


def _event(random: Random, which: str, share: float, hosts: int, users: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "src": random.choice(("one", "two", "three")) if which == "tables" else "one",
        "host": random.choice(("x", "X", "y", "z")[:hosts]),
        "user": random.choice(("u", "v", "u v")[:users]),
        "peer": random.choice(("u", "x", "v")[:users]),
        "acct": random.choice(("D\\u", "D\\v", "E\\u")[:users]),
        "p": random.randint(1, users),
        "w": str(random.randint(1, 3)),
        "n": random.choice(_NUMBERS),
        "t": random.choice(_TEXTS),
    }
    if random.random() < share:
        letter = random.choice(LETTERS)
        # Case is ignored.
        event["kind"] = random.choice((letter, letter, letter.upper())) + ("x" if which == "wider" else "")
    elif random.random() < 0.5:
        event["kind"] = random.choice(("q", "ab", "", "a b"))
    for flag in LETTERS:
        if random.random() < share / 2:
            event[f"f{flag}"] = random.choice((1, 1, 1, 0))
    return event
