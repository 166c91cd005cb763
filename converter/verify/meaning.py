"""Tell a change of a query's meaning from a change of its text: run both over both rules' events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from converter.artifacts.changes import Change, Side
from converter.conversion.convert import Conversion, Options, convert
from converter.errors import SigconvError
from converter.pipelines.cells import Cell
from converter.pipelines.cells import cell as cell_of
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.judge import Mark
from converter.verify.verify import Stream, selected, streams_of

_ANY = Options("any")


def judge(change: Change, old: Side, new: Side, cells: Mapping[str, Cell] | None = None) -> None:
    """Set a change's ``meaning`` and ``detail``: do the old and the new queries select the same events?

    The events are the tests and witnesses of the rule as it was and as it is. What they do not tell apart
    may still differ; what they do tell apart differs.

    Args:
        change: of a rule in a cell.
        old: where the old queries are.
        new: where the new ones are.
        cells: by name, with what the user's configuration says; default: the stock ones.
    """
    texts = [side.texts(change.key) for side in (old, new)]
    if not all(texts):
        return
    try:
        before, before_streams = _conversion(old, change, list(texts[0].values()), cells)
        after, after_streams = _conversion(new, change, list(texts[1].values()), cells)
        streams = [*before_streams, *after_streams]
        told = dict(_told(before, after, streams))
    except SigconvError as error:
        change.meaning, change.detail = "unknown", f"{error.code} {error.message}"
    except Exception as error:  # An old query that this version's engines stumble over is no defect.
        change.meaning, change.detail = "unknown", f"the engine failed: {error!r}"
    else:
        count = sum(len(stream.events) for stream in streams)
        change.meaning = "other" if told else "same"
        change.detail = "; ".join(told.values()) or f"both select the same of {count} events"


def _conversion(
    side: Side, change: Change, texts: Sequence[str], cells: Mapping[str, Cell] | None
) -> tuple[Conversion, list[Stream]]:
    """Return the side's rule in the cell with the side's own query texts, and the rule's events."""
    found = side.rules()
    rule = _rule(found, change) if found is not None else None
    if found is None or rule is None:
        raise SigconvError("SC613", f"the rule of {side.name} is not known")
    _, source, target = change.key
    known = (cells or {}).get(change.cell) or cell_of(source, target)
    conversion = convert(found, rule, known.proof or known, _ANY)
    if len(conversion.queries) == len(texts):
        queries = tuple(replace(q, text=text) for q, text in zip(conversion.queries, texts, strict=True))
    else:
        queries = tuple(replace(conversion.queries[0], text=text) for text in texts)
    return replace(conversion, queries=queries), streams_of(found, rule, side.tests or Path(), _ANY)


def _rule(found: RuleSet, change: Change) -> Rule | None:
    return next((rule for rule in found.rules if change.key[0] in (rule.id, rule.name)), None)


def _told(before: Conversion, after: Conversion, streams: Sequence[Stream]) -> Iterator[tuple[str, str]]:
    """Yield how the two differ, from the last stream to the first that shows it."""
    for stream in reversed(streams):
        old, new = selected(before, stream.events), selected(after, stream.events)
        for word, marks in (("no longer selects", old - new), ("now also selects", new - old)):
            if marks:
                yield word, f"{word} {len(marks)} of '{stream.name}'{_example(marks, stream)}"


def _example(marks: set[Mark], stream: Stream) -> str:
    """Return the values of the first event that look like what a rule looks at."""
    position = min((mark.event for mark in marks if mark.event is not None), default=None)
    if position is None:
        return ""
    event: Mapping[str, object] = stream.events[position]
    keys = ("Image", "CommandLine", "ParentImage", "TargetFilename", "TargetObject", "DestinationPort")
    shown = [f"{key}={event[key]}" for key in keys if key in event][:3]
    return f", such as {', '.join(shown)}" if shown else ""
