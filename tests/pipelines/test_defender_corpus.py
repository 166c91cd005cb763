"""The public Windows rules through Defender's cells: valid queries only, on columns that each table has.

The facts beside the project say how many rules of a category the cells can reach.
"""

import json
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
import yaml

from converter.conversion.convert import Options, convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from tests.pipelines.defender_samples import TARGETS
from tests.support import shared

LISTS = yaml.safe_load((Path(__file__).parent / "defender_tables.yml").read_text())
# Shares that are below those of the facts, each with its reason.
REASONS = {
    ("image_load", "kql"): "signatures need a join with the table of certificates, which is not made",
    ("ps_script", "kql"): "regexes and whole texts cannot be looked for in JSON that may be cut",
    ("ps_script", "spl"): "regexes and whole texts cannot be looked for in JSON that may be cut",
    ("pipe_created", "spl"): "regexes cannot be looked for in JSON",
    ("dns_query", "eql"): "queries that Defender sees on the network in part: no rule says which",
    ("dns_query", "lucene"): "queries that Defender sees on the network in part: no rule says which",
    ("wmi_event", "spl"): "one of two rules asks for EventID, which has no equivalent",
    ("wmi_event", "kql"): "one of two rules asks for EventID, which has no equivalent",
    ("registry_event", "kql"): "one of 17 rules asks for EventID, which has no equivalent",
    ("registry_event", "spl"): "one of 17 rules asks for EventID, which has no equivalent",
    ("registry_event", "eql"): "one of 17 rules asks for EventID, which has no equivalent",
    ("registry_event", "lucene"): "one of 17 rules asks for EventID, which has no equivalent",
}
# The facts are of all public rules, the rules here are half of them: a rule more or less of a small number.
SAMPLING = 0.1


def tables():
    """Return the columns of each table with the types of the cell's list."""
    types = cell("defender", "kql").columns
    names = {table: LISTS["all"].split() + text.split() for table, text in LISTS.items() if table != "all"}
    return {table: {name: types[name] for name in columns} for table, columns in names.items()}


@pytest.fixture(scope="module", params=TARGETS)
def converted(request):
    loaded = loading.load([shared("sigmahq/rules/windows")])
    where = cell("defender", request.param)
    made, refused = {}, {}
    for rule in emitted_rules(loaded):
        category = (rule.doc.get("logsource") or {}).get("category")
        if not category:
            continue
        try:
            made.setdefault(category, []).append(convert(loaded, rule, where, Options("any")))
        except Refusal as refusal:
            refused.setdefault(category, []).append(refusal)
    return request.param, made, refused


@pytest.mark.shared
def test_every_query_is_valid_on_the_tables_columns(converted):
    target, made, _ = converted
    engine = engine_for(target)
    real = tables()
    everything = list(chain.from_iterable(made.values()))
    assert len(everything) > 800
    for conversion in everything:
        state = conversion.plan.state
        known = (
            real if target == "kql" else dict.fromkeys(state.get("index", ["any"]), conversion.plan.columns)
        )
        for query in conversion.queries:
            engine.validate(query.text, known)


@pytest.mark.shared
def test_as_many_rules_as_the_facts_say_can_be_reached(converted):
    target, made, refused = converted
    facts = json.loads(shared("facts/coverage.json").read_text())
    below = []
    for category in sorted({*made, *refused}):
        fact = facts.get(f"{category}|defender|{target}")
        if fact is None or (category, target) in REASONS:
            continue
        reached, missed = len(made.get(category, ())), len(refused.get(category, ()))
        share, wanted = reached / (reached + missed), fact["exact_or_lossy"] / fact["n"]
        if share < wanted - SAMPLING:
            below.append((category, share, wanted))
    assert below == []


@pytest.mark.shared
def test_every_refusal_names_a_field_or_a_value(converted):
    _, _, refused = converted
    codes = Counter(refusal.code for found in refused.values() for refusal in found)
    # SC207: a category that Defender has no events of; SC202: EQL and Lucene have regexes without anchors.
    # SC211: a rule that no event of any source can satisfy.
    assert set(codes) <= {"SC201", "SC202", "SC204", "SC207", "SC211"}
    assert codes["SC202"] <= 2
    for refusal in chain.from_iterable(refused.values()):
        assert len(refusal.message) > 20
