"""Entities and details of an alert, from the columns that its rows have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from converter.exports.item import ExportItem, ExportQuery
from converter.exports.microsoft import facts
from converter.exports.microsoft.query import Rows

Stage = list[tuple[str, str]]
"""Columns that a stage adds, with their expressions."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: its type, and identifier -> column."""

    type: str
    columns: dict[str, str]
    made: dict[str, str] = field(default_factory=dict)
    """Columns that are parts of others -> expressions."""
    read: tuple[str, ...] = ()
    """The columns that hold what it says."""


def entities(rows: Rows, item: ExportItem, *, derived: bool = True) -> list[Entity]:
    """Return the entities that a row names: the best of each type, then the next of types that have two.

    Columns that are not in the rows yet are taken where the rule is about them: its log source has them.

    Args:
        rows: of the query.
        item: the rule.
        derived: whether a further stage may add columns.
    """
    wanted = {*item.shown, *item.fields, *item.usual}
    held = set(rows.columns)
    if derived:
        held |= {name for name in rows.extends if name in wanted}
    if "Event" in item.tables:
        held -= facts.NOT_OF_EVENT
    found: list[Entity] = []
    for kind, identifiers in facts.ENTITIES:
        one = _entity(kind, identifiers, held, derived)
        if one and not any(set(one.read) & set(other.read) for other in found):
            found.append(one)
    first = [one for n, one in enumerate(found) if one.type not in {other.type for other in found[:n]}]
    return [*first, *(one for one in found if one not in first)][: facts.MAPPINGS_MAX]


def _entity(kind: str, identifiers: facts.Identifiers, held: set[str], derived: bool) -> Entity | None:
    entity = Entity(kind, {})
    read: list[str] = []
    for identifier, names in identifiers:
        column = next((name for name in names if name.partition("/")[0] in held), None)
        if column is None and not entity.columns:
            return None  # Without its first identifier an entity is nothing.
        if column is None:
            continue
        base, _, part = column.partition("/")
        if part and not derived:
            if not entity.columns:
                return None
            continue
        entity.columns[identifier] = f"{base}_{part}" if part else base
        if part:
            entity.made[f"{base}_{part}"] = facts.PARTS[part].format(base)
        read.append(base)
    return Entity(kind, entity.columns, entity.made, tuple(read))


def details(rows: Rows, item: ExportItem, query: ExportQuery, *, derived: bool = True) -> dict[str, str]:
    """Return the custom details: name -> column.

    They are the rule's ``fields``; of a rule that names none, what shows an event of its log source and what
    the rule compares. An alert of a correlation also has its times, its count and the values that it counted.
    """
    compared = [name for name in item.fields if name not in facts.NO_DETAILS]
    columns: Iterable[str] = item.shown or (*item.usual, *compared)
    if query.alert is not None:
        alert = query.alert
        measured = (alert.first, alert.last, alert.count, alert.values or "")
        columns = (*alert.group, *item.shown, *measured)
    found: dict[str, str] = {}
    for column in dict.fromkeys(columns):
        if column not in rows.columns and not (derived and column in rows.extends):
            continue
        if not re.fullmatch(r"[A-Za-z]\w*", column, re.ASCII):
            continue
        # Long names differ at their ends: InitiatingProcessAccountName, InitiatingProcessAccountDomain.
        short = column.replace("InitiatingProcess", "Init").replace("ProcessVersionInfo", "")
        name = short[: facts.DETAIL_NAME_MAX]
        number = 2
        while name in found:
            name = f"{short[: facts.DETAIL_NAME_MAX - len(str(number))]}{number}"
            number += 1
        found[name] = column
    return dict(list(found.items())[: facts.DETAILS_MAX])


def needed(rows: Rows, found: list[Entity], details: dict[str, str]) -> tuple[Stage, Stage]:
    """Return the columns that last stages must add: those inside others, then parts of columns."""
    names = [column for one in found for column in one.read] + list(details.values())
    made = {name: text for one in found for name, text in one.made.items()}
    inside = [(name, rows.extends[name]) for name in dict.fromkeys(names) if name in rows.extends]
    return inside, list(made.items())
