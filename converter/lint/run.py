"""Look at rules and say everything that is wrong with them, in the order in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converter.errors import RuleError, SigconvError
from converter.lint import contradictions, events, keys, logsources, schema
from converter.lint.catalogue import level
from converter.lint.misread import misread
from converter.rules import loading as loader
from converter.rules.discovery import rule_files
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


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
        root: the rules root; default as in ``converter.rules.loading.load``.
    """
    report = Report()
    there: list[Path] = []
    for path in paths:
        if not path.exists():
            hint = "check the path" if not path.is_symlink() else "the link points to nothing"
            report.findings.append(RuleError("SC107", "does not exist", file=path.as_posix(), hint=hint))
        elif path.is_dir() and not any(rule_files(path)):
            empty = "holds no file *.yml or *.yaml"
            report.findings.append(RuleError("SC106", empty, file=path.as_posix(), hint="check the path"))
        else:
            there.append(path)
    loaded = loader.load(there, root, whole=True)
    report.findings += loaded.errors
    report.findings += _of_rules(loaded)
    report.rules = len(loaded.documents)
    failed = {error.file for error in loaded.errors}
    report.files = len(failed | {rule.file for rule in loaded.documents})
    report.findings = _without_repeats(sorted(report.findings, key=_place))
    return report


def _without_repeats(findings: Sequence[SigconvError]) -> list[SigconvError]:
    """Leave out what says again, in other words, what is wrong at a place.

    pySigma refuses a level that is none (SC113), and the schema does not have it (SC123) but knows what was
    meant; a tag in capitals is not of the schema (SC123), and its namespace is not known (SC137); values that
    exclude each other (SC127) because of a modifier that does not go with another one (SC133).
    """
    combined = {(one.file, one.line, one.column) for one in findings if one.code == "SC133"}
    kept: dict[tuple[str | None, int | None, int | None, str, str], SigconvError] = {}
    by_place: dict[tuple[str | None, int | None, int | None], dict[str, SigconvError]] = {}
    for one in findings:
        place = (one.file, one.line, one.column)
        here = by_place.setdefault(place, {})
        if one.code == "SC123" and "SC113" in here:
            here["SC113"].hint = here["SC113"].hint or one.hint
        elif not (one.code == "SC137" and "SC123" in here) and not (
            one.code == "SC127" and place in combined
        ):
            kept[(*place, one.code, one.message)] = one
            here[one.code] = one
    return list(kept.values())


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
            yield from logsources.misspelt(rule)
            yield from misread(rule)
            yield from schema.violations(rule, fatal)
            if not fatal:
                yield from contradictions.contradictions(rule)
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
            if loaded.resolve(str(name)) is None:
                place = ("filter", "rules", position)
                yield rule.error("SC124", f"no rule has the name or id '{name}'", *place)
