"""`sigconv verify`: each rule in each cell, its events in the platform's shape, its query on an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.conversion.convert import DEFAULT, Conversion, Options, convert
from converter.engines import engine_for
from converter.errors import Refusal, SigconvError
from converter.pipelines.cells import Cell
from converter.plan.model import Fidelity
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify import test_files
from converter.verify.judge import Mark, Verdict
from converter.verify.prepared import Prepared, relaxations_of, run_queries
from converter.verify.relaxations import known
from converter.verify.stored import StoredStreams, stored_events, tables_of
from converter.witness import witnesses

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """One rule in one cell."""

    rule: Rule
    cell: Cell
    status: str
    """``agrees``, ``disagrees``, ``refused`` or ``error``."""
    fidelity: str = ""
    events: int = 0
    hits: int = 0
    reason: str = ""
    detail: tuple[str, ...] = ()
    """For each disagreement: the event and both verdicts."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events that belong together, in the order of arrival."""

    name: str
    events: tuple[Event, ...]


Checking = Callable[[RuleSet, Conversion, Sequence[Stream], Options, StoredStreams], Checked]


def verify(
    rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options = DEFAULT
) -> Iterator[Checked]:
    """Verify every emitted rule in every cell.

    Args:
        rules: as loaded.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose; what is not within its fidelity is refused.
    """
    for rule in emitted_rules(rules):
        yield from verify_rule(rules, rule, cells, tests, options)


def verify_rule(
    rules: RuleSet,
    rule: Rule,
    cells: Sequence[Cell],
    tests: Path,
    options: Options = DEFAULT,
    checking: Checking | None = None,
) -> Iterator[Checked]:
    """Verify one rule in every cell; see `verify`.

    Args:
        rules: as loaded.
        rule: one of them.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose; what is not within its fidelity is refused.
        checking: what judges a conversion; default: `check`.
    """
    checking = checking or check
    streams: list[Stream] | None = None
    kept = StoredStreams()
    for cell in cells:
        try:
            # Where the configuration says that events are is not where the shapes put them.
            conversion = convert(rules, rule, cell.proof or cell, options)
            if streams is None:
                streams = streams_of(rules, rule, tests, options)
            yield checking(rules, conversion, streams, options, kept)
        except Refusal as refusal:
            yield Checked(rule, cell, "refused", reason=f"{refusal.code} {refusal.message}")
        except SigconvError as error:
            yield Checked(rule, cell, "error", reason=str(error))
        except Exception as error:  # A defect met with one rule must not hide the others' results.
            yield Checked(rule, cell, "error", reason=f"SC900 internal error: {error!r}")


def streams_of(rules: RuleSet, rule: Rule, tests: Path, options: Options = DEFAULT) -> list[Stream]:
    """Return the rule's own test events and its witnesses; those of an event rule as one stream."""
    streams: list[Stream] = []
    own = test_files.find(tests, rule.relative, rule.id or rule.name)
    if own is not None:
        streams += [Stream(f"test: {test.name}", test.events) for test in own.tests]
    docs = [one.doc for one in rules.closure(rule)]
    streams += [
        Stream(made.name, tuple(made.events))
        for made in witnesses(docs, rule.doc, placeholders=options.placeholders)
    ]
    if rule.kind == "rule":
        return [Stream("all", tuple(event for stream in streams for event in stream.events))]
    return streams


def check(
    rules: RuleSet,
    conversion: Conversion,
    streams: Sequence[Stream],
    options: Options = DEFAULT,
    kept: StoredStreams | None = None,
) -> Checked:
    """Run a rule's queries over its streams and say whether they select what the label promises.

    Args:
        rules: where references are resolved.
        conversion: the rule in a cell.
        streams: the rule's events, as `streams_of` returns them.
        options: what the user chose.
        kept: what the rule's other cells have stored.

    Raises:
        EngineError: if the engine rejects a query.
    """
    rule, cell = conversion.rule, conversion.cell
    engine = engine_for(cell.target)
    verdict = Verdict()
    for query in conversion.queries:
        engine.validate(query.text, tables_of(conversion))
    for stream in streams:
        compare(rules, conversion, stream.name, stream.events, options, verdict, kept)
    problem = unproven(conversion) or verdict.problem(conversion.fidelity)
    if problem is None and not verdict.hits:
        problem = "no witness is a hit: this proves nothing"
    means = "relaxed rule" if relaxations_of(conversion) else "rule"
    detail = [f"{name}: {mark}: {means} selects it, query does not" for name, mark in verdict.missed]
    detail += [f"{name}: {mark}: query selects it, {means} does not" for name, mark in verdict.extra]
    return Checked(
        rule,
        cell,
        "disagrees" if problem else "agrees",
        str(conversion.fidelity),
        verdict.events,
        verdict.hits,
        problem or "; ".join(reason.text for reason in conversion.reasons),
        tuple(detail) if problem else (),
    )


def compare(
    rules: RuleSet,
    conversion: Conversion,
    name: str,
    events: Sequence[Event],
    options: Options = DEFAULT,
    verdict: Verdict | None = None,
    kept: StoredStreams | None = None,
) -> Verdict:
    """Run the queries of a rule over one stream and compare what they select with what the rule means.

    Args:
        rules: where references are resolved.
        conversion: the rule in a cell.
        name: what the stream is called in the verdict.
        events: flat events, in the order of arrival.
        options: what the user chose.
        verdict: one to add to; default: a new one.
        kept: what the rule's other cells have stored.
    """
    verdict = verdict or Verdict()
    Prepared(rules, conversion, name, events, options, kept).compare(conversion, verdict)
    return verdict


def unproven(conversion: Conversion) -> str | None:
    """Return the reason of a label of which no relaxation is known, or None."""
    for reason in conversion.reasons:
        if reason.fidelity in (Fidelity.BROADER, Fidelity.NARROWER) and not known(reason.relaxation):
            return f"labelled {reason.fidelity}, and no relaxation says what that means: {reason.text}"
    return None


def selected(conversion: Conversion, events: Sequence[Event]) -> set[Mark]:
    """Return what the queries of a rule select of flat events, as ``alerts_of`` does.

    Raises:
        EngineError: if an engine rejects or cannot run a query.
    """
    seen, stored = stored_events(events, conversion)
    session = engine_for(conversion.cell.target).load(stored, tables_of(conversion, stored))
    return run_queries(conversion, session, seen, stored)[0]
