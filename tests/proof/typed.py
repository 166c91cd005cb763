"""Rules on columns of every type, for `pinned`: each operation on each column of a made-up table.

A token is ``typed/WORLD/COLUMN/OPERATION``, with ``/not`` at the end for its negation, or
``typed/WORLD/names/NAME`` for the detections of `DETECTIONS`. A world is a table of a platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any
from xml.sax.saxutils import escape

from converter.backends import backend_for
from converter.engines import engine_for
from converter.engines.base import Session
from converter.errors import EngineError, Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.pipelines.inferred_columns import infer_columns
from converter.plan.columns import Column
from converter.plan.model import BaseRule, Draft
from converter.shapes import inferred as none_shape
from tests.proof.judged import disagreement, label_lines
from tests.proof.typed_patterns import TEXTS
from tests.proof.typed_rules import DETECTIONS, NOT_STORABLE, OPERATIONS, VALUES, WIDTHS, WORLDS
from tests.support import none_base

LONGEST = 900
"""A longer text is kept by its digest."""


def tokens(language: str) -> Iterator[str]:
    """Yield everything there is for a language."""
    for name, world in WORLDS.items():
        if language in world.languages:
            for column in world.columns:
                for operation in OPERATIONS:
                    yield f"typed/{name}/{column}/{operation}"
                    yield f"typed/{name}/{column}/{operation}/not"
            for detection in DETECTIONS:
                if detection in WIDTHS and name in ("xml", "dynamic", "elastic as-is"):
                    continue
                if (language, detection) not in NOT_STORABLE:
                    yield f"typed/{name}/names/{detection}"


@cache
def detection(token: str) -> dict[str, Any]:
    """Return what a token stands for."""
    _, _, column, name, *negated = token.split("/")
    if column == "names":
        return DETECTIONS[name]
    modifiers, value = OPERATIONS[name]
    key = f"{column}|{modifiers}" if modifiers else column
    return {"s": {key: value}, "condition": "not s" if negated else "s"}


@cache
def base(token: str, language: str) -> BaseRule:
    """Return the rule as a backend takes it.

    Raises:
        Refusal: if it is refused before that.
    """
    world = WORLDS[token.split("/")[1]]
    made = none_base(detection(token), language)
    inferred = {} if token.endswith("/not there") else infer_columns(made.condition, language)
    return replace(made, columns={**inferred, **world.columns})


def outcome(token: str, language: str, backends: Any = backend_for) -> tuple[str, list[Draft] | None]:
    """Convert a rule; return what is compared, and the drafts if it is not refused."""
    try:
        made = base(token, language)
        drafts = backends(language, **WORLDS[token.split("/")[1]].options).event(made)
    except Refusal as refusal:
        return f"refused {refusal.code}", None
    return "\n".join([*label_lines(drafts), *(_short(draft.text.rstrip("\n")) for draft in drafts)]), drafts


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{len(text)} characters, sha256 {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def events(token: str, language: str) -> list[dict[str, Any]]:
    """Return events that have every column at each of its values, alone."""
    world = WORLDS[token.split("/")[1]]
    found: list[dict[str, Any]] = [{}]
    searched = language == "kql" and "/names/keyword" in token
    for name, column in world.columns.items():
        if name == "Extra" or (searched and column.type != "string"):
            continue  # Keywords are looked for in the columns of type string.
        found += [{name: value} for value in VALUES.get(column.type, ())]
    if "other" in world.columns:
        found += [
            {"k": one, "other": two} for one in ("Cmd.exe", "ab") for two in ("cmd.EXE", "A", "b", "md")
        ]
    found += [{"k": text} for text in TEXTS.get(token.split("/")[3], ())]
    found += [{name: "x"} for name in base(token, language).columns if name not in world.columns]
    return found


def problems(token: str, language: str, drafts: Sequence[Draft]) -> list[str]:
    """Run the query; return where it does not select what the rule means, as its label says."""
    world, columns = token.split("/")[1], base(token, language).columns
    given = events(token, language)
    engine = engine_for(language)
    tables = {none_shape.INDEX: columns}
    try:
        for draft in drafts:
            engine.validate(draft.text, tables)
        return _wrong(token, language, drafts, engine.load(_stored(given, columns, language, world), tables))
    except EngineError as error:
        return [str(error)]


def _wrong(token: str, language: str, drafts: Sequence[Draft], session: Session) -> list[str]:
    given = events(token, language)
    matches = compile_detection(detection(token), empty_is_missing=language == "kql")
    wanted = {number for number, event in enumerate(given) if matches(event)}
    got = {number for draft in drafts for number in session.run(draft.text).events}
    return disagreement(drafts, given, wanted, got)


def _stored(
    given: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], language: str, world: str
) -> list[Stored]:
    found = none_shape.store(given, columns, language)
    if language in ("eql", "lucene"):
        return [Stored(number, none_shape.INDEX, dict(event)) for number, event in enumerate(given)]
    if language == "spl":
        return [_splunk(one, columns) for one in found]
    return [_kusto(one, columns, world) for one in found]


def _splunk(one: Stored, columns: Mapping[str, Column]) -> Stored:
    lacking = {name: column.null for name, column in columns.items() if column.null}
    return Stored(one.id, one.index, {**lacking, **one.doc})


def _kusto(one: Stored, columns: Mapping[str, Column], world: str) -> Stored:
    doc = {name: value for name, value in one.doc.items() if not columns[name].via}
    inside = {name: _written(value) for name, value in one.doc.items() if columns[name].via}
    if world == "kusto":
        return Stored(one.id, one.index, {**doc, "Extra": inside} if inside else doc)
    if world == "dynamic":
        return Stored(one.id, one.index, {**doc, "EventData": inside})
    data = "".join(
        f'<Data Name="{escape(name, {chr(34): "&quot;"})}">{escape(text)}</Data>'
        for name, text in inside.items()
    )
    return Stored(
        one.id, one.index, {**doc, "EventData": f"<DataItem><EventData>{data}</EventData></DataItem>"}
    )


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
