"""Every form of value on every field that a pipeline rewrites, in every cell, executed over ordinary events.

``python -m tests.proof.rewritten_forms [-s SOURCE] [-t TARGET] [-f FIELD] [--every N] [--offset K]``: what
does not agree goes to stdout, counts to stderr; the exit code is 1 if anything does not.

A form is refused, or its query selects just what the reference matcher selects; with a label, what the label
allows. The events hold what Windows ordinarily writes into the field (`ORDINARY`, from the public logs named
there), and neighbours of the rule's own value, as the shapes store them.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from converter.conversion import listing
from converter.conversion.convert import Options, convert
from converter.engines import engine_for
from converter.errors import Refusal, SigconvError
from converter.matcher import compile_detection, is_candidate
from converter.pipelines import cells
from converter.pipelines.cells import Cell
from converter.plan.model import Fidelity
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.witness import defaults
from converter.witness.sysmon_kinds import consistent
from tests.proof.ordinary import ORDINARY, SUBJECTS

SOURCES = ("crowdstrike", "defender", "sysmon")
TARGETS = ("eql", "lucene", "spl", "kql")
_NOT_OF_VALUES = {
    *("require_fields", "set_state", "add_condition", "field_name_mapping", "strict_field_mapping_failure"),
    "null_text",
}
_ALWAYS = (
    defaults.FIXED
    | {"ProcessId", "SourceProcessId", "TargetProcessId", "ParentProcessId"}
    | {"Initiated", "EventType", "TargetObject", "SourceIsIpv6", "DestinationIsIpv6"}
)
"""Fields that no record is without; of renames these are the paths, by which they are known."""
_LISTS = ("Hashes", "QueryResults")
"""Fields whose texts have a grammar, so that no log has a neighbour of one."""


@dataclass(frozen=True, slots=True)
class Case:
    """One form of value on a field."""

    logsource: str
    field: str
    form: str
    detection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case in a cell."""

    case: Case
    cell: str
    status: str
    """exact, broader, narrower, refused, wrong or error."""
    detail: str = ""


def rewritten(where: Cell) -> Iterator[tuple[str, str]]:
    """Yield the log sources and fields of a cell whose values a step of the pipeline rewrites."""
    steps: dict[str, set[str]] = {}
    for item in (where.pipeline or {}).get("transformations", []):
        if item["type"] in _NOT_OF_VALUES:
            continue
        for condition in item.get("rule_conditions", []):
            fields = [one for part in item.get("field_name_conditions", []) for one in part["fields"]]
            steps.setdefault(str(condition.get("category")), set()).update(fields)
    for facts in listing.fields(where):
        # An event's id says which event it is, and not what is in it.
        if facts.field in steps.get(facts.logsource, ()) and facts.field != "EventID":
            yield facts.logsource, facts.field


def forms(subject: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and the modifiers and value of each form of a text."""
    yield "equal", {"": subject}
    yield "equal in another case", {"": subject.swapcase()}
    yield "list", {"": [subject, "qz-none"]}
    yield "cased", {"|cased": subject}
    yield "cased in another case", {"|cased": subject.swapcase()}
    size = len(subject)
    cuts = sorted(
        {*range(1, min(size, 8)), size // 2, *(size - back for back in range(1, 6)), *_edges(subject)}
    )
    cuts = [cut for cut in cuts if 0 < cut < size]
    for cut in cuts:
        yield f"prefix of {cut}", {"|startswith": _plain(subject[:cut])}
        yield f"suffix from {cut}", {"|endswith": _plain(subject[cut:])}
        yield f"part from {cut}", {"|contains": _plain(subject[cut : cut + 9])}
        yield f"part up to {cut}", {"|contains": _plain(subject[max(0, cut - 9) : cut])}
        yield f"star for {cut}", {"": f"{_plain(subject[:cut])}*{_plain(subject[cut + 1 :])}"}
        yield f"star at {cut}", {"": f"{_plain(subject[:cut])}*{_plain(subject[cut:])}"}
        yield f"star for all behind {cut}", {"": f"{_plain(subject[:cut])}*{_plain(subject[-3:])}"}
        yield f"one for {cut}", {"": f"{_plain(subject[:cut])}?{_plain(subject[cut + 1 :])}"}
        yield f"two for {cut}", {"": f"{_plain(subject[: cut - 1])}??{_plain(subject[cut + 1 :])}"}
        yield f"part with one from {cut}", {"|contains": f"?{_plain(subject[cut + 1 : cut + 9])}"}
        yield f"cased suffix from {cut}", {"|endswith|cased": _plain(subject[cut:])}
        yield f"cased prefix of {cut}", {"|startswith|cased": _plain(subject[:cut])}
        yield f"regex from {cut}", {"|re": f"{re.escape(subject[cut:])}$"}
        yield f"regex of part from {cut}", {"|re|i": re.escape(subject[cut : cut + 9])}
    yield "one at the begin", {"": f"?{_plain(subject[1:])}"}
    yield "star at the begin", {"": f"*{_plain(subject[1:])}"}
    yield "several parts", {"|contains|all": [_plain(subject[: size // 2]), _plain(subject[size // 2 :])]}
    yield "regex", {"|re": f"^{re.escape(subject)}$"}
    yield "regex in any case", {"|re|i": f"^{re.escape(subject.swapcase())}$"}
    yield "regex of classes", {"|re": "^" + re.sub(r"[a-z]+", "[a-z]+", re.escape(subject)) + "$"}
    yield "regex with a begin alone", {"|re": f"^{re.escape(subject[: size // 2])}"}
    yield "regex with any begin", {"|re|i": f".*{re.escape(subject[size // 2 :])}"}
    yield "other than", {"|neq": subject}
    yield "other than a part", {"|contains|neq": _plain(subject[size // 2 :])}


def common_forms() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the forms that need no text."""
    yield "null", {"": None}
    yield "empty", {"": ""}
    yield "any", {"": "*"}
    yield "one character at least", {"": "?*"}
    yield "is there", {"|exists": True}
    yield "is not there", {"|exists": False}
    yield "regex of anything", {"|re": ".+"}
    yield "regex of digits", {"|re": "[0-9]{2}"}
    yield "number", {"": 7}
    yield "part of one character", {"|contains": "1"}
    yield "part backslash", {"|contains": "\\\\"}
    yield "two backslashes", {"|contains": "\\\\\\\\"}
    yield "null or a text", {"": [None, "qz-none"]}
    yield "empty or a text", {"": ["", "qz-none"]}


def _plain(text: str) -> str:
    """Return a text in which Sigma sees no wildcard: only backslashes before one need care here."""
    return re.sub(r"(\\+)(?=[*?]|\Z)", lambda found: found[1] * 2, text)


def _edges(subject: str) -> list[int]:
    """Return the places at and behind separators."""
    return [place for found in re.finditer(r"[\\:=,( ]", subject) for place in (found.start(), found.end())]


def cases(logsource: str, field: str) -> Iterator[Case]:
    """Yield every form of every subject of a field, plain and under ``not``."""
    made = [("", *one) for one in common_forms()]
    for subject in SUBJECTS.get(field, ORDINARY.get(field, ["qz"])[:2]):
        made += [(subject, *one) for one in forms(subject)]
    for subject, name, items in made:
        selection = {f"{field}{modifiers}": value for modifiers, value in items.items()}
        for condition in ("s", "not s"):
            about = f"{name} of {subject!r}{' under not' * (condition != 's')}"
            yield Case(logsource, field, about, {"s": selection, "condition": condition})


def _rule(case: Case) -> Rule:
    doc = {
        "title": "t",
        "id": "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0012",
        "logsource": {"product": "windows", "category": case.logsource},
        "detection": dict(case.detection),
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


class Events:
    """The ordinary events of a log source for a field, as a cell's platform stores them."""

    def __init__(self, where: Cell, logsource: str, field: str) -> None:
        """Make the events and store them."""
        raw = list(events(logsource, field))
        shape = shape_for(where.source, where.stem)
        self.seen = [shape.view(event) for event in raw]
        stored = [shape.store(event, number) for number, event in enumerate(shape.history(raw))]
        # Some platforms keep some of what happens in each second event: what is meant is in the first.
        names = {one.index for one in stored} | set(self._tables(where))
        self.session = engine_for(where.target).load(stored, dict.fromkeys(sorted(names), where.columns))

    @staticmethod
    def _tables(where: Cell) -> Iterator[str]:
        for item in (where.pipeline or {}).get("transformations", []):
            if item["type"] == "set_state" and item["key"] in ("table", "index"):
                yield from [item["val"]] if isinstance(item["val"], str) else item["val"]


def events(logsource: str, field: str) -> Iterator[dict[str, Any]]:
    """Yield events with each ordinary value of a field, with neighbours of its subjects, and without it."""
    ids = defaults.event_ids({"product": "windows", "category": logsource})
    category = {"product": "windows", "category": logsource}
    plain = defaults.sysmon_event(ids[0]) if ids else defaults.log_event(category)
    if logsource == "registry_delete":
        plain["EventType"] = "DeleteValue"
    if logsource == "file_rename":
        image = {"Image": "C:\\Acme\\a.exe", "User": "ACME\\alice", "ParentImage": "C:\\Acme\\b.exe"}
        plain |= {"SourceFilename": "C:\\Acme\\old.txt", "TargetFilename": "C:\\Acme\\new.txt", **image}
    values: dict[str, None] = dict.fromkeys(ORDINARY.get(field, ["qz"]))
    for subject in SUBJECTS.get(field, ()) if field not in _LISTS else ():
        # Roots of the registry and the texts for data that is no text are written in one case only.
        head = re.match(r"\\REGISTRY\\A\\|HK[A-Z]+\\(?:SYSTEM\\CurrentControlSet\\)?|", subject)
        begin, rest = subject[: head.end()] if head else "", subject[head.end() if head else 0 :]
        for near in (rest, rest.upper(), rest.lower(), rest[:-1], f"{rest}x", f"x{rest}"):
            if field == "Details" and rest.lower() == near.lower() and rest != near and rest[:1] in "DQB(":
                continue
            if (near[1:] != rest and near.startswith("x\\")) or (
                near.lower().endswith("(default)") and near != rest
            ):
                continue
            if not ids or defaults.storable(field, begin + near):
                values[begin + near] = None
    made: list[dict[str, Any]] = [{**plain, field: value} for value in values]
    if field not in _ALWAYS and logsource != "file_rename":
        made.append({name: value for name, value in plain.items() if name != field})
    if field in ("SourceIp", "DestinationIp", "SourcePort", "DestinationPort"):
        made += [{**event, "Initiated": "false"} for event in made]
    if field in ("SourceIsIpv6", "DestinationIsIpv6"):
        six = {
            "SourceIp": "fe80::1",
            "DestinationIp": "fe80::2",
            "SourceIsIpv6": "true",
            "DestinationIsIpv6": "true",
        }
        made = [{**event, **six} if event[field] == "true" else event for event in made]
    made = [consistent(event, {field}) if ids else event for event in made]
    for number, event in enumerate(made):
        yield {**event, **defaults.stamp(1000 * number, sysmon=bool(ids))}


@cache
def _events(where_name: tuple[str, str], logsource: str, field: str) -> Events:
    return Events(cells.cell(*where_name), logsource, field)


def outcome(where: Cell, case: Case) -> Outcome:
    """Convert a case, run its query over the ordinary events, and compare with the matcher."""
    rule = _rule(case)
    name = f"{where.source}/{where.target}"
    try:
        conversion = convert(RuleSet([rule]), rule, where, Options("any"))
    except Refusal as refusal:
        return Outcome(case, name, "refused", str(refusal.message))
    except SigconvError as error:
        return Outcome(case, name, "error", str(error))
    held = _events((where.source, where.target), case.logsource, case.field)
    matches = compile_detection(rule.doc["detection"], empty_is_missing=where.target == "kql")
    candidate = is_candidate(rule.doc["logsource"])
    wanted = {number for number, event in enumerate(held.seen) if candidate(event) and matches(event)}
    text = conversion.queries[0].text
    try:
        got = {number for query in conversion.queries for number in held.session.run(query.text).events}
    except SigconvError as error:
        return Outcome(case, name, "error", f"{error}\n{text}")
    kinds = {reason.fidelity for reason in conversion.reasons}
    missed, extra = wanted - got, got - wanted
    allowed = (not missed or Fidelity.NARROWER in kinds) and (not extra or Fidelity.BROADER in kinds)
    status = str(conversion.fidelity) if allowed else "wrong"
    shown = [held.seen[number].get(case.field) for number in sorted(missed)[:3]]
    more = [held.seen[number].get(case.field) for number in sorted(extra)[:3]]
    body = " ".join(line for query in conversion.queries for line in query.body.splitlines())
    shortened = [str(one)[:60] for one in shown], [str(one)[:60] for one in more]
    detail = f"missed {len(missed)} {shortened[0]} | extra {len(extra)} {shortened[1]} | {body[:500]}"
    return Outcome(case, name, status, detail)


def sample(where: Cell, seed: int, size: int) -> list[Case]:
    """Return a fixed sample of a cell's cases: the fields in turn, each of one of its log sources."""
    chosen = Random(f"{seed} {where.source} {where.target}")
    places: dict[str, list[str]] = {}
    for logsource, field in rewritten(where):
        places.setdefault(field, []).append(logsource)
    found: list[Case] = []
    for field, logsources in sorted(places.items()):
        made = list(cases(chosen.choice(logsources), field))
        # A field with many subjects has many forms, and needs more of them.
        found += chosen.sample(made, min(len(made), max(2, size * len(made) // 20_000)))
    return found


def outcomes(where: Cell, every: int = 1, offset: int = 0, only: str = "") -> Iterator[Outcome]:
    """Yield what becomes of each case, or of each Nth, of a cell."""
    number = 0
    for logsource, field in rewritten(where):
        if only and field != only:
            continue
        for case in cases(logsource, field):
            number += 1
            if (number + offset) % every == 0:
                yield outcome(where, case)


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.proof.rewritten_forms", description=__doc__)
    parser.add_argument("-s", "--source", action="append", choices=SOURCES)
    parser.add_argument("-t", "--target", action="append", choices=TARGETS)
    parser.add_argument("-f", "--field", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    given = parser.parse_args(arguments)
    counts: Counter[tuple[str, str, str]] = Counter()
    wrong = 0
    for source in given.source or SOURCES:
        for target in given.target or TARGETS:
            for one in outcomes(cells.cell(source, target), given.every, given.offset, given.field):
                counts[one.cell, one.case.field, one.status] += 1
                if one.status in ("wrong", "error"):
                    wrong += 1
                    what = (one.cell, one.case.logsource, one.case.field, one.case.form, one.status)
                    print(*what, one.detail, sep=" | ", flush=True)
    for key, count in sorted(counts.items()):
        print(*key, count, file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
