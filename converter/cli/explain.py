"""`sigconv explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import (
    FORMAT,
    Asked,
    query_options,
)
from converter.errors import ExitCode

if TYPE_CHECKING:
    from converter.conversion.explain import Explanation
    from converter.pipelines.trace import Comparison, Item


@click.command()
@click.argument("rule_file", metavar="RULE", type=click.Path(path_type=Path))
@query_options
@FORMAT
def explain(
    rule_file: Path,
    asked: Asked,
    form: str,
) -> None:
    """Show step by step what a rule's fields and values become, why, and what is lost.

    \b
    Examples:
      sigconv explain rule.yml -s sysmon -t eql
      sigconv explain rule.yml -s defender -t kql --format json

    \b
    Exit codes:
      0  every cell asked for converts the rule
      1  the rule is broken, or a cell refuses it (its steps are shown)
      2  a wrong option, path or configuration
      3  a defect of sigconv
    """
    from converter.conversion.explain import explain as run
    from converter.rules.emitted import emitted_rules

    options = asked.options()
    _, rules, cells = asked.inputs((rule_file,))
    for error in rules.errors:
        click.echo(str(error), err=True)
    found = [run(rules, rule, cell, options) for rule in emitted_rules(rules) for cell in cells]
    if form == "json":
        click.echo(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(text(one)) for one in found))
    if rules.errors or any(one.status == "refused" for one in found):
        raise click.exceptions.Exit(ExitCode.FAILED)


def text(made: Explanation, told: set[str] | None = None) -> list[str]:
    """Return an explanation as lines.

    Args:
        made: what is explained.
        told: the reasons that a reader has seen above; what is said here is added.
    """
    told = set() if told is None else told
    head = f"{made.title} in {made.source}/{made.target}: "
    lines = [head + (f"refused: {made.refusal}" if made.status == "refused" else made.fidelity)]
    lines += [f"  {_label(reason['fidelity'])}: {reason['text']}" for reason in made.reasons]
    if made.condition:
        lines.append(f"  condition: {' or '.join(made.condition)}")
    for item in made.items:
        lines += _item(item, made.status == "refused", told)
    for one in made.filters:
        added = " and ".join(_comparison(part) for part in one.comparisons)
        lines.append(f"  added: {added}" if added else f"  {one.id}: {one.why}")
        if added:
            lines.append(f"    {one.id}: {one.why}")
    lines += [f"  {key}: {_listed(value)}" for key, value in made.state.items()]
    for name, columns in made.fields.items():
        lines.append(f"  shown: {name} -> {', '.join(columns)}")
    if made.correlation:
        part = made.correlation
        lines.append(f"  {part.type}, within {part.timespan_seconds:g} s, condition: {part.condition}")
        for member in part.members:
            lines.append(f"  rule {member.name}")
            for name, columns in member.keys.items():
                alias = "" if member.fields[name] == name else f" ({member.fields[name]})"
                lines.append(f"    key {name}{alias} -> {', '.join(columns)}")
            lines += [f"    value {name} -> {', '.join(columns)}" for name, columns in member.values.items()]
            inner = member.explanation
            shown = text(_without_query(inner), told)
            lines += [f"    {line}" for line in shown]
    for query in made.queries:
        title = f"query {query.name}:" if query.name else "query:"
        lines += [f"  {title}", *(f"    {line}" for line in query.text.rstrip("\n").splitlines())]
    return lines


def _without_query(made: Explanation) -> Explanation:
    """A member's own query is not run: the correlation's is."""
    made.queries = []
    return made


def _item(item: Item, refused: bool, told: set[str]) -> list[str]:
    """Return a comparison as lines: of one that a cell refuses, how far it came."""
    lines = [f"  {item.selection}: {_comparison(item.rule)}"]
    for step in item.steps:
        mark = "" if step.fidelity == "exact" else f" [{step.fidelity}: {step.loss}]"
        lines.append(f"    {step.id or step.type} ({step.type}): {step.expression}{mark}")
        why = f"{step.why} ({step.origin})"
        if why not in told:  # One comment is often the reason of most steps.
            lines.append(f"      why: {why}")
            told.add(why)
    types = ", ".join(f"{name} is {kind}" for name, kind in item.types.items())
    became = f"    -> {item.expression}" + (f"  ({types})" if types else "")
    if not refused:
        lines.append(f"{became}, {item.fidelity}")
    elif item.steps:
        lines.append(became)
    return lines


def _comparison(part: Comparison) -> str:
    shown = part.values if len(part.values) <= 12 else (*part.values[:12], f"... {len(part.values)} values")
    values = " | ".join(shown)
    return f"{part.field} = {values}" if part.field else f"keyword {values}"


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _label(name: str) -> str:
    return "note" if name == "exact" else name
