"""`sigconv match`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import FORMAT, PATHS, PLACEHOLDERS
from converter.errors import EventsError, ExitCode

if TYPE_CHECKING:
    from converter.matcher import Alert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _lateness(context: click.Context, parameter: click.Parameter, text: str) -> int | None:
    """Return the milliseconds of ``10m``; None for ``all``."""
    from converter.rules.correlation_section import timespan_ms

    if text == "all":
        return None
    try:
        return 0 if text == "0s" else timespan_ms(text)
    except ValueError as problem:
        raise click.BadParameter(f"{problem}; or all", context, parameter) from None


@click.command()
@PATHS
@click.option(
    "--events",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="JSON lines, JSON array, .gz, EVTX, or - for standard input; repeatable.",
)
@click.option(
    "--lateness",
    "lateness_ms",
    default="10m",
    show_default=True,
    metavar="TIME",
    callback=_lateness,
    help="How far behind the newest an event may come and still be put in order for correlations: 30s, 10m, "
    "1h, 2d, or all (holds what correlations look at until the end).",
)
@PLACEHOLDERS
@FORMAT
def match(
    paths: tuple[Path, ...],
    files: tuple[str, ...],
    lateness_ms: int | None,
    placeholders: Path | None,
    form: str,
) -> None:
    """Run rules over logged events with the reference matcher: what fires, when, on which events.

    \b
    Examples:
      sigconv match --events Sysmon.evtx
      zcat log.jsonl.gz | sigconv match sigma/windows --events - --format json
      sigconv match --events host1.evtx --events host2.evtx --lateness all

    Events are read one by one; correlations hold what their windows and --lateness need.

    With --format json one object a line: rule, title, time, group, events (0-based positions).

    \b
    Exit codes:
      0  the events were read, whether or not a rule fired
      1  a rule is broken, or events cannot be read
      2  a wrong option, path or configuration
      3  a defect of sigconv
    """
    from converter.cli.options import load_rules, placeholder_values
    from converter.events import flatten, read_events
    from converter.matcher import Matcher
    from converter.rules.emitted import emitted_rules

    _, rules = load_rules(paths)
    for error in rules.errors:
        click.echo(str(error), err=True)
    values = placeholder_values(placeholders)
    docs = [rule.doc for rule in [*rules.library, *rules.rules]]
    matcher = Matcher(docs, placeholders=values, lateness_ms=lateness_ms)
    shown = {rule.id or rule.name: rule for rule in emitted_rules(rules)}
    count = alerts = 0
    sizes = [Path(file).stat().st_size for file in files if file != "-" and Path(file).is_file()]
    bad: list[EventsError] = []

    def leave_out(error: EventsError) -> None:
        bad.append(error)
        click.echo(str(error), err=True)

    hidden = not sys.stderr.isatty()
    bar: Any = click.progressbar(length=sum(sizes), label="reading", file=sys.stderr, hidden=hidden)
    with bar:
        for file in files:
            for raw in read_events(file, progress=_advance(bar, bar.pos), on_error=leave_out):
                for alert in matcher.feed(count, flatten(raw)):
                    alerts += _show(alert, shown, form)
                count += 1
    for alert in matcher.finish():
        alerts += _show(alert, shown, form)
    click.echo(f"{count} events, {alerts} alerts", err=True)
    if matcher.late:
        text = f"{matcher.late} times an event came too late for a correlation and was left out of it"
        click.echo(f"{text}: raise --lateness", err=True)
    if rules.errors or bad:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _advance(bar: Any, start: int) -> Callable[[int], None]:
    """Return what the reader calls with the bytes of a file that it has read."""
    return lambda read: bar.update(start + read - bar.pos)


def _show(alert: Alert, shown: dict[str, Any], form: str) -> int:
    """Print an alert, unless its rule only serves a correlation; return how many were printed."""
    rule = shown.get(alert.rule)
    if rule is None:
        return 0
    time = None
    if alert.time_ms is not None:
        moment = _EPOCH + timedelta(milliseconds=alert.time_ms)
        time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    keys = (rule.doc.get("correlation") or {}).get("group-by") or []
    keys = [keys] if isinstance(keys, str) else keys
    group = dict(zip(keys, alert.group, strict=False))
    if form == "json":
        found = {
            "rule": alert.rule,
            "title": alert.title,
            "time": time,
            "group": group,
            "events": list(alert.events),
        }
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        where = "".join(f"  {key}={value}" for key, value in group.items())
        events = ",".join(str(position) for position in alert.events)
        click.echo(f"{time or 'no time'}  {alert.title}{where}  events {events}")
    return 1
