"""Entities and details of an alert, from the columns that its rows have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from converter.exports.item import ExportItem
from converter.exports.sentinel import facts
from converter.exports.sentinel.query import Rows


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: its type, and identifier -> column."""

    type: str
    columns: dict[str, str]


def entities(rows: Rows, item: ExportItem) -> list[Entity]:
    """Return the entities that a row names: the best of each type, then the next of types that have two.

    Columns that are not in the rows yet are taken where the rule is about them: its log source has them.
    """
    wanted = {*item.shown, *item.fields}
    held = rows.columns | {name for name in rows.extends if name in wanted or name == "User"}
    if "Event" in item.tables:
        held -= facts.NOT_OF_EVENT
    found: list[Entity] = []
    for kind, identifiers in facts.ENTITIES:
        columns: dict[str, str] = {}
        for identifier, names in identifiers:
            column = next((name for name in names if name in held), None)
            if column is None and not columns:
                break  # Without its first identifier an entity is nothing.
            if column:
                columns[identifier] = column
        if columns and not any(set(columns.values()) & set(one.columns.values()) for one in found):
            found.append(Entity(kind, columns))
    first = [one for n, one in enumerate(found) if one.type not in {other.type for other in found[:n]}]
    return [*first, *(one for one in found if one not in first)][: facts.MAPPINGS_MAX]


def details(rows: Rows, item: ExportItem) -> dict[str, str]:
    """Return the custom details: name -> column, of the rule's ``fields`` that the rows have."""
    found: dict[str, str] = {}
    for column in item.shown:
        if column not in rows.columns and column not in rows.extends:
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


def needed(rows: Rows, found: list[Entity], details: dict[str, str]) -> list[tuple[str, str]]:
    """Return the columns that a last stage must add, with their expressions."""
    names = [column for one in found for column in one.columns.values()] + list(details.values())
    return [(name, rows.extends[name]) for name in dict.fromkeys(names) if name in rows.extends]
