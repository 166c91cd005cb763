"""The commands of a search, each compiled to a function from rows to rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from converter.engines.spl import aggregate
from converter.engines.spl.aggregate import Aggregation, Stream
from converter.engines.spl.expression import Parser, Token, compile_expression, condition, tokens
from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.pcre import compile_pcre
from converter.engines.spl.search import compile_search, raw
from converter.engines.spl.values import Row, each, number, text

Command = Callable[[list[Row]], list[Row]]

ID = "\0id"
"""Where a row that is still an event keeps the event's id."""
_REGEX = re.compile(r'(?:(?P<field>[\w.]+)\s*(?P<op>!?=)\s*)?"(?P<pattern>(?:[^"\\]|\\.)*)"', re.DOTALL)
_BUCKET = re.compile(r"_time\s+span=([1-9]\d*)([smh]?)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_ESCAPE = re.compile(r'\\(["\\])')


def compile_command(source: str) -> Command:
    """Compile a command after the first pipe.

    Raises:
        EngineError: SC402, SC403.
    """
    name, *following = source.split(maxsplit=1)
    rest = following[0] if following else ""
    if name not in _COMMANDS:
        raise unknown(f"the command '{name}'")
    return _COMMANDS[name](rest)


def search(source: str) -> Command:
    """`search` filters the rows."""
    test = compile_search(source)
    return lambda rows: [row for row in rows if test(row)]


def _where(source: str) -> Command:
    test = condition(compile_expression(source))
    return lambda rows: [row for row in rows if test(row)]


def _regex(source: str) -> Command:
    """`regex field="..."` keeps the events whose field has a match."""
    found = _REGEX.fullmatch(source)
    if found is None:
        raise invalid(f"regex {source!r:.100}")
    if found["op"] == "!=":
        raise unknown("regex with !=, of which it is not said what it does to events without the field")
    pattern = compile_pcre(_ESCAPE.sub(r"\1", found["pattern"])).search
    field = found["field"]
    if field in (None, "_raw"):
        return lambda rows: [row for row in rows if pattern(raw(row))]
    return lambda rows: [row for row in rows if any(pattern(text(one)) for one in each(row.get(field)))]


def _name(parser: Parser) -> str:
    """A field name: a word with dots, or quoted."""
    token = parser.take()
    if token.kind in ("string", "field"):
        name = token.value
    elif token.kind == "name":
        name = token.value
        while parser.peek() == Token("op", ".") and parser.peek(1).kind == "name":
            parser.take()
            name += "." + parser.take().value
    else:
        raise invalid(f"'{token.value}' is no field name")
    if "*" in name:
        raise unknown("wildcards in field names")
    return name


def _names(parser: Parser) -> list[str]:
    found = [_name(parser)]
    while parser.peek().kind != "end":
        parser.taken("mark", ",")
        found.append(_name(parser))
    return found


def _eval(source: str) -> Command:
    parser = Parser(tokens(source))
    assignments = []
    while True:
        token = parser.take()
        if token.kind != "name" or not parser.taken("op", "="):
            raise invalid("eval needs name=expression")
        assignments.append((token.value, parser.expression()))
        if not parser.taken("mark", ","):
            break
    parser.end()

    def run(rows: list[Row]) -> list[Row]:
        out = []
        for before in rows:
            row = dict(before)
            for name, expression in assignments:
                value = expression(row)
                if isinstance(value, bool):
                    raise invalid(f"eval cannot assign a boolean to {name}")
                if value is None:
                    row.pop(name, None)
                else:
                    row[name] = value
            out.append(row)
        return out

    return run


def _sort(source: str) -> Command:
    """`sort 0 a -b`: 0 is no limit; without it the first 10,000 remain, which no query wants."""
    parser = Parser(tokens(source))
    if parser.take() != Token("number", "0"):
        raise unknown("sort without 0, which keeps 10,000 results")
    fields: list[tuple[str, bool]] = []
    while parser.peek().kind != "end":
        descending = parser.taken("op", "-")
        fields.append((_name(parser), descending))
        parser.taken("mark", ",")
    if not fields:
        raise invalid("sort needs a field")

    def run(rows: list[Row]) -> list[Row]:
        # Equal rows in reverse: nothing may rely on the order that `sort` leaves among them.
        out = rows[::-1]
        for field, descending in reversed(fields):
            values = [row.get(field) for row in out]
            numeric = all(value is None or number(value) is not None for value in values)
            out = sorted(out, key=lambda row: _rank(row.get(field), numeric), reverse=descending)
        return out

    return run


def _rank(value: object, numeric: bool) -> tuple[bool, float | str]:
    found = number(value) if numeric else None
    return (value is None, found if found is not None else 0 if numeric else text(value))


def _aggregations(parser: Parser) -> tuple[tuple[Aggregation, ...], tuple[str, ...]]:
    found: list[Aggregation] = []
    by: list[str] = []
    while parser.peek().kind != "end":
        token = parser.take()
        if token.kind != "name":
            raise invalid(f"'{token.value}' is no aggregation")
        if token.value.lower() == "by":
            by = _names(parser)
            break
        if token.value not in aggregate.FUNCTIONS:
            raise unknown(f"the aggregation {token.value}()")
        field = None
        if parser.taken("mark", "("):
            field = _name(parser)
            if not parser.taken("mark", ")"):
                raise unknown("an aggregation of an expression")
        elif token.value != "count":
            raise invalid(f"{token.value} needs a field")
        if not (parser.taken("name", "as") or parser.taken("name", "AS")):
            raise unknown("an aggregation without a name")
        found.append(Aggregation(token.value, field, _name(parser)))
        parser.taken("mark", ",")
    if not found:
        raise invalid("an aggregation is missing")
    return tuple(found), tuple(by)


def _stats(source: str) -> Command:
    aggregations, by = _aggregations(Parser(tokens(source)))
    return lambda rows: aggregate.stats(rows, aggregations, by)


_TRUE = {"t": True, "true": True, "f": False, "false": False}


def _streamstats(source: str) -> Command:
    parser = Parser(tokens(source))
    options: dict[str, str] = {}
    while parser.peek().kind == "name" and parser.peek(1) == Token("op", "="):
        name = parser.take().value
        parser.take()
        options[name] = parser.take().value
    window, current = options.pop("window", "0"), options.pop("current", "t")
    over_all = options.pop("global", "t")
    if options or not window.isdigit() or current not in _TRUE or over_all not in _TRUE:
        raise unknown(f"these options of streamstats: {source:.60}")
    aggregations, by = _aggregations(parser)
    stream = Stream(aggregations, by, int(window), _TRUE[current], not _TRUE[over_all])
    return lambda rows: aggregate.streamstats(rows, stream)


def _table(source: str) -> Command:
    names = _names(Parser(tokens(source)))
    return lambda rows: [{name: row[name] for name in [ID, *names] if name in row} for row in rows]


def _rename(source: str) -> Command:
    parser = Parser(tokens(source))
    pairs = []
    while parser.peek().kind != "end":
        old = _name(parser)
        if not (parser.taken("name", "as") or parser.taken("name", "AS")):
            raise invalid("rename needs old AS new")
        pairs.append((old, _name(parser)))
        parser.taken("mark", ",")

    def run(rows: list[Row]) -> list[Row]:
        names = dict(pairs)
        return [
            {name: value for name, value in row.items() if name not in names and name not in names.values()}
            | {new: row[old] for old, new in pairs if old in row}
            for row in rows
        ]

    return run


def _mvexpand(source: str) -> Command:
    """One row per value of the field."""
    (field,) = _names(Parser(tokens(source)))

    def run(rows: list[Row]) -> list[Row]:
        if any(row.get(field) is None for row in rows):
            raise unknown(f"mvexpand of rows without {field}")
        return [{**row, field: one} for row in rows for one in each(row[field])]

    return run


def _bin(source: str) -> Command:
    """`bin _time span=5m` puts a time at the begin of its bucket.

    Buckets begin at epoch 0 (Search Reference, `bin`, aligntime: "Align the bin times to something other than
    base UTC time (epoch 0)"). Those of days and more follow the user's time zone, and are not of the subset.
    """
    found = _BUCKET.fullmatch(source)
    if found is None:
        raise unknown(f"bin {source:.60}")
    span = int(found[1]) * _SECONDS[found[2] or "s"]

    def placed(row: Row) -> Row:
        time = number(row.get("_time"))
        return row if time is None else {**row, "_time": time // span * span}

    return lambda rows: [placed(row) for row in rows]


_COMMANDS: dict[str, Callable[[str], Command]] = {
    "bin": _bin,
    "search": search,
    "where": _where,
    "regex": _regex,
    "eval": _eval,
    "sort": _sort,
    "stats": _stats,
    "streamstats": _streamstats,
    "table": _table,
    "rename": _rename,
    "mvexpand": _mvexpand,
}
TRANSFORMING: Sequence[str] = ("stats", "table")
"""After these a search returns rows, not events."""
