"""How a rule becomes a query in a cell: each comparison of the rule, each step, why, and what it loses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from converter.conversion.convert import DEFAULT, Options, convert
from converter.errors import SigconvError
from converter.pipelines.cells import Cell
from converter.pipelines.trace import Filter, Item, trace
from converter.plan.model import BaseRule, CorrelationPlan, Reason
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class MemberPart:
    """A rule of a correlation, and its columns for each group-by key and each field of the condition."""

    name: str
    fields: Mapping[str, str]
    """Group-by key -> the rule's own field: another where the key is an alias."""
    keys: Mapping[str, tuple[str, ...]]
    """Group-by key -> columns; of a correlation, its group-by keys."""
    values: Mapping[str, tuple[str, ...]]
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Correlated:
    """A correlation's own parts."""

    type: str
    timespan_seconds: float
    condition: str
    members: tuple[MemberPart, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One query: text as it is written to its file."""

    name: str | None
    extension: str
    text: str


@dataclass(slots=True)
class Explanation:
    """One rule in one cell."""

    title: str
    id: str
    file: str
    source: str
    target: str
    status: str = "converted"
    """``converted`` or ``refused``."""
    refusal: str = ""
    """Code, message and hint; ``items`` then hold what was reached."""
    fidelity: str = ""
    reasons: list[dict[str, str]] = field(default_factory=list)
    condition: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    """Where the events are and by which time they are ordered."""
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The rule's ``fields``, for the analyst: the columns of each."""
    correlation: Correlated | None = None
    queries: list[Query] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return plain data for `json.dumps`."""
        return asdict(self)


def explain(rules: RuleSet, rule: Rule, cell: Cell, options: Options = DEFAULT) -> Explanation:
    """Explain a rule in a cell; a refusal is part of the explanation, not an exception.

    Args:
        rules: where references are resolved.
        rule: a detection or correlation rule.
        cell: source and target.
        options: what the user chose.
    """
    made = Explanation(rule.title, rule.id, rule.file, cell.source, cell.target)
    plan: BaseRule | CorrelationPlan | None = None
    try:
        conversion = convert(rules, rule, cell, options)
        plan = conversion.plan
        made.fidelity = str(conversion.fidelity)
        made.reasons = _reasons(conversion.reasons)
        made.queries = [Query(one.name, one.extension, one.text) for one in conversion.queries]
    except SigconvError as error:
        hint = f" ({error.hint})" if error.hint else ""
        made.status, made.refusal = "refused", f"{error.code} {error.message}{hint}"
    if rule.kind == "correlation":
        _correlation(made, rules, rule, cell, options, plan)
    else:
        seen = trace(rule, cell, options.placeholders)
        made.condition, made.items, made.filters = seen.condition, seen.items, seen.filters
        made.state, made.fields = seen.state, seen.fields
    return made


def _reasons(reasons: tuple[Reason, ...]) -> list[dict[str, str]]:
    return [{"fidelity": str(reason.fidelity), "text": reason.text} for reason in reasons]


def _correlation(
    made: Explanation,
    rules: RuleSet,
    rule: Rule,
    cell: Cell,
    options: Options,
    plan: BaseRule | CorrelationPlan | None,
) -> None:
    section = rule.doc["correlation"]
    parts = []
    for position, reference in enumerate(rules.references(rule)):
        found = rules.resolve(reference)
        if found is None:
            continue
        keys: dict[str, tuple[str, ...]] = {}
        values: dict[str, tuple[str, ...]] = {}
        if isinstance(plan, CorrelationPlan):
            member = plan.members[position]
            keys = dict(zip(plan.group_by, member.group_by, strict=True))
            names = (section.get("condition") or {}).get("field", []) if member.values else []
            names = [names] if isinstance(names, str) else names
            values = dict(zip(names, member.values, strict=False))
        # What each rule needs on its own is not judged: the correlation's fidelity is.
        alone = Options("any", options.backend, options.placeholders)
        aliases = section.get("aliases") or {}
        fields = {key: str((aliases.get(key) or {}).get(reference, key)) for key in keys}
        parts.append(MemberPart(str(reference), fields, keys, values, explain(rules, found, cell, alone)))
    span = plan.timespan_ms / 1000 if isinstance(plan, CorrelationPlan) else 0.0
    made.correlation = Correlated(
        str(section.get("type")), span, _condition(section.get("condition")), tuple(parts)
    )


def _condition(condition: Any) -> str:
    if isinstance(condition, dict):
        return ", ".join(f"{key} {value}" for key, value in condition.items())
    return "all of the rules" if condition is None else str(condition)
