"""The stages of an event query: filters on the table's columns first, then fields out of event data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from converter.backends.kql.conditions import Conditions, conjuncts, used_fields
from converter.backends.kql.expression import Expr, all_of
from converter.backends.kql.keywords import keyword_fields
from converter.backends.kql.known_values import without_repeats
from converter.backends.kql.literals import name, regex_quoted, string
from converter.backends.kql.term_filters import before_reading, before_scanning
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import Condition
from converter.plan.model import BaseRule, Verbatim

XML_FIELD = """\
let EventDataField = (data: string, name: string) {
    replace_strings(
        extract(strcat(@'<Data Name="', name, @'">([^<]*)'), 1, data),
        dynamic(["&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;", "&#xA;", "&#xD;", "&amp;"]),
        dynamic(["<", ">", "\\"", "'", "\\t", "\\n", "\\r", "\\n", "\\r", "&"]))
};
"""
"""How a field is got out of ``Event.EventData``, a string of XML: by its name, entities resolved.

Not by its closing tag: Azure Monitor cuts a column's text at 64 KB (service limits: "Maximum size for field
values"), and what is cut there has none. Writers of XML differ in which characters they write as entities,
and whether line ends have decimal or hexadecimal numbers: all forms are read.
"""
XML_TEXT = """\
let EventDataText = (data: string) {
    replace_strings(
        replace_regex(data, @'<[^>]*>', "\\n"),
        dynamic(["&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;", "&#xA;", "&#xD;", "&amp;"]),
        dynamic(["<", ">", "\\"", "'", "\\t", "\\n", "\\r", "\\n", "\\r", "&"]))
};
"""
"""The texts of all fields of ``EventData``, without the names."""


_FUNCTIONS = {"EventDataField": XML_FIELD, "EventDataText": XML_TEXT}
"""Functions that the expressions of columns may call."""
_CASTS = {
    "int": "toint",
    "long": "tolong",
    "real": "toreal",
    "bool": "tobool",
    "datetime": "todatetime",
    "guid": "toguid",
}


@dataclass(frozen=True, slots=True)
class Writing:
    """How queries are written, where more than one way means the same."""

    filters: bool = True
    """Whether filters on terms, which Kusto looks up, come before conditions that read every row."""
    alternation: bool = False
    """Whether parts of a text that are looked for in one column are one regular expression: shorter."""


AS_USUAL = Writing()


@dataclass(frozen=True, slots=True)
class Stages:
    """A query: a table and what is piped through, each ``operator rest`` without the pipe."""

    table: str
    operators: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    """Functions that the text must define before."""

    def text(self, indent: str = "") -> str:
        """Return table and operators, one a line."""
        return f"\n{indent}| ".join(
            [read_from(self.table), *(op.replace("\n", f"\n{indent}") for op in self.operators)]
        )


def read_from(table: str) -> str:
    """Return a table as a query reads it: its name, or the `Verbatim` text that stands for one."""
    return str(table) if isinstance(table, Verbatim) else name(table)


def definitions(needs: Iterable[str]) -> str:
    """Return the functions that a query uses."""
    return "".join(sorted(set(needs)))


def table_of(state: Mapping[str, Any]) -> str:
    """Return the table that a pipeline chose; of several, their union.

    Columns of the same name and other types are apart in a union (``Size_long``, ``Size_string``).

    Raises:
        Refusal: SC207 if it chose none.
    """
    table = state.get("table")
    if isinstance(table, list | tuple) and table:
        return Verbatim("union " + ", ".join(read_from(_one(one)) for one in table))
    return _one(table)


def _one(table: object) -> str:
    if not isinstance(table, str) or not table:
        raise Refusal("SC207", "the pipeline names no table for this log source")
    return table


def stages(base: BaseRule, also: Sequence[str] = (), writing: Writing = AS_USUAL) -> Stages:
    """Return the stages that select a rule's events.

    Args:
        base: the rule.
        also: columns that later stages read.
        writing: how to write it.
    """
    return select(table_of(base.state), base.columns, conjuncts(base.condition), also, writing)


def select(
    table: str,
    columns: Columns,
    conditions: Sequence[Condition],
    also: Sequence[str] = (),
    writing: Writing = AS_USUAL,
) -> Stages:
    """Return the stages that select a table's rows on which all conditions hold."""
    _check_keywords(columns, conditions)
    conditions = without_repeats(conditions, columns)
    convert = Conditions(columns, alternation=writing.alternation)
    after: list[Expr] = []
    wanted: dict[str, None] = {}
    direct: list[tuple[Condition, Expr]] = []
    worked_out: list[Condition] = []
    for condition in conditions:
        fields, keywords = used_fields(condition)
        fields += [field for keyword in keywords for field in keyword_fields(columns, keyword)]
        inside = [field for field in fields if field in columns and columns[field].via]
        expression = convert.expression(condition)
        if inside:
            after.append(expression)
            worked_out.append(condition)
        else:
            direct.append((condition, expression))
        wanted.update(dict.fromkeys(inside))
    wanted.update((field, None) for field in also if field in columns and columns[field].via)
    if writing.filters:
        operators = where(_filtered(columns, also, direct, worked_out))
    else:
        operators = where(expression for _, expression in direct)
    needs: set[str] = set()
    if wanted:
        extends = [_extend(field, columns, needs) for field in wanted]
        operators.append(_listed("extend", extends))
    operators += where(after)
    return Stages(table, tuple(operators), frozenset(needs))


def _filtered(
    columns: Columns,
    also: Sequence[str],
    direct: Sequence[tuple[Condition, Expr]],
    worked_out: Sequence[Condition],
) -> list[Expr]:
    """Return the conditions on a table's own columns, with what Kusto looks up before what it must read."""
    conditions = [expression for _, expression in direct]
    if filters := before_reading(worked_out, columns):
        return [*conditions, *filters]
    trees = [tree for tree, _ in direct]
    read = {field for tree in [*trees, *worked_out] for field in used_fields(tree)[0]}
    if set(columns) <= read | set(also):  # Nothing is known of the table but what the rule asks it.
        return conditions
    if (found := before_scanning(trees, columns)) is not None:
        place, filter_ = found
        conditions.insert(place, filter_)
    return conditions


def _check_keywords(columns: Columns, conditions: Sequence[Condition]) -> None:
    """Refuse keywords where only the rule itself says what columns there are.

    Raises:
        Refusal: SC201.
    """
    read = [used_fields(condition) for condition in conditions]
    if any(keywords for _, keywords in read) and set(columns) <= {
        field for fields, _ in read for field in fields
    }:
        raise Refusal(
            "SC201",
            "KQL looks for a keyword in the columns of the table, and this source declares none",
            hint="SPL and Lucene search whole events",
        )


def where(conditions: Iterable[Expr]) -> list[str]:
    """Return `where` operators: short comparisons that follow each other share a line."""
    lines: list[list[Expr]] = []
    for condition in dict.fromkeys(conditions):
        if lines and _is_filter(condition) and all(map(_is_filter, lines[-1])):
            lines[-1].append(condition)
        else:
            lines.append([condition])
    return [f"where {all_of(line).laid_out()}" for line in lines]


def _is_filter(condition: Expr) -> bool:
    """A comparison of one column with one value, such as an event id."""
    return not condition.parts and re.match(r"\S+ (?:==|=~) \S+$", condition) is not None


def _extend(field: str, columns: Columns, needs: set[str]) -> str:
    column = columns[field]
    if column.via == "eventdata_xml":
        needs.add(XML_FIELD)
        key = regex_quoted(escape(field, quote=False).replace('"', "&quot;"))
        value = f"EventDataField(EventData, {string(key)})"
    elif column.via == "eventdata_dynamic":
        bare = name(field)
        inner = f"EventData.{bare}" if bare == field else f"EventData[{string(field)}]"
        value = f"tostring({inner})"
    elif column.via is not None and column.via.startswith("="):
        needs.update(text for key, text in _FUNCTIONS.items() if f"{key}(" in column.via)
        return f"{name(field)} = {column.via[1:]}"
    else:
        raise Refusal("SC204", f"column {field!r}: there is no way {column.via!r} to get at it")
    if cast := _CASTS.get(column.type):
        value = f"{cast}({value})"
    return f"{name(field)} = {value}"


def _listed(operator: str, items: Sequence[str]) -> str:
    """Return an operator with a list, one item a line if there are several."""
    if len(items) == 1:
        return f"{operator} {items[0]}"
    return f"{operator}\n    " + ",\n    ".join(items)
