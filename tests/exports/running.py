"""Exported queries on the engines, run after run, over the events of the rules' own tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from converter.conversion.convert import Conversion, convert
from converter.engines import engine_for
from converter.engines.base import Result
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.exports.item import ExportItem
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.verify import test_files
from converter.verify.stored import stored_events, tables_of
from tests.exports.making import here, item_of

TIME = ("@timestamp", "TimeGenerated", "Timestamp", "_time")


@dataclass(frozen=True)
class Case:
    name: str
    conversion: Conversion
    item: ExportItem
    stored: tuple[Stored, ...]

    def time(self, event: Stored) -> datetime:
        """When the platform says that the record is: what a search's range is about."""
        value = next(event.doc[name] for name in TIME if name in event.doc)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def run(self, query: str, stored: Sequence[Stored]) -> Result:
        engine = engine_for(self.item.target)
        return engine.load(list(stored), tables_of(self.conversion, self.stored)).run(query)

    def marks(self, result: Result) -> Counter[Any]:
        """Return what was found: events, or alerts by group and time."""
        (query,) = self.item.queries
        if query.alert is None:
            return Counter(result.events)
        names = (*query.alert.group, query.alert.last)
        return Counter(tuple(str(row[name]) for name in names) for row in result.rows)


@cache
def cases(source: str, target: str) -> tuple[Case, ...]:
    """Return each test of a shipped rule that raises an alert in this cell."""
    found = []
    with here():
        loaded = loading.load([Path("sigma")])
        written = [test_files.load(file) for file in test_files.files(Path("tests/rules"))]
        for rule in emitted_rules(loaded):
            tests = [file for file in written if file.id == rule.id]
            try:
                conversion = convert(loaded, rule, cells.cell(source, target))
            except Refusal:
                continue
            item = item_of(loaded, conversion)
            for test in (test for file in tests for test in file.tests if test.alerts):
                _, stored = stored_events(test.events, conversion)
                found.append(Case(f"{rule.relative}: {test.name}", conversion, item, tuple(stored)))
    return tuple(found)


def runs(
    case: Case, every: int, back: int, until: int, at: Callable[[datetime], str]
) -> Iterator[tuple[datetime, Result]]:
    """Yield the results of consecutive runs over all of a case's events.

    Args:
        case: events, as stored.
        every: seconds between two runs.
        back: seconds from the earliest event of a run's range to the run.
        until: seconds from the latest event of a run's range to the run.
        at: the query as it is for a run at that time.
    """
    times = [case.time(event) for event in case.stored]
    now = min(times).replace(second=0, microsecond=0)
    while now <= max(times) + timedelta(seconds=2 * every + back):
        start, end = now - timedelta(seconds=back), now - timedelta(seconds=until)
        read = [event for event, time in zip(case.stored, times, strict=True) if start <= time < end]
        if read:
            yield now, case.run(at(now), read)
        # Of the runs after the last event, which should find nothing new, only some.
        later = now > max(times) + timedelta(seconds=3 * every + until)
        now += timedelta(seconds=every * (max(1, back // every // 3) if later else 1))


def kql_at(query: str, now: datetime, ingested: str) -> str:
    """Return a query with `now`, `ago` and `ingestion_time` as a run at that time has them."""
    query = expanded(query)
    for amount, unit in set(re.findall(r"ago\((\d+)([smhd])\)", query)):
        seconds = int(amount) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
        query = query.replace(f"ago({amount}{unit})", _literal(now - timedelta(seconds=seconds)))
    return query.replace("now()", _literal(now)).replace("ingestion_time()", ingested)


def expanded(query: str) -> str:
    """Return a query with the calls of its function of alerts replaced by what the function says.

    The engine knows no functions that return tables; Microsoft's analyser does. Each call has its own `let`s.
    """
    made = re.search(r"^let (\w+) = \((\w+): datetime\) \{\n((?:    .*\n)*?)\};\n", query, re.MULTILINE)
    if made is None:
        return query
    name, argument, inside = made.groups()
    before, rest = query[: made.start()], query[made.end() :]
    inside = re.sub(r"^    ", "", inside, flags=re.MULTILINE)
    own = re.findall(r"^let (\w+) = ?", inside, re.MULTILINE)
    lets = ""
    for number, call in enumerate(re.findall(rf"\b{name}\(((?:[^()]|\([^()]*\))*)\)", rest)):
        text = re.sub(rf"\b{argument}\b", call, inside)
        for one in own:
            text = re.sub(rf"\b{one}\b(?! ?=[^=])|\b(?<=let ){one}\b", f"{one}_{number}", text)
        *statements, last = text.rstrip("\n").split(";\n")
        lets += "".join(f"{statement};\n" for statement in statements)
        lets += f"let {name}_{number} = {last};\n"
        rest = rest.replace(f"{name}({call})", f"{name}_{number}", 1)
    return before + lets + rest


def _literal(time: datetime) -> str:
    return f"datetime({time.astimezone(UTC).replace(tzinfo=None).isoformat()}Z)"
