"""The rows of one member as a `let` statement."""

from __future__ import annotations

from dataclasses import replace

from converter.backends.kql.correlation import member_rows as rows
from converter.backends.kql.correlation.scope import Scope, completing
from converter.backends.kql.expression import INDENT
from converter.backends.kql.let_statements import piped
from converter.plan.model import BaseRule, Member


def member_let(
    scope: Scope,
    member: Member,
    intervals: bool,
    *,
    with_fields: bool = True,
    with_check: bool = True,
    event: rows.Numbered | None = None,
) -> str:
    """Add the rows of one member as a `let`, and return its name (see `member_rows.event_rows`)."""
    script, names = scope.script, scope.shape.names
    if isinstance(member.source, BaseRule):
        stages = rows.event_rows(
            member, scope.shape, with_fields=with_fields, with_check=with_check, event=event
        )
        script.needs |= stages.needs
        body = stages.text(INDENT)
        if intervals:
            body += f"\n{INDENT}| extend {names.start} = {names.time}"
        return script.let(member.name, body)
    # The alert's fields are those of its completing event, which is one of the inner correlation.
    shown = tuple(field for field, _ in scope.shape.fields) if with_fields else ()
    inner = replace(member.source, fields=tuple(dict.fromkeys((*member.source.fields, *shown))))
    source, operators, alert = scope.alerts_of(inner)
    columns = [alert.first, alert.last, *alert.group]
    shape = scope.shape if with_fields else replace(scope.shape, fields=())
    row = rows.alert_row(member, shape, member.source, columns, completing(inner).columns)
    return script.let(member.name, piped(source, [*operators, row], INDENT))
