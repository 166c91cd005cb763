"""Import files: what a format gets of a conversion, and which files the output folder must then hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from converter.conversion.convert import Conversion
from converter.errors import InternalError, SigconvError, UsageError
from converter.exports import FORMATS, exporter
from converter.exports.base import Exporter, Part
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.usual_fields import usual_fields
from converter.files import atomic
from converter.pipelines import prepare
from converter.pipelines.cells import Cell
from converter.plan import query_paths
from converter.plan.columns import Column
from converter.plan.conditions import comparisons
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan, Fidelity, Reason
from converter.plan.schedule import schedule
from converter.plan.values import FieldOf
from converter.project.config import Wishes
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

NO_WISHES = Wishes()
Key = tuple[str, str]
"""What a part belongs to: format and source."""


@dataclass(slots=True)
class Exports:
    """What this run made, before it is joined with what earlier runs left."""

    formats: tuple[str, ...] = ()
    parts: dict[Key, list[Part]] = field(default_factory=dict)
    """Also the keys that this run looked at and that gave nothing."""
    errors: list[SigconvError] = field(default_factory=list)
    accepted: list[SigconvError] = field(default_factory=list)
    """Those that someone has looked at: they do not count as failures."""


def item_data(conversion: Conversion) -> dict[str, Any]:
    """Return what formats need of a conversion beside its entry and its queries: data that JSON can hold."""
    plan = conversion.plan
    bases = list(_bases(plan))
    when = schedule(plan)
    queries = [
        {
            "head": len(query.text) - len(query.body) - 1,
            "extension": query.extension,
            "alert": asdict(query.alert) if query.alert is not None else None,
            "extra": dict(query.extra),
        }
        for query in conversion.queries
    ]
    inferred = {name: asdict(column) for base in bases for name, column in base.columns.items()}
    return {
        "bases": [base.name for base in bases],
        "queries": queries,
        "interval": when.interval,
        "lookback": when.lookback,
        "correlation": plan.type if isinstance(plan, CorrelationPlan) else None,
        "groups": list(_groups(plan, plan.group_by)) if isinstance(plan, CorrelationPlan) else [],
        # Without a pipeline and a configuration the names of index and table are made up: none is deployed.
        "states": [dict(base.state) if conversion.cell.pipeline is not None else {} for base in bases],
        "fields": list(dict.fromkeys(_used(plan))),
        "shown": list(plan.fields),
        "usual": list(_usual(conversion)),
        "columns": inferred if conversion.cell.inferred else None,
    }


def export_item(
    rules: RuleSet,
    rule: Rule,
    cell: Cell,
    suffix: str | None,
    entry: Mapping[str, Any],
    texts: Sequence[str],
    data: Mapping[str, Any],
) -> ExportItem:
    """Return what a format is given of a conversion.

    Args:
        rules: where references are resolved.
        rule: what was converted.
        cell: what for.
        suffix: the rule's name where its file holds several rules that are converted.
        entry: of the manifest.
        texts: of the entry's queries.
        data: of `item_data`.
    """
    columns: Mapping[str, Column] = cell.columns
    if data["columns"] is not None:
        columns = {name: Column(**column) for name, column in data["columns"].items()}
    return ExportItem(
        rule=rule.doc,
        bases=tuple((rules.resolve(name) or rule).doc for name in data["bases"]),
        file=rule.relative,
        suffix=suffix,
        source=cell.source,
        target=cell.target,
        queries=tuple(
            ExportQuery(
                text,
                text[one["head"] : -1],
                one["extension"],
                query["name"],
                AlertColumns(**{**one["alert"], "group": tuple(one["alert"]["group"])})
                if one["alert"]
                else None,
                one["extra"],
            )
            for text, one, query in zip(texts, data["queries"], entry["queries"], strict=True)
        ),
        fidelity=Fidelity(entry["fidelity"]),
        reasons=tuple(Reason(Fidelity(one["fidelity"]), one["text"]) for one in entry["reasons"]),
        interval=data["interval"],
        lookback=data["lookback"],
        window=data["lookback"] - data["interval"],
        correlation=data["correlation"],
        groups=tuple(tuple(group) for group in data["groups"]),
        states=tuple(data["states"]),
        fields={name: columns[name] for name in data["fields"] if name in columns},
        shown=tuple(data["shown"]),
        usual=tuple(data["usual"]),
        columns=columns,
    )


def _usual(conversion: Conversion) -> Iterator[str]:
    """Yield the columns that show an event of a rule that names no ``fields``."""
    plan, cell = conversion.plan, conversion.cell
    if not isinstance(plan, BaseRule) or cell.inferred:
        return
    rule = conversion.rule
    columns: dict[str, None] = {}
    for name in usual_fields(rule.doc.get("logsource") or {}):
        if prepare.lacking(rule, cell, name) is None:
            columns.update(dict.fromkeys(prepare.map_field(rule, cell, name)))
    yield from (column for column in columns if column in cell.columns)


def _bases(plan: BaseRule | CorrelationPlan) -> Iterator[BaseRule]:
    if isinstance(plan, BaseRule):
        yield plan
        return
    seen: set[str] = set()
    for member in plan.members:
        for base in _bases(member.source):
            if base.name not in seen:
                seen.add(base.name)
                yield base


def _used(plan: BaseRule | CorrelationPlan) -> Iterator[str]:
    """Yield the columns that a query compares, groups by or counts."""
    if isinstance(plan, BaseRule):
        for leaf in comparisons(plan.condition):
            yield leaf.field
            if isinstance(leaf.value, FieldOf):
                yield leaf.value.field
        return
    for member in plan.members:
        yield from _used(member.source)
        for names in (*member.group_by, *member.values):
            yield from names  # Names of an inner correlation's keys are no columns and drop out.


def _groups(source: BaseRule | CorrelationPlan, keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield, for each event rule of a correlation, the columns of the outermost's group.

    Args:
        source: a rule.
        keys: the group-by keys that the rule above asks of it: columns, or names of its own keys.
    """
    if isinstance(source, BaseRule):
        yield tuple(keys)
        return
    for member in source.members:
        below = dict(zip(source.group_by, member.group_by, strict=True))
        columns = dict.fromkeys(column for key in keys for column in below.get(key, ()))
        yield from _groups(member.source, tuple(columns))


def takers(cells: Sequence[tuple[str, str]]) -> list[str]:
    """Return the formats that take the queries of at least one of the cells (source and target)."""
    return [name for name in FORMATS if any(_takes(exporter(name), *cell) for cell in cells)]


def make(
    formats: Sequence[str],
    cells: Sequence[tuple[str, str]],
    items: Sequence[ExportItem],
    accepts: Callable[[tuple[str, ...], str, str, str], bool] = lambda *_: False,
    wishes: Wishes = NO_WISHES,
) -> Exports:
    """Return each format's part of each rule; what one rule cannot be is an error and stops no other.

    Args:
        formats: names of the registry.
        cells: source and target that this run converted for.
        items: what it converted.
        accepts: keys of the rule (id or name, and file), source, format, code -> is the refusal known?
        wishes: of the configuration.

    Raises:
        UsageError: SC607 for a format that takes none of the targets: it would lose all of its files.
    """
    result = Exports(tuple(dict.fromkeys(formats)))
    items = [replace(one, attack=wishes.elastic_attack, near_real_time=wishes.sentinel_nrt) for one in items]
    for name in result.formats:
        maker = exporter(name)
        per_rule: dict[tuple[str, str, str], list[ExportItem]] = {}
        result.parts |= {(name, cell[0]): [] for cell in cells if _takes(maker, *cell)}
        if not any(key[0] == name for key in result.parts):
            what = f"queries in {' and '.join(maker.targets)}"
            if maker.sources:
                what += f" for {' and '.join(maker.sources)}"
            raise UsageError("SC607", f"the format {name} takes {what}, and none is made")
        for one in items:
            if _takes(maker, one.source, one.target):
                per_rule.setdefault((one.source, one.file, _key(one)), []).append(one)
        for (source, file, rule), own in per_rule.items():
            own.sort(key=lambda one: maker.targets.index(one.target))
            try:
                made = maker.part(own)
            except SigconvError as error:
                error.file = error.file or file
                error.message += f" [{source}/{name}]"
                known = accepts((rule, file), source, name, error.code)
                (result.accepted if known else result.errors).append(error)
            except Exception as error:  # A defect in one rule's export must not stop the others.
                result.errors.append(
                    InternalError("SC900", f"internal error in {name}: {error!r}", file=file)
                )
            else:
                for suffix, text in ({"": made} if isinstance(made, str) else made).items():
                    path = query_paths.query_path(
                        f"exports/{name}", f"{source}/rules", file, maker.extension, own[0].suffix, suffix
                    )
                    result.parts[name, source].append(Part(rule, file, path, text))
    return result


def _takes(maker: Exporter, source: str, target: str) -> bool:
    return target in maker.targets and (not maker.sources or source in maker.sources)


def _key(one: ExportItem) -> str:
    return str(one.id or one.rule.get("name") or one.title)


def plan_exports(
    folder: Path,
    old: Sequence[Mapping[str, Any]],
    exports: Exports,
    gone: Callable[[str, str], bool],
    broken: Callable[[str, str], bool] = lambda *_: False,
) -> tuple[dict[str, str], list[dict[str, Any]], list[str]]:
    """Return what the output folder must hold of import files.

    Args:
        folder: the output folder.
        old: the manifest's ``exports`` so far.
        exports: what this run made; formats and sources that it did not look at stay as they are.
        gone: rule file and rule -> whether its earlier part goes, because this run looked at it.
        broken: rule file and rule -> whether its earlier part stays because the rule is broken: it is stale.

    Returns:
        Files to write (path -> text), the manifest's new ``exports``, and the paths to remove.

    Raises:
        UsageError: SC605 if a part of an earlier run, which a file of all rules needs, is not as it was, and
            the rule is not broken.
    """

    def marked(entry: Mapping[str, Any]) -> dict[str, Any]:
        stale = entry["rule"] is not None and broken(entry["rule_file"], entry["rule"])
        return {**entry, "stale": True} if stale else dict(entry)

    files: dict[str, str] = {}
    entries = [marked(entry) for entry in old if (entry["format"], entry["source"]) not in exports.parts]
    for (name, source), made in exports.parts.items():
        mine = {(part.rule_file, part.rule) for part in made}
        before = [entry for entry in old if (entry["format"], entry["source"]) == (name, source)]
        kept = [entry for entry in before if entry["rule"] is not None]
        kept = [
            entry
            for entry in kept
            if (entry["rule_file"], entry["rule"]) not in mine and not gone(entry["rule_file"], entry["rule"])
        ]
        files |= {part.file: part.text for part in made}
        parts = list(made)
        for entry in kept:
            try:
                parts.append(_read_back(folder, entry))
            except UsageError:
                if not broken(entry["rule_file"], entry["rule"]):
                    raise
                continue  # Its error is told; without its part the others are still exported.
            entries.append(marked(entry))
        parts.sort(key=lambda part: part.file)
        entries += [_entry(name, source, part.file, part.text, part) for part in made]
        whole = exporter(name).whole
        for path, text in (whole(source, parts) if whole and parts else {}).items():
            path = f"exports/{name}/{source}/{path}"
            files[path] = text
            entries.append(_entry(name, source, path, text, None))
    entries.sort(
        key=lambda entry: (entry["format"], entry["source"], entry["rule"] is not None, entry["file"])
    )
    left = {entry["file"] for entry in entries}
    return files, entries, sorted({entry["file"] for entry in old} - left)


def _entry(name: str, source: str, path: str, text: str, part: Part | None) -> dict[str, Any]:
    return {
        "format": name,
        "source": source,
        "rule": part.rule if part else None,
        "rule_file": part.rule_file if part else None,
        "file": path,
        "sha256": atomic.digest(text),
    }


def _read_back(folder: Path, entry: Mapping[str, Any]) -> Part:
    """Return a part that an earlier run wrote."""
    path = str(entry["file"])
    try:
        text = (folder / path).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        text = ""
    inside = (folder / path).resolve().is_relative_to(folder.resolve())
    if not inside or atomic.digest(text) != entry["sha256"]:
        raise UsageError(
            "SC605",
            "is missing or was changed, and the file of all rules needs it",
            file=(folder / path).as_posix(),
            hint="build all rules with the same --format",
        )
    return Part(str(entry["rule"]), str(entry["rule_file"]), path, text)
