"""Two rules whose queries would have one file, so that the later ones would replace the earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from converter import output
from converter.rule import Rule


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
            path = output.query_path("", "", rule.relative, "", rule.name, None)
        else:  # The same without the cost of a path: there are thousands.
            path = rule.relative.rpartition(".")[0] + "."
        owners.setdefault(path, []).append(rule)
    for several in owners.values():
        if len(several) > 1:
            yield from zip(several, several[1:] + several[:1], strict=True)
