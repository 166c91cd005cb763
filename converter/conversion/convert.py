"""Convert one rule for one cell: load, pipeline, fidelity, backend, header; or one Refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converter.backends import backend_for
from converter.backends.base import LanguageBackend
from converter.errors import InternalError, Refusal, SigconvError
from converter.pipelines import assumptions, inferred_columns
from converter.pipelines import prepare as pipelines
from converter.pipelines.cells import Cell
from converter.plan import fidelity
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan, Draft, Fidelity, Member, Reason
from converter.rules import correlation_section
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Emitted:
    """One query, as it is written to its file."""

    name: str | None
    """Suffix where a rule needs several queries."""
    text: str
    """With header, ending in a newline."""
    extension: str
    alert: AlertColumns | None = None
    body: str = ""
    """Without the header: what an import format holds."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Of the draft: a Lucene correlation's threshold rule."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a rule became in a cell."""

    rule: Rule
    cell: Cell
    queries: tuple[Emitted, ...]
    fidelity: Fidelity
    reasons: tuple[Reason, ...]
    """Why it is not exact; and, with fidelity ``exact``, notes on how to read the result."""
    plan: BaseRule | CorrelationPlan


@dataclass(frozen=True, slots=True)
class Options:
    """What a user chooses about queries."""

    limit: str = "broader"
    """The fidelity that is acceptable: ``exact``, ``broader`` or ``any``."""
    backend: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> options of its backend, such as ``{"lucene": {"case": "as-is"}}``."""
    placeholders: Mapping[str, Sequence[str | int | float]] = field(default_factory=dict)
    """Name -> values, for the `expand` modifier."""


DEFAULT = Options()


def convert(rules: RuleSet, rule: Rule, cell: Cell, options: Options = DEFAULT) -> Conversion:
    """Convert a rule.

    Args:
        rules: where references are resolved.
        rule: a detection or correlation rule.
        cell: source and target.
        options: what the user chose.

    Raises:
        Refusal: if the cell cannot say the rule, or not within the limit (SC208).
        RuleError: if a reference of a correlation is broken.
    """
    try:
        backend = backend_for(cell.target, **options.backend.get(cell.target, {}))
        plan, reasons = _plan(rules, rule, cell, options)
        drafts = backend.correlation(plan) if isinstance(plan, CorrelationPlan) else backend.event(plan)
    except SigconvError as error:
        error.file = error.file or rule.file
        raise
    except RecursionError as error:
        raise Refusal("SC203", "the rule is nested too deeply", file=rule.file) from error
    except Exception as error:  # A defect of ours or of pySigma in one rule must not stop the others.
        raise InternalError("SC900", f"internal error in {cell}: {error!r}", file=rule.file) from error
    if not drafts or any(not draft.text.strip() for draft in drafts):
        raise Refusal("SC209", "nothing is left of the rule", file=rule.file)
    reasons = list(dict.fromkeys([*reasons, *(reason for draft in drafts for reason in draft.reasons)]))
    level = fidelity.combine(reasons)
    if not fidelity.acceptable(level, options.limit):
        why = "; ".join(reason.text for reason in reasons if reason.fidelity != Fidelity.EXACT)
        raise Refusal("SC208", f"the query would be {level}: {why}", file=rule.file)
    loose = [reason.text for reason in reasons if reason.unbounded]
    if options.limit != "any" and loose:
        why = f"the query would be {level} without bound: {'; '.join(loose)}"
        raise Refusal("SC208", why, file=rule.file, hint="--fidelity any gives it")
    header = _header(rule, cell, level, reasons)
    queries = tuple(_emit(backend, draft, header, isinstance(plan, CorrelationPlan)) for draft in drafts)
    return Conversion(rule, cell, queries, level, tuple(reasons), plan)


def _plan(
    rules: RuleSet, rule: Rule, cell: Cell, options: Options
) -> tuple[BaseRule | CorrelationPlan, list[Reason]]:
    if rule.kind != "correlation":
        return pipelines.prepare(rule, cell, options.placeholders)
    rules.closure(rule)  # Every reference is there and there is no circle.
    section = correlation_section.read(rule)
    members: list[Member] = []
    losses: list[list[Reason]] = []
    for reference in section.rules:
        found = rules.resolve(reference)
        if found is None:  # closure has checked it
            raise rule.error("SC111", f"no rule has the name or id '{reference}'", "correlation", "rules")
        source, reasons = _plan(rules, found, cell, options)
        losses.append(reasons)
        keys, values = (
            tuple(_member_key(rule, section, reference, key, found, source, cell) for key in wanted)
            for wanted in (section.group_by, section.fields)
        )
        if cell.inferred and isinstance(source, BaseRule):
            named = (column for columns in (*keys, *values) for column in columns)
            columns = dict.fromkeys(named, inferred_columns.unknown(cell.target))
            source = replace(source, columns={**columns, **source.columns})
        members.append(Member(reference, source, keys, values))
    shown: dict[str, None] = {}
    completing = _completing(rules, rule)
    for name in rule.doc.get("fields") or []:
        mapped = pipelines.map_field(completing, cell, str(name))
        shown.update((one, None) for one in mapped if cell.inferred or one in cell.columns)
    plan = CorrelationPlan(
        rule.doc,
        rule.name,
        section.type,
        tuple(members),
        section.group_by,
        section.timespan_ms,
        section.thresholds,
        section.percentile,
        section.expression,
        tuple(shown),
    )
    grouped = [column for member in members for key in (*member.group_by, *member.values) for column in key]
    return plan, [*fidelity.of_members(plan, losses), *assumptions.of_columns(grouped, cell.assumptions)]


def _completing(rules: RuleSet, rule: Rule) -> Rule:
    """Return the event rule whose event completes an alert: the last member's, at any depth.

    For unordered types any member's event may complete it; their log sources rarely differ in the
    fields that an analyst wants to see.
    """
    while rule.kind == "correlation":
        found = rules.resolve(rules.references(rule)[-1])
        if found is None:
            break
        rule = found
    return rule


def _member_key(
    rule: Rule,
    section: correlation_section.Section,
    reference: str,
    key: str,
    found: Rule,
    source: BaseRule | CorrelationPlan,
    cell: Cell,
) -> tuple[str, ...]:
    """Return the member's columns for a group-by key or condition field of the correlation."""
    alias = section.aliases.get(key)
    if alias is not None and reference not in alias:
        raise rule.error(
            "SC112", f"alias '{key}' says nothing about rule '{reference}'", "correlation", "aliases", key
        )
    field = alias[reference] if alias is not None else key
    if isinstance(source, CorrelationPlan):
        if field in source.group_by:
            return (field,)
        raise Refusal(
            "SC205",
            f"'{field}' is not among the group-by fields of the correlation '{found.name}'",
            file=rule.file,
        )
    if (events := pipelines.lacking(found, cell, field)) is not None:
        raise Refusal("SC204", f"group-by field '{field}' is not part of {events}", file=rule.file)
    columns = pipelines.map_field(found, cell, field)
    for column in columns:
        if not cell.inferred and column not in cell.columns:
            raise Refusal("SC204", f"group-by field '{field}' has no equivalent in {cell}", file=rule.file)
        if not cell.inferred and not cell.columns[column].key:
            raise Refusal(
                "SC204",
                f"{cell} has only a part of field '{field}' ({column}): events cannot be grouped by it",
                file=rule.file,
            )
    return columns


def _header(rule: Rule, cell: Cell, level: Fidelity, reasons: Sequence[Reason]) -> list[str]:
    lines = [rule.title]
    about = [f"{key}: {rule.doc[key]}" for key in ("id", "level") if rule.doc.get(key)]
    if about:
        lines.append(", ".join(about))
    lines.append(f"sigconv {cell}, fidelity: {level}")
    for reason in reasons:
        label = "note" if reason.fidelity == Fidelity.EXACT else reason.fidelity
        lines.append(f"{label}: {reason.text}")
    return lines


def _emit(backend: LanguageBackend, draft: Draft, header: Sequence[str], correlation: bool) -> Emitted:
    extension = draft.extension or backend.extension
    if correlation:
        extension = getattr(backend, "correlation_extension", extension)
    comment = "" if extension == "json" else backend.comment(header)
    body = draft.text.rstrip("\n")
    return Emitted(draft.name, f"{comment}{body}\n", extension, draft.alert, body, draft.extra)
