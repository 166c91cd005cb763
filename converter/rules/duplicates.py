"""Two rules of one id or name, or whose queries would have one file: one would replace the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from converter.errors import RuleError
from converter.plan import query_paths
from converter.rules import failed
from converter.rules.correlation_section import generates, referenced
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


def in_file(rules: RuleSet) -> Counter[str]:
    """Return how many rules of each file are converted, or would be if they had no error."""
    count = Counter(rule.relative for rule in emitted_rules(rules))
    if rules.errors:
        wanted = {name for rule in rules.rules if not generates(rule) for name in referenced(rule)}
        wanted |= rules.served
        for rule in failed.documents(rules):
            if rule.kind != "filter" and wanted.isdisjoint(failed.names(rule)):
                count[rule.relative] += 1
    return count


def clashes(emitted: Sequence[Rule], per_file: Mapping[str, int]) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule whose files another one would have, too, and that one.

    They are `a.yml` and `a.yaml`, `a.b.yml` beside a rule named b of several in `a.yml`, and rules of one
    file that have no id and one title, or names that differ only in what names of files cannot have.

    Args:
        emitted: the rules that are converted (`emitted_rules`).
        per_file: how many there are in each file (`in_file`).
    """
    owners: dict[str, list[Rule]] = {}
    for rule in emitted:
        if per_file[rule.relative] > 1:
            path = query_paths.query_stem(rule.relative, rule.name, None)
        else:  # The same without the cost of a path: there are thousands.
            path = rule.relative.rpartition(".")[0]
        owners.setdefault(path, []).append(rule)
    for several in owners.values():
        if len(several) > 1:
            yield from zip(several, several[1:] + several[:1], strict=True)


def without_duplicates(rules: RuleSet, others: Sequence[Rule]) -> RuleSet:
    """Return the rules without those whose id or name another one has, each with its error.

    A reference would reach either, and the output of one would overwrite that of the other.

    Args:
        rules: as loaded.
        others: rules that were not asked for, but whose ids and names count.
    """
    owners = {str(other.doc[key]): other for other in others for key in ("id", "name") if other.doc.get(key)}
    left_out: set[int] = set()
    errors, files = list(rules.errors), list(rules.failed_files)
    for rule in rules.rules:
        for key in ("id", "name"):
            value = rule.doc.get(key)
            if not value:
                continue
            other = owners.setdefault(str(value), rule)
            if other is not rule:
                left_out.add(id(rule))
                files.append(rule.relative)
                errors.append(
                    rule.error("SC110", f"{key} '{value}' is also the one of a rule in {other.file}", key)
                )
    return _without(rules, left_out, errors, files)


def without_clashes(rules: RuleSet) -> RuleSet:
    """Return the rules without those whose queries would have the files of another, each with its error."""
    left_out: set[int] = set()
    errors, files = list(rules.errors), list(rules.failed_files)
    for rule, other in clashes(emitted_rules(rules), in_file(rules)):
        left_out.add(id(rule))
        files.append(rule.relative)
        what = "another file" if other.file != rule.file else "a name of its own"
        errors.append(
            rule.error(
                "SC110",
                f"its queries would have the files of '{other.title}' in {other.file}",
                hint=f"give it {what}",
            )
        )
    return _without(rules, left_out, errors, files)


def _without(rules: RuleSet, left_out: set[int], errors: list[RuleError], files: list[str]) -> RuleSet:
    if len(errors) == len(rules.errors):
        return rules
    kept = [rule for rule in rules.rules if id(rule) not in left_out]
    return replace(rules, rules=kept, errors=errors, failed_files=files)
