"""Fields of events that have the name of a column that the search makes for itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from converter.backends.spl.correlation.stages import Stage
from converter.errors import Refusal
from converter.plan.conditions import comparisons
from converter.plan.model import BaseRule

# What the commands of this package assign.
_OWN = re.compile(
    r"time_ms|stage|lane|row|role|step|together|moment|value|held|start_ms|count|left|amount|begin|change|latest|newest"
    r"|number|seen|whole|(first|last)_time|(event|rule|value)_count|value_(sum|avg|percentile|median)"
    r"|(any|before|below|key|mark|seen|start|upto)_\d+|(at|in|last)_\w+",
    re.ASCII,
)
_ASSIGNED = re.compile(r"(?:\beval |, )(\w+)=|\bas (\w+)", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def check(found: Sequence[Stage], text: str) -> None:
    """Refuse a search that overwrites a field of the events which it needs.

    Args:
        found: the correlations.
        text: the whole search.

    Raises:
        Refusal: SC204 for a field that has the name of one of the search's own columns.
    """
    assigned = {one or other for one, other in _ASSIGNED.findall(_QUOTED.sub('""', text))}
    for name in dict.fromkeys(_fields(found)):
        if name in assigned and _OWN.fullmatch(name):
            raise Refusal(
                "SC204",
                f"the field '{name}' has the name of a column that the search makes for itself",
                hint="rename it where it is extracted (FIELDALIAS) and in the pipeline",
            )


def _fields(found: Sequence[Stage]) -> Iterator[str]:
    for stage in found:
        yield from stage.plan.fields
        for member in stage.plan.members:
            if isinstance(member.source, BaseRule):
                yield from (name for names in member.group_by for name in names)
                # The column `value` may be made of a field of its name.
                yield from (name for names in member.values for name in names if name != "value")
                yield from (leaf.field for leaf in comparisons(member.source.condition))
