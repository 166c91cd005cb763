"""docs/bounds.md as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converter.pipelines import cells

_HEAD = """\
# What broader queries raise on ordinary days

Written by `python -m tests.proof.bounds`; do not edit. It needs the folder `../shared` with the public rules
and logs.

A query labelled `broader` returns more than its rule means, and its label says in which way: the *form*, by
the names of its [relaxations](semantics.md#relaxations). The reference matcher was asked twice for every
public and shipped rule that a cell labels `broader`: what the rule means, and what the relaxed rule means, of
each of the {events:,} Windows events of the public logs in `../shared/corpus`. That the query selects just
what the relaxed rule means is what `verify` proves.

**The bound.** A form has none for a rule if it raises more than 20 times the alerts that the rule means (or
more than 20, where the rule means none), or if the rule is of level high or critical and the form raises an
alert on the benign logs that the rule does not mean. Such a form is not given by default: SC208 refuses it,
and `--fidelity any` gives it.

**The benign logs** are those that the corpus's manifest calls background: the recordings
`cmd_wevtutil_modify_security_eventlog_path` and `metasploit_logonpasswords_lsass_memory_dump`, {benign:,} of
the events, of one workstation each. No public log is free of an attack; in these two it is a small part of
what Windows and its programs wrote beside it. What the attack leaves counts in neither direction: only an
alert that the rule does not mean is too many. The other recordings are an attack and the minutes around it,
so they count for the ratio alone.

## Decisions

A reason of a label carries the decision (`Reason.unbounded` in `converter/plan/model.py`), by form and never
by the rule's name:

- **Inner correlations not checked** (threshold rules of Elastic): refused for all rules. Of "a file that was
  created runs" any created file and any program are left; three hosts on which `explorer.exe` starts would be
  remote PsExec. The benign logs are of one host each, so the count below cannot show it, and the decision
  does not rest on it.
- **Words that may be apart** (analysed text in Lucene): an index of single words cannot say that two words
  touch if each of them may be a part of a longer one: `Get-System` becomes a word that ends in `get` and one
  that begins with `system`, and an ordinary script has both: 57 of the scripts in the public logs, where the
  rule means none. Refused for rules that demand nothing else in one of their alternatives
  (`converter/backends/lucene/bound.py`). A value with a whole word in it, a phrase, or another demand beside
  it bounds the query.
- **All other forms** stay the default: folders, volumes, account names, long values, former registry data,
  schedules. The table shows what they raise.

## Forms

`Fire`: rules of which the form raises any alert. `Too many`: alerts on the benign logs that the rules do not
mean.

"""
_NONE = """\
## The source `none`

A query of the source `none` looks at fields and not at the log source, so it is `broader`, and its header
says which log source was not looked at. The bound does not apply: what the query searches is the index, table
or macro that its user names, and sigconv does not know what is in there. Refusing it would refuse nearly
every rule of a source that exists so that the user says where the events are. To remove the label, write
`[source.none] logsource = "checked elsewhere"` into the [configuration](pipelines.md#configuration).

"""
_ALL = """\
What the form raises if all logs of the corpus are searched at once (each tenth kind of event), by every rule
and not by those for Windows alone:

"""


def render(numbers: Mapping[str, Any]) -> str:
    """Return the page of what was measured."""
    rows = numbers["forms"]
    none = [one for one in rows if one["cell"].startswith(cells.NONE)]
    parts = [_HEAD.format(events=numbers["events"], benign=numbers["benign"])]
    parts += [*_table([one for one in rows if one not in none]), "", *_beyond(rows), _NONE]
    beyond = sum(len(one["beyond"]) for one in none)
    parts += [_ALL, *_table(none), f"\nOf {beyond} rules that is beyond the bound."] if none else []
    return "\n".join(parts).replace("\n\n\n", "\n\n") + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| Cell | Form | Rules | Fire | Meant | Raised | Too many | By default |"
    yield "|---|---|--:|--:|--:|--:|--:|---|"
    for one in rows:
        shown = [one[key] for key in ("rules", "firing", "meant", "raised", "benign")]
        given = "given" if one["default"] else "refused"
        yield f"| {one['cell']} | {one['form']} | {' | '.join(map(str, shown))} | {given} |"


def _beyond(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "Rules for which a form has no bound:\n"
    for one in rows:
        if not one["cell"].startswith(cells.NONE):
            given = "given" if one["default"] else "refused"
            yield from (
                f"- {rule} in {one['cell']}: {one['form']}, {given} by default" for rule in one["beyond"]
            )
    yield ""
