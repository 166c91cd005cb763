"""Look at rules and say everything that is wrong with them, in the order in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converter import rules as loader
from converter.errors import RuleError, SigconvError
from converter.lint import events, keys, schema
from converter.lint.catalogue import level
from converter.rule import Rule
from converter.rules import RuleSet


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    findings: list[SigconvError] = field(default_factory=list)
    rules: int = 0
    files: int = 0

    def count(self, of: str) -> int:
        """Return how many findings are of a level: ``error`` or ``warning``."""
        return sum(level(finding.code) == of for finding in self.findings)


def check(paths: Sequence[Path], root: Path | None = None) -> Report:
    """Return every finding of the files and folders, sorted by place.

    Ids, names, titles and references are compared over the whole rules root, so that a few changed files
    can be checked by themselves.

    Args:
        paths: files and folders; what does not exist or holds no rule is a finding.
        root: the rules root; default as in ``converter.rules.load``.
    """
    report = Report()
    there: list[Path] = []
    for path in paths:
        if not path.exists():
            hint = "check the path" if not path.is_symlink() else "the link points to nothing"
            report.findings.append(RuleError("SC107", "does not exist", file=path.as_posix(), hint=hint))
        elif path.is_dir() and not any(loader.rule_files(path)):
            report.findings.append(
                RuleError("SC106", "holds no rule files (*.yml, *.yaml)", file=path.as_posix())
            )
        else:
            there.append(path)
    loaded = loader.load(there, root, whole=True)
    report.findings += loaded.errors
    report.findings += _of_rules(loaded)
    report.rules = len(loaded.documents)
    failed = {error.file for error in loaded.errors}
    report.files = len(failed | {rule.file for rule in loaded.documents})
    unique = {(one.file, one.line, one.column, one.code, one.message): one for one in report.findings}
    report.findings = sorted(unique.values(), key=_place)
    return report


def _place(finding: SigconvError) -> tuple[str, int, int, str, str]:
    return (finding.file or "", finding.line or 0, finding.column or 0, finding.code, finding.message)


def _of_rules(loaded: RuleSet) -> Iterator[SigconvError]:
    from converter.lint.validators import Validators

    validators = Validators()
    validators.known(loaded.library)
    good = {(rule.file, rule.document) for rule in loaded.rules}
    for rule in loaded.documents:
        fatal = (rule.file, rule.document) not in good
        try:
            yield from keys.misplaced(rule)
            yield from events.contradictions(rule)
            yield from schema.violations(rule, fatal)
            if not fatal:
                yield from _references(rule, loaded)
                yield from validators.check(rule)
        except Exception as problem:  # One rule must not hide what is wrong with the others.
            yield RuleError("SC900", f"internal error: {problem!r}", file=rule.file)


def _references(rule: Rule, loaded: RuleSet) -> Iterator[RuleError]:
    if rule.kind == "correlation":
        try:
            loaded.closure(rule)
        except RuleError as error:
            yield error
    if rule.kind == "filter":
        named = rule.doc["filter"]["rules"]
        for position, name in enumerate(named if isinstance(named, list) else []):
            if loaded.resolve(str(name)) is None and str(name).lower() != "any":
                place = ("filter", "rules", position)
                yield rule.error("SC124", f"no rule has the name or id '{name}'", *place)
