"""Rules with an error: what is beside them must not change because they are left out.

A base rule that only serves a correlation is no query of its own, also while the correlation is broken; and a
rule's file keeps its name while another rule of its file is broken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from converter import yamlfile
from converter.correlations import generates, referenced
from converter.errors import RuleError

if TYPE_CHECKING:
    from converter.rule import Rule
    from converter.rules import RuleSet

_CORRELATION = re.compile(r"^ *correlation *:", re.MULTILINE)
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
    read = {rule.file for rule in rules.documents}
    for name in {error.file for error in rules.errors if error.file} - read:
        with suppress(RuleError):
            text = yamlfile.read_text(Path(name), name)
            if _CORRELATION.search(text) and not _GENERATE.search(text):
                yield from re.findall(r"[\w.-]+", text)


def in_file(rules: RuleSet) -> Counter[str]:
    """Return how many rules of each file are converted, or would be if they had no error."""
    found = Counter(rule.relative for rule in rules.emitted())
    if rules.errors:
        wanted = {name for rule in rules.rules if not generates(rule) for name in referenced(rule)}
        wanted |= rules.served
        for rule in documents(rules):
            if rule.kind != "filter" and wanted.isdisjoint(names(rule)):
                found[rule.relative] += 1
    return found
