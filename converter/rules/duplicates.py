"""Two rules of one id or name, or whose queries would have one file: one would replace the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from converter.files import atomic
from converter.rules.failed import in_file
from converter.rules.rule import Rule

if TYPE_CHECKING:
    from converter.rules.loading import RuleSet


def clashes(emitted: Sequence[Rule], per_file: Mapping[str, int]) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule whose files another one would have, too, and that one.

    They are `a.yml` and `a.yaml`, `a.b.yml` beside a rule named b of several in `a.yml`, and rules of one
    file that have no id and one title, or names that differ only in what names of files cannot have.

    Args:
        emitted: the rules that are converted (`rules.RuleSet.emitted`).
        per_file: how many there are in each file (`broken.in_file`).
    """
    owners: dict[str, list[Rule]] = {}
    for rule in emitted:
        if per_file[rule.relative] > 1:
            path = atomic.query_stem(rule.relative, rule.name, None)
        else:  # The same without the cost of a path: there are thousands.
            path = rule.relative.rpartition(".")[0]
        owners.setdefault(path, []).append(rule)
    for several in owners.values():
        if len(several) > 1:
            yield from zip(several, several[1:] + several[:1], strict=True)


def check_duplicates(result: RuleSet, others: Sequence[Rule]) -> None:
    """Two rules of one id or name: a reference would reach either, and one output overwrite the other."""
    owners = {str(one.doc[key]): one for one in others for key in ("id", "name") if one.doc.get(key)}
    for rule in list(result.rules):
        for key in ("id", "name"):
            value = rule.doc.get(key)
            if not value:
                continue
            other = owners.setdefault(str(value), rule)
            if other is not rule:
                result.failed_files.append(rule.relative)
                result.errors.append(
                    rule.error("SC110", f"{key} '{value}' is also the one of a rule in {other.file}", key)
                )
                if rule in result.rules:
                    result.rules.remove(rule)


def check_files(result: RuleSet) -> None:
    """Two rules whose queries would have one file: one would replace the other without a word."""
    for rule, other in list(clashes(result.emitted(), in_file(result))):
        result.failed_files.append(rule.relative)
        result.rules.remove(rule)
        what = "another file" if other.file != rule.file else "a name of its own"
        result.errors.append(
            rule.error(
                "SC110",
                f"its queries would have the files of '{other.title}' in {other.file}",
                hint=f"give it {what}",
            )
        )
        result._index = None
