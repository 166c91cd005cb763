"""The loaded rules: look up, references, closure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from converter.errors import RuleError
from converter.project import ids
from converter.rules.correlation_section import referenced
from converter.rules.rule import Rule


@dataclass(slots=True)
class RuleSet:
    """Rules in file order, what was wrong with others, and the rules that references may reach."""

    rules: list[Rule] = field(default_factory=list)
    """The rules asked for."""
    errors: list[RuleError] = field(default_factory=list)
    failed_files: list[str] = field(default_factory=list)
    """Files with an error, as paths below the rules root: what they gave before is kept."""
    library: list[Rule] = field(default_factory=list)
    """Further rules of the rules root: only for references."""
    documents: list[Rule] = field(default_factory=list)
    """Everything asked for that was read, also what is wrong, as it was before filters: for `check`."""
    ahead: dict[int, Any] = field(default_factory=dict)
    """What was worked out of rules while they were read, by the `id()` of their documents."""
    served: frozenset[str] = frozenset()
    """Names and ids that correlations with an error refer to: such rules are not converted on their own."""
    _index: dict[str, Rule] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Note the rules by name and id; of two with one, the last rule asked for counts."""
        for rule in (*self.library, *self.rules):
            for key in (rule.doc.get("id"), rule.doc.get("name")):
                if key:
                    self._index[str(key)] = rule

    def resolve(self, reference: str) -> Rule | None:
        """Return the rule of that name or id, or None."""
        return self._index.get(ids.canonical(str(reference)))

    def references(self, rule: Rule) -> list[str]:
        """Return what a correlation refers to, in order (names or ids)."""
        return referenced(rule) if rule.kind == "correlation" else []

    def closure(self, rule: Rule) -> list[Rule]:
        """Return the rule and every rule it refers to, at any depth, base rules first.

        Raises:
            RuleError: SC111 for a reference to no rule, SC112 for a circle.
        """
        done: list[Rule] = []
        self._visit(rule, done, [])
        return done

    def _visit(self, rule: Rule, done: list[Rule], above: list[Rule]) -> None:
        if rule in above:
            raise rule.error("SC112", "the correlation refers to itself", "correlation", "rules")
        if rule in done:
            return
        for position, reference in enumerate(self.references(rule)):
            found = self.resolve(reference)
            if found is None:
                place = ("correlation", "rules", position)
                raise rule.error("SC111", f"no rule has the name or id '{reference}'", *place)
            self._visit(found, done, [*above, rule])
        done.append(rule)
