"""`sigconv compare`: each rule through upstream's backend and through ours, both run over the same events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from converter.backends import BACKENDS
from converter.conversion.convert import DEFAULT, Options, convert
from converter.errors import Refusal, SigconvError
from converter.matcher.logsource import is_candidate
from converter.pipelines import cells as cells_module
from converter.pipelines import prepare
from converter.pipelines.cells import Cell
from converter.platforms import platform_of
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.upstream.ask import Answer, Asked, Way, ask
from converter.upstream.judge import Judgement, Outcome
from converter.upstream.natural import Natural, natural
from converter.upstream.scene import Ours, Scene
from converter.upstream.verdict import RAN, Compared, Verdict, decide
from converter.verify.stored import columns_of
from converter.verify.verify import streams_of
from converter.workers import shared_out

ENOUGH = 16
"""Rules times cells from which a further process is worth it: its engines take seconds to start."""
_NO_EVENTS = "SC207 "
"""How a refusal begins if a cell has no events of the rule's log source."""

Event = Mapping[str, Any]


def compare(
    rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options = DEFAULT, workers: int = 1
) -> Iterator[Compared]:
    """Compare every emitted rule in every cell, in the order of rules and cells.

    Args:
        rules: as loaded.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose about our queries.
        workers: how many processes may work.

    Raises:
        InternalError: SC900 if a process dies.
    """
    chosen = emitted_rules(rules)
    ways = {number: way for number, cell in enumerate(cells) if (way := way_of(cell)) is not None}
    asked = []
    for rule in chosen:
        try:
            docs = tuple(found.doc for found in rules.closure(rule))
        except SigconvError:
            docs = (rule.doc,)  # A broken reference: ours says so, and upstream may.
        asked.append(Asked(docs, options.placeholders))
    _, answers = ask(asked, list(ways.values())) if ways else ({}, [[] for _ in chosen])
    job = _Job(rules, cells, tests, options, [dict(zip(ways, each, strict=True)) for each in answers])
    ready: dict[int, list[Compared]] = {}
    position = 0
    workers = max(1, min(workers, len(chosen) * len(cells) // ENOUGH))
    for number, results in shared_out(job.run, range(len(chosen)), workers):
        ready[number] = results
        while position in ready:
            yield from ready.pop(position)
            position += 1


def way_of(cell: Cell) -> Way | None:
    """Return how upstream is asked for a cell's queries, or None if it has no pipeline for the source."""
    found = natural(cell.source, platform_of(cell.target).name)
    if found is None:
        return None
    return Way(BACKENDS[cell.target].upstream, found.pipelines, found.prefix, found.schema or None)


class _Job:
    """What a process needs."""

    def __init__(
        self,
        rules: RuleSet,
        cells: Sequence[Cell],
        tests: Path,
        options: Options,
        answers: Sequence[Mapping[int, Answer]],
    ) -> None:
        self.rules, self.cells, self.tests, self.options = rules, cells, tests, options
        self.answers = answers

    def run(self, position: int) -> list[Compared]:
        rule = emitted_rules(self.rules)[position]
        answers = self.answers[position]
        comparison = _Comparison(self.rules, rule, self.tests, self.options)
        return [comparison.of(cell, answers.get(number)) for number, cell in enumerate(self.cells)]


class _Comparison:
    """One rule, whose events are made once for all cells."""

    def __init__(self, rules: RuleSet, rule: Rule, tests: Path, options: Options) -> None:
        self.rules, self.rule, self.tests, self.options = rules, rule, tests, options
        self._streams: list[tuple[str, tuple[Event, ...]]] | None = None

    def of(self, cell: Cell, answer: Answer | None) -> Compared:
        """Compare the rule in one cell."""
        rule = self.rule
        base = Compared(
            rule.id or rule.name, rule.title, rule.file, cell.source, cell.target, Verdict.ERROR, ""
        )
        platform = platform_of(cell.target)
        entry = natural(cell.source, platform.name)
        if entry is None or answer is None:
            text = f"upstream has no pipeline for {cell.source} on {platform.name}: nothing is compared"
            return replace(base, verdict=Verdict.NO_PIPELINE, text=text)
        if entry.companion_maps and entry.lacks and self._has_category():
            text = f"upstream has no pipeline for the category ({entry.lacks}): nothing is compared"
            return replace(base, verdict=Verdict.NO_PIPELINE, text=text)
        base = replace(base, pipelines=entry.names)
        try:
            return self._compared(base, cell.proof or cell, entry, answer)
        except SigconvError as error:
            return replace(base, text=f"error: {error}")
        except Exception as error:  # A defect met with one rule must not hide the others' results.
            return replace(base, text=f"error: SC900 internal error: {error!r}")

    def _compared(self, base: Compared, cell: Cell, entry: Natural, answer: Answer) -> Compared:
        ours = self._ours(cell)
        base = replace(
            base,
            upstream_queries=answer.queries,
            our_queries=tuple(query.text for query in ours.conversion.queries) if ours.conversion else (),
            fidelity=str(ours.conversion.fidelity) if ours.conversion else "",
        )
        correlates = self.rule.kind == "correlation"
        unit = "alert" if correlates else "event"
        refused = None if ours.conversion else Judgement(Outcome.REFUSED, ours.refusal)
        upstream = Judgement(Outcome.REFUSED, answer.raised or "")
        if answer.raised is None and refused is not None and (why := _not_shown(ours, correlates)):
            upstream = Judgement(Outcome.NOT_HERE, why)
        if upstream.why:
            verdict, text, wrong = decide(upstream, refused, "", unit, False)
            return replace(base, verdict=verdict, text=text, wrong=wrong)
        streams = self._events(entry)
        scene = Scene(self.rules, self.rule, cell, self.options, ours, streams)
        upstream = scene.upstream(entry, answer)
        ran = upstream.outcome in RAN
        judged = refused if refused is not None or not ran else scene.ours()
        case_alone = upstream.outcome is Outcome.DIFFERS and scene.by_case_alone(upstream)
        verdict, text, wrong = decide(upstream, judged, base.fidelity, unit, case_alone)
        if verdict is Verdict.SAME and not scene.meant:
            text += ": none, so nothing is shown"
        return replace(
            base,
            verdict=verdict,
            text=text,
            wrong=wrong,
            events=sum(len(events) for _, events in streams),
            meant=len(scene.meant) if ran else 0,
            notes=tuple(_notes(entry, answer)),
            deciders=tuple(scene.deciders(upstream, judged)) if ran else (),
        )

    def _has_category(self) -> bool:
        """Tell whether the rule, or one that it refers to, is of a category and not of a service alone."""
        docs = [found.doc for found in self.rules.closure(self.rule)]
        return any((doc.get("logsource") or {}).get("category") for doc in docs)

    def _ours(self, cell: Cell) -> Ours:
        """Convert the rule; of a refused one still find its columns, so that upstream's can be run."""
        try:
            conversion = convert(self.rules, self.rule, cell, self.options)
            return Ours(conversion, "", columns_of(conversion.plan, cell))
        except Refusal as refusal:
            why = f"{refusal.code} {refusal.message}"
        columns = cell.columns
        if cell.source == cells_module.NONE and self.rule.kind == "rule":
            try:
                columns = prepare.prepare(self.rule, cell, self.options.placeholders)[0].columns
            except SigconvError:
                columns = {}
        return Ours(None, why, columns)

    def _events(self, entry: Natural) -> list[tuple[str, tuple[Event, ...]]]:
        """Return the rule's events: of its log source alone where upstream's query does not select these."""
        if self._streams is None:
            found = streams_of(self.rules, self.rule, self.tests, self.options)
            self._streams = [(stream.name, tuple(stream.events)) for stream in found]
        if entry.selects_logsource:
            return self._streams
        sources = [
            is_candidate(found.doc["logsource"])
            for found in self.rules.closure(self.rule)
            if "logsource" in found.doc
        ]
        return [
            (name, tuple(event for event in events if any(fits(event) for fits in sources)))
            for name, events in self._streams
        ]


def _not_shown(ours: Ours, correlates: bool) -> str:
    """Return why nothing shows what upstream's query does where ours refuses, or an empty text."""
    if ours.refusal.startswith(_NO_EVENTS):
        return "the source has no such events"
    return "nothing of ours says which columns a correlation reads" if correlates else ""


def _notes(entry: Natural, answer: Answer) -> Iterator[str]:
    """Yield what upstream was granted in this comparison."""
    if entry.sub_field and (names := [name for name in answer.fields if name.endswith(entry.sub_field)]):
        yield f"the index is given the sub-fields {', '.join(names)}, with a lowercase normalizer"
    if entry.renamed and any(entry.renamed[2] in query for query in answer.queries):
        field, old, new = entry.renamed
        yield f"events are given a {field} that begins with {new} in place of {old}"
    if not entry.selects_logsource:
        also = f" ({entry.lacks})" if entry.lacks else ""
        yield f"only events of the rule's log source are searched{also}"
