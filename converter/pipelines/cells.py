"""The cells: a telemetry source in a language, with its pipeline and its column list.

A pipeline is a stock pySigma processing pipeline; its data is read once and an instance is made for
each use, because pySigma keeps state on instances (adding two of them clears their links).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline

from converter.errors import PipelineError
from converter.files import yaml_source
from converter.files.yaml_source import Documents
from converter.pipelines import assumptions, placeholders
from converter.pipelines.assumptions import SUFFIX, Assumption
from converter.pipelines.items import PreparedPipeline
from converter.pipelines.overrides import declared, located, mapped
from converter.pipelines.transformations import catalogue
from converter.pipelines.user_files import UserPipeline
from converter.plan.columns import Column, Columns
from converter.platforms import platform_of
from converter.project import stock_pipelines
from converter.project.source_settings import CHECKED, Settings

NONE = "none"
"""The source that maps nothing."""
OPTIONAL = "optional.yml"
"""A file that says why a source is not built unless it is asked for: it is not everyone's."""
PRIORITY = 20
"""Of our own pipelines: a user's of a lower one runs before them, the others after."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A telemetry source in a language."""

    source: str
    target: str
    pipeline: Mapping[str, Any] | None
    """The pipeline's YAML, with the user's own; None for the source `none` alone."""
    columns: Columns
    """Of the source `none`: only what the configuration declares; the rest is inferred from rules."""
    version: str
    """SHA-256 of pipeline, column list and everything of the user's that changes queries."""
    variant: str = ""
    """Name of the option, such as ``windowsevent``, whose pipeline this is."""
    origins: tuple[str, ...] = ()
    """For each transformation of the pipeline the file that it comes from."""
    own: str = ""
    """Our pipeline's file; a transformation of another origin is the user's."""
    declare: str = ""
    """Where the user can declare a field that the column list does not know."""
    assumptions: tuple[Assumption, ...] = ()
    """What is assumed of the vendor's ingest."""
    logsource_checked: bool = True
    """Whether a query selects events of the rule's log source only: by the pipeline's conditions, or because
    the configuration says that no others are searched."""
    proof: Cell | None = None
    """The same cell with the events where the vendor's ingest puts them: what `verify` runs. None if that
    is this cell itself."""
    shared: PreparedPipeline | None = field(default=None, compare=False, repr=False)
    """What is worked out of the pipeline, where another cell has the same one."""

    def __post_init__(self) -> None:
        """Make the pipeline ready, unless it is shared; a copy with another pipeline has its own."""
        if self.shared is None or self.shared.data is not self.pipeline:
            made = PreparedPipeline(self.pipeline, self.origins, self.own)
            object.__setattr__(self, "shared", made)

    @property
    def prepared(self) -> PreparedPipeline:
        """The pipeline with what is worked out of it for many rules."""
        assert self.shared is not None  # Since `__post_init__`.
        return self.shared

    def __str__(self) -> str:
        return f"{self.source}/{self.target}"

    @property
    def inferred(self) -> bool:
        """Whether columns are worked out from each rule's values."""
        return self.source == NONE

    @property
    def stem(self) -> str:
        """The name of the pipeline file without its extension: platform and option."""
        return _stem(self.target, self.variant)


def sources(*, optional: bool = True) -> list[str]:
    """Return the names of the sources that have pipelines, sorted; without ``optional`` the default ones."""
    found = [path for path in stock_pipelines.folder().iterdir() if path.is_dir()]
    return sorted(path.name for path in found if optional or not (path / OPTIONAL).exists())


def variants(source: str, target: str) -> list[str]:
    """Return the options of a cell: the names after the dash of its other pipeline files."""
    if source == NONE:
        return []
    platform = platform_of(target).name
    files = (stock_pipelines.folder() / source).glob(f"{platform}-*.yml")
    return sorted(path.stem.removeprefix(f"{platform}-") for path in files if "." not in path.stem)


def cell(
    source: str,
    target: str,
    variant: str = "",
    settings: Settings | None = None,
    user: Sequence[UserPipeline] = (),
    known: Documents | None = None,
) -> Cell:
    """Return a cell.

    Args:
        source: a folder below ``pipelines/``, or ``none``.
        target: eql, lucene, spl or kql.
        variant: another pipeline of the same cell, such as ``windowsevent`` for Sysmon on Sentinel.
        settings: what the configuration says about the source on the platform.
        user: the user's own pipelines; those that are not for the target are left out.
        known: pipelines and column lists that were read and found good before.

    Raises:
        PipelineError: SC301 if there is no such pipeline, SC302 if it is not valid.
        UsageError: SC601 if the settings do not fit the pipeline.
    """
    settings = settings or Settings()
    stock = _stock_cells().cell(source, target, variant or settings.variant, known)
    user = [one for one in user if one.serves(target)]
    if not user and settings.same_queries:
        return stock
    return _customised(stock, settings, user)


class StockCells:
    """The stock cells, each read once."""

    def __init__(self) -> None:
        """Know none yet; pySigma learns our transformations."""
        register()
        self._cells: dict[tuple[str, str, str], Cell] = {}

    def cell(self, source: str, target: str, variant: str, known: Documents | None) -> Cell:
        """Return a cell; ``known`` are pipelines and column lists that were read and found good before.

        Raises:
            PipelineError: SC301 if there is no such pipeline, SC302 if it is not valid.
        """
        name = (source, target, variant)
        if name not in self._cells:
            made = _stock(source, target, variant, known)
            # Languages of one platform have one pipeline: what is worked out of it is shared.
            for other in self._cells.values():
                if (other.source, other.stem, other.version) == (made.source, made.stem, made.version):
                    made = replace(made, pipeline=other.pipeline, shared=other.prepared)
                    break
            self._cells[name] = made
        return self._cells[name]


@cache
def _stock_cells() -> StockCells:
    """Return those of this process."""
    return StockCells()


def register() -> None:
    """Make our transformations known to pySigma; calling it again changes nothing."""
    catalogue.register()
    placeholders.register()


def _stock(source: str, target: str, variant: str, known: Documents | None) -> Cell:
    if source == NONE:
        return Cell(source, target, None, {}, "none", logsource_checked=False)
    stem = _stem(target, variant)
    path = stock_pipelines.folder() / source / f"{stem}.yml"
    if not path.is_file():
        named = ", ".join(sources())
        what = f"source '{source}' and target '{target}'" + (f", option '{variant}'" if variant else "")
        raise PipelineError("SC301", f"no pipeline for {what}", hint=f"sources: {named}")
    texts = [
        yaml_source.read_text(one, one.name, PipelineError)
        for one in (path, path.with_suffix(".columns.yml"))
    ]
    name = f"pipelines/{source}/{path.name}"
    found = [known.get(yaml_source.digest(text)) if known is not None else None for text in texts]
    pipeline, lists = (
        (parsed or yaml_source.parse(text, name, PipelineError))[0]
        for text, parsed in zip(texts, found, strict=True)
    )
    if found[0] is None:
        try:
            # A copy: pySigma takes keys out of what it is given.
            ProcessingPipeline.from_dict(copy.deepcopy(pipeline))
        except SigmaError as problem:
            raise PipelineError("SC302", str(problem), file=name) from problem
    if known is not None and None in found:
        known.keep(yaml_source.digest(texts[0]), [pipeline])
        known.keep(yaml_source.digest(texts[1]), [lists])
    columns = {key: _column(value, lists) for key, value in lists["columns"].items()}
    beside = path.with_name(stem + SUFFIX)
    if beside.is_file():
        texts.append(yaml_source.read_text(beside, beside.name, PipelineError))
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    origins = (name,) * len(pipeline.get("transformations") or ())
    assumed = assumptions.parse(texts[2], f"pipelines/{source}/{beside.name}") if len(texts) > 2 else ()
    return Cell(source, target, pipeline, columns, digest, variant, origins, name, assumptions=assumed)


def _stem(target: str, variant: str) -> str:
    return platform_of(target).name + (f"-{variant}" if variant else "")


def _column(value: str | Mapping[str, Any], lists: Mapping[str, Any]) -> Column:
    """Return a column, with what its list says of all columns of its type and it does not say itself."""
    given: dict[str, Any] = {"type": value} if isinstance(value, str) else dict(value)
    if "stored" in lists and given["type"] == "string":
        given.setdefault("stored", lists["stored"])
    if "ignore_above" in lists and given["type"] == "keyword":
        given.setdefault("ignore_above", lists["ignore_above"])
    if isinstance(given.get("long"), list):
        given["long"] = tuple(given["long"])
    return Column(**given)


def _customised(stock: Cell, settings: Settings, user: Sequence[UserPipeline]) -> Cell:
    """Return the stock cell with what the user brings; its ``proof`` has all of it but the locations."""
    where = f"source.{stock.source}.{platform_of(stock.target).name}"
    columns = declared(stock.columns, settings, where)
    base: Mapping[str, Any] = stock.pipeline or {"priority": PRIORITY}
    mapping = mapped(base, stock.columns, settings, where)
    proof = _merged(stock, mapping, settings, columns, user)
    if not settings.locates:
        return proof
    made = located(mapping, stock.target, settings, where)
    found = _merged(stock, made, settings, columns, user)
    return replace(found, proof=proof)


def _merged(
    stock: Cell,
    own: Mapping[str, Any],
    settings: Settings,
    columns: Columns,
    user: Sequence[UserPipeline],
) -> Cell:
    """Put the pipelines behind each other by priority, as pySigma does; ours comes first among equals."""
    parts = [(own, stock.own or "configuration"), *((one.data, one.file) for one in user)]
    parts.sort(key=lambda part: part[0].get("priority", 0))
    items: list[Any] = []
    origins: list[str] = []
    values: dict[str, Any] = {}
    lossy: dict[str, Any] = {}
    for data, origin in parts:
        found = data.get("transformations") or []
        items += found
        origins += [origin] * len(found)
        values |= data.get("vars") or {}
        lossy |= (data.get("vars") or {}).get("lossy") or {}
    if lossy:
        values["lossy"] = lossy
    pipeline = {
        "name": own.get("name"),
        "priority": own.get("priority", 0),
        "vars": values,
        "transformations": items,
    }
    said = json.dumps([asdict(settings), [one.text for one in user]], sort_keys=True, default=str)
    digest = hashlib.sha256(f"{stock.version}\0{own!r}\0{said}".encode()).hexdigest()
    return Cell(
        stock.source,
        stock.target,
        pipeline if items or stock.pipeline is not None else None,
        columns,
        digest,
        stock.variant,
        tuple(origins),
        stock.own,
        f"tool.sigconv.source.{stock.source}.{platform_of(stock.target).name}.fields",
        stock.assumptions,
        stock.logsource_checked or settings.logsource == CHECKED,
    )
