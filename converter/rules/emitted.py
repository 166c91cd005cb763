"""Which rules become queries of their own."""

from __future__ import annotations

from converter.rules import failed
from converter.rules.correlation_section import generates
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


def emitted_rules(rules: RuleSet) -> list[Rule]:
    """Return the rules that are converted: all but filters and base rules that only serve a correlation.

    A base rule is converted on its own too if a correlation that refers to it says ``generate: true``
    (Sigma correlation specification 2.1, "generate").
    """
    silent: set[int] = set()
    for rule in [*rules.library, *rules.rules]:
        if rule.kind == "correlation" and not generates(rule):
            silent.update(id(member) for name in rules.references(rule) if (member := rules.resolve(name)))
    return [
        rule
        for rule in rules.rules
        if rule.kind != "filter" and id(rule) not in silent and not serves_failed(rules, rule)
    ]


def serves_failed(rules: RuleSet, rule: Rule) -> bool:
    """Tell whether a correlation with an error refers to the rule."""
    return bool(rules.served) and not rules.served.isdisjoint(failed.names(rule))
