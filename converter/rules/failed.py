"""Rules with an error: what is beside them must not change because they are left out.

A base rule that only serves a correlation is no query of its own, also while the correlation is broken; a
rule stays as it was while a filter that concerns it is broken; and its file keeps its name while another rule
of its file is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from converter.errors import RuleError
from converter.files import yaml_source
from converter.rules import filters
from converter.rules.correlation_section import generates, referenced
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

_CORRELATION = re.compile(r"^ *correlation *:", re.MULTILINE)
_FILTER = re.compile(r"^ *filter *:", re.MULTILINE)
_ANY = re.compile(r"^ *rules *: *['\"]?any\b", re.MULTILINE | re.IGNORECASE)
_GENERATE = re.compile(r"\bgenerate *: *true", re.IGNORECASE)


def names(rule: Rule) -> set[str]:
    """Return what a correlation can call a rule: its id and its name."""
    return {str(rule.doc[key]) for key in ("id", "name") if rule.doc.get(key)}


def documents(rules: RuleSet) -> list[Rule]:
    """Return what was read and is no rule because of an error."""
    good = {(rule.relative, rule.document) for rule in rules.rules}
    return [rule for rule in rules.documents if (rule.relative, rule.document) not in good]


def served(rules: RuleSet) -> frozenset[str]:
    """Return the names and ids of rules that correlations with an error refer to.

    Of a file that is not even YAML these are all words, if there is a correlation in it.
    """
    return frozenset(_served(rules)) if rules.errors else frozenset()


def _served(rules: RuleSet) -> Iterator[str]:
    for rule in documents(rules):
        if rule.kind == "correlation" and not generates(rule):
            yield from referenced(rule)
    for text in _unread(rules).values():
        if _CORRELATION.search(text) and not _GENERATE.search(text):
            yield from re.findall(r"[\w.-]+", text)


def _unread(rules: RuleSet) -> dict[str, str]:
    """Return the texts of files that are not even YAML."""
    read = {rule.file for rule in rules.documents}
    found = {}
    for name in {error.file for error in rules.errors if error.file} - read:
        with suppress(RuleError):
            found[name] = yaml_source.read_text(Path(name), name)
    return found


def unfiltered(rules: RuleSet, wrong: Sequence[Rule]) -> dict[str, list[Rule]]:
    """Return the rules that filters with an error concern, by the filters' files; each rule once.

    Without the filter they would find what they must not, so they are left as they were.

    Args:
        rules: as loaded.
        wrong: filters among them with an error.
    """
    if not rules.errors:
        return {}
    known = [rule for rule in rules.rules if rule.kind == "rule"]
    concerned = [
        (one.file, [rule for rule in known if filters.concerns(one, rule)])
        for one in [*(rule for rule in documents(rules) if rule.kind == "filter"), *wrong]
    ]
    for file, text in _unread(rules).items():
        if _FILTER.search(text):
            words, every = set(re.findall(r"[\w.-]+", text)), _ANY.search(text)
            held = [rule for rule in known if every or not words.isdisjoint(names(rule))]
            concerned.append((file, held))
    seen: set[int] = set()
    found: dict[str, list[Rule]] = {}
    for file, held in concerned:
        new = [rule for rule in held if id(rule) not in seen]
        seen.update(map(id, new))
        if new:
            found[file] = found.get(file, []) + new
    return found
