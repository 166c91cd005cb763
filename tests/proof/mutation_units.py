"""What a mutant is tried on: conversions up to the backend, prepared once, and what comes out of each.

``pinned``: texts that a test compares. ``wide``: everything else there is to convert.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sigma.exceptions import SigmaError

from converter.conversion import convert as conversion
from converter.conversion.convert import Options
from converter.errors import Refusal, SigconvError
from converter.pipelines import cells
from converter.pipelines.cells import Cell
from converter.plan import fidelity
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Fidelity
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.filters import apply
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.language_expected import runnable
from tests.language_table import Case, cases
from tests.proof import configured, keyed, pinned, sourced
from tests.proof.stream_cells import stream_cell
from tests.proof.stream_rules import Chain
from tests.support import ROOT, SHARED, none_base

ALL_SOURCES = (cells.NONE, "sysmon", "defender", "crowdstrike")
_ANY = Options("any")


@dataclass(frozen=True, slots=True)
class Unit:
    """One conversion."""

    name: str
    language: str
    outcome: Callable[[Any], Any]
    """Takes the function `backend_for`; returns everything that is emitted, or how it is refused."""

    @property
    def pinned(self) -> bool:
        """Whether a test compares it with a text."""
        return self.name.startswith(("table/", "shipped/", "pinned/"))


def pinned_units(language: str) -> list[Unit]:
    """Return what a test compares with a text."""
    found = [
        _table_unit(case, language, "table") for case in cases(negated=False) if runnable(case, language)
    ]
    found += _shipped(language)
    for token in pinned.tokens(language):
        found += _of_token("pinned", token, language)
    return [unit for unit in found if unit is not None]


def wide_units(language: str, sources: Iterable[str] = ALL_SOURCES) -> Iterator[Unit]:
    """Yield what is beyond it: public rules in every source, random correlations, every option."""
    for token in sorted(set(pinned.candidates(language)) - set(pinned.tokens(language))):
        yield from _of_token("candidate", token, language)
    for case in cases():
        if runnable(case, language):
            yield _table_unit(case, language, "other")
    public = loading.load([SHARED / "sigmahq"])
    for source in sources:
        cell = cells.cell(source, language)
        for rule in emitted_rules(public):
            yield from _plan_unit(f"public/{source}/{rule.relative}", language, public, rule, cell)


def _table_unit(case: Case, language: str, kind: str) -> Unit:
    """As tests.language_expected.outcome, but prepared; of the kind ``table`` what the test compares."""
    try:
        base = none_base(case.detection, language, case.placeholders)
    except Refusal as refusal:
        text = ("refused", f"{refusal.code} {refusal.message}")
        return Unit(f"{kind}/{case.id}", language, lambda backend_for: text)

    def outcome(backend_for: Any) -> Any:
        try:
            drafts = backend_for(language).event(base)
        except Refusal as refusal:
            return "refused", f"{refusal.code} {refusal.message}"
        reasons = [reason for draft in drafts for reason in draft.reasons]
        label = str(fidelity.combine(reasons))
        if kind == "table" and label != Fidelity.NARROWER:
            return label, [draft.text.rstrip() for draft in drafts]
        return label, "; ".join(reason.text for reason in reasons), [draft.text for draft in drafts]

    return Unit(f"{kind}/{case.id}", language, outcome)


@cache
def _shipped_rules() -> RuleSet:
    return loading.load([ROOT / "sigma"])


def _shipped(language: str) -> list[Unit]:
    entries = json.loads((ROOT / "output" / "manifest.json").read_text(encoding="utf-8"))["entries"]
    wanted = {(entry["rule"], entry["source"]) for entry in entries if entry["target"] == language}
    found = []
    for source in sorted({source for _, source in wanted}):
        cell = cells.cell(source, language)
        for rule in emitted_rules(_shipped_rules()):
            found += _plan_unit(f"shipped/{source}/{rule.relative}", language, _shipped_rules(), rule, cell)
    return found


_RULES = {"keyed": keyed.rules, "sourced": sourced.rules, "configured": configured.rules}


def _of_token(kind: str, token: str, language: str) -> Iterator[Unit]:
    family = token.partition("/")[0]
    if family in pinned.DRAFTS:
        made = pinned.DRAFTS[family]
        with suppress(Refusal):
            made.base(token, language)

        def outcome(backend_for: Any) -> Any:
            return made.outcome(token, language, backend_for)[0].split("\n")

        yield Unit(f"{kind}/{token}", language, outcome)
    elif family in _RULES:
        yield from _plan_unit(f"{kind}/{token}", language, *_RULES[family](token, language))
    else:
        yield from _plan_unit(f"{kind}/{token}", language, *_of_chain(pinned.chain(token), language))


def _of_chain(chain: Chain, language: str) -> tuple[RuleSet, Rule, Cell]:
    found = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", at) for at, doc in enumerate(chain.docs)]
    kept = apply(
        [rule for rule in found if rule.kind != "filter"], [rule for rule in found if rule.kind == "filter"]
    )
    return RuleSet(kept), kept[-1], stream_cell(language)


def _plan_unit(name: str, language: str, every: RuleSet, rule: Rule, cell: Cell) -> Iterator[Unit]:
    """Yield the conversion, unless it is refused before there is anything for the backend."""
    try:
        plan, reasons = conversion._plan(every, rule, cell, _ANY)
    except (SigconvError, SigmaError, NotImplementedError):
        return

    def outcome(backend_for: Any) -> Any:
        backend = backend_for(language)
        drafts: list[Draft]
        try:
            drafts = backend.correlation(plan) if isinstance(plan, CorrelationPlan) else backend.event(plan)
        except Refusal as refusal:
            return "refused", refusal.code
        why = list(dict.fromkeys([*reasons, *(reason for draft in drafts for reason in draft.reasons)]))
        header = conversion._header(rule, cell, fidelity.combine(why), why)
        correlation = not isinstance(plan, BaseRule)
        emitted = [conversion._emit(backend, draft, header, correlation) for draft in drafts]
        return why, [(one.name, one.text, one.extension, one.alert, dict(one.extra)) for one in emitted]

    yield Unit(name, language, outcome)
