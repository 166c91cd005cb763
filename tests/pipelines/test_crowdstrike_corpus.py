"""The public Windows rules through CrowdStrike's cells, and public FDR lines through their queries."""

import gzip
import json
from collections import Counter
from functools import cache
from itertools import chain

import pytest

from converter.backends import backend_for
from converter.conversion.convert import Options, convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import Matcher
from converter.pipelines.cells import cell
from converter.plan.model import Fidelity
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.shapes.crowdstrike import elastic, sentinel, splunk
from tests.pipelines.crowdstrike_samples import TARGETS
from tests.support import shared

# Shares below those of the facts, each with its reason.
REASONS = {
    ("ps_script", "lucene"): "analysed text: a regular expression, and a text without words, cannot be found",
    ("file_rename", "*"): "one of two rules here asks for the process, which FDR does not name",
    ("registry_delete", "*"): "two of five rules here ask for the process, which FDR does not name",
    ("image_load", "*"): "11 of 62 rules here ask for fields that the facts have none for either",
}
# The facts are of all public rules, the rules here are half of them: two rules of a hundred more or less.
SAMPLING = 0.02
FIELDS_WITHOUT_FACTS = ("is not part of FDR's", "no events of logsource", "has no equivalent")
TRUE_LIMITS = (
    "only the name of the file is stored",
    "stored are MD5, SHA256",
    "a number is stored in decimal",
    "numbers above 2147483647 are not kept",
    "no well-known account",
    "the path begins with a volume and not with a drive",
    "keywords cannot be looked for",
    "no path begins with a colon",
)


@cache
def corpus():
    return loading.load([shared("sigmahq/rules/windows")])


@cache
def converted(target):
    """Return conversions and refusals by category."""
    made, refused = {}, {}
    for rule in emitted_rules(corpus()):
        category = (rule.doc.get("logsource") or {}).get("category")
        if not category:
            continue
        try:
            conversion = convert(corpus(), rule, cell("crowdstrike", target), Options("any"))
            made.setdefault(category, []).append(conversion)
        except Refusal as refusal:
            refused.setdefault(category, []).append(refusal)
    return made, refused


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_every_query_is_valid_on_the_columns(target):
    engine = engine_for(target)
    everything = list(chain.from_iterable(converted(target)[0].values()))
    assert len(everything) > 600
    # The other rules' queries are parsed when `verify` runs them (`make proof`).
    for conversion in everything[:: {"kql": 8, "lucene": 16, "eql": 4}.get(target, 1)]:
        state = conversion.plan.state
        names = state.get("table") or state.get("index") or "any"
        tables = dict.fromkeys([names] if isinstance(names, str) else names, conversion.plan.columns)
        for query in conversion.queries:
            engine.validate(query.text, tables)


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_as_many_rules_as_the_facts_say_can_be_reached(target):
    made, refused = converted(target)
    facts = json.loads(shared("facts/coverage.json").read_text())
    below = []
    for category in sorted({*made, *refused}):
        fact = facts.get(f"{category}|crowdstrike|{target}")
        if fact is None or (category, target) in REASONS or (category, "*") in REASONS:
            continue
        reached, missed = len(made.get(category, ())), len(refused.get(category, ()))
        share, wanted = reached / (reached + missed), fact["exact_or_lossy"] / fact["n"]
        if share < wanted - SAMPLING:
            below.append((category, share, wanted))
    assert below == []


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_every_refusal_is_for_a_field_that_is_not_there_or_a_true_limit(target):
    refusals = [one for found in converted(target)[1].values() for one in found]
    assert {one.code for one in refusals} <= {"SC201", "SC202", "SC203", "SC204", "SC207", "SC211"}
    other = Counter(
        one.message
        for one in refusals
        if one.code in ("SC201", "SC204")
        and not any(text in one.message for text in (*FIELDS_WITHOUT_FACTS, *TRUE_LIMITS))
        and "match_only_text" not in one.message
    )
    assert other == {}


def _starts():
    """Return public FDR events of process starts on Windows."""
    with gzip.open(shared("corpus/panther_crowdstrike_fdr.jsonl.gz"), "rt") as file:
        raw = [json.loads(line)["raw"] for line in file]
    events = [one.get("event", one) for one in raw]
    return [
        {**one, "timestamp": "1682368414719"}
        for one in events
        if one.get("event_simpleName") == "ProcessRollup2"
        and one.get("event_platform") == "Win"
        and "ImageFileName" in one
    ]


def _as_sysmon(number, event):
    """Return what Sysmon would have recorded of it: no more than FDR has kept."""
    volume, _, rest = event["ImageFileName"].removeprefix("\\Device\\HarddiskVolume").partition("\\")
    assert volume.isdigit()
    found = {
        "EventID": 1,
        "EventRecordID": number,
        "Image": f"{chr(ord('A') + int(volume) - 1)}:\\{rest}",
        "ParentImage": "\\" + event.get("ParentBaseFileName", ""),
        "CommandLine": event.get("CommandLine"),
        "OriginalFileName": event.get("OriginalFilename"),
        "Hashes": f"MD5={event.get('MD5HashData')},SHA256={event.get('SHA256HashData')}",
    }
    return {name: value for name, value in found.items() if value is not None}


def _stored(target, number, event):
    if target in ("eql", "lucene"):
        return Stored(number, elastic.INDEX, elastic.document(event))
    if target == "kql":
        return Stored(number, *sentinel.row(event))
    return Stored(number, splunk.SOURCETYPE, splunk.fields(event))


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_public_fdr_lines_fire_the_rules_that_they_should(target):
    events = _starts()
    assert len(events) >= 30
    flat = [_as_sysmon(number, event) for number, event in enumerate(events)]
    chosen = converted(target)[0]["process_creation"]
    # Accounts and integrity levels are not compared here: what Sysmon called them is not in the line.
    chosen = [one for one in chosen if not {"User", "IntegrityLevel", "LogonId"} & _fields(one.rule.doc)]
    meant = {}
    for alert in Matcher([one.rule.doc for one in chosen]).run(flat):
        meant.setdefault(alert.rule, set()).add(alert.events[0])
    firing = [one for one in chosen if one.rule.id in meant]
    silent = [one for one in chosen if one.rule.id not in meant][::40]
    assert len(firing) >= 5
    engine = engine_for(target)
    stored = [_stored(target, number, event) for number, event in enumerate(events)]
    session = engine.load(stored, dict.fromkeys({one.index for one in stored}, firing[0].plan.columns))
    for one in (*firing, *silent):
        wanted = meant.get(one.rule.id, set())
        texts = [draft.text for draft in backend_for(target).event(one.plan)]
        found = {event for text in texts for event in session.run(text).events}
        if one.fidelity == Fidelity.EXACT:
            assert found == wanted, one.rule.relative
        elif one.fidelity == Fidelity.BROADER:
            assert found >= wanted, one.rule.relative


def _fields(doc):
    found = set()

    def walk(part):
        if isinstance(part, dict):
            found.update(str(key).split("|")[0] for key in part)
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(doc["detection"])
    return found
