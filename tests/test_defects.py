"""The index of upstream's defects (defects.yml) is whole; and rows that no case or other test shows."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from converter.backends.eql import EqlBackend
from converter.cli import main
from converter.conversion.convert import Options, convert
from converter.engines.eql import EqlEngine
from converter.errors import EngineError, Refusal
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.plan.model import Fidelity
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify
from tests.language_expected import LANGUAGES, expected
from tests.support import ROOT, none_base, shared

INDEX: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "defects.yml").read_text("utf-8"))
EXPECTED = expected()
ROWS = {"C": 11, "E": 21, "L": 19, "S": 17, "K": 28}
LANGUAGE = {"E": "eql", "L": "lucene", "S": "spl", "K": "kql"}
# What issue 3 leaves to others.
ELSEWHERE = {"C8", "C10", "E20", "E21", "L18", "L19", "S17", *(f"K{number}" for number in range(14, 23))}


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_is_there() -> None:
    assert list(INDEX) == [f"{letter}{n + 1}" for letter, rows in ROWS.items() for n in range(rows)]
    assert {row for row, entry in INDEX.items() if "elsewhere" in entry} == ELSEWHERE


@pytest.mark.shared
def test_the_list_has_no_other_rows() -> None:
    text = shared("facts/upstream-defects.md").read_text(encoding="utf-8").partition("\n## 6.")[0]
    assert re.findall(r"^(?:\| )?([CELSK]\d+)(?:\. | \|)", text, re.MULTILINE) == list(INDEX)


@pytest.mark.parametrize("row", INDEX)
def test_what_a_row_names_is_there(row: str) -> None:
    entry = INDEX[row]
    assert entry
    assert set(entry) <= {"cases", "refused", "tests", "elsewhere"}
    languages = [LANGUAGE[row[0]]] if row[0] in LANGUAGE else LANGUAGES
    for case in entry.get("cases", ()):
        # Expected queries are recorded only where the engine bears them out (tests/language_expected.py).
        assert any(EXPECTED[case][language].keys() & {"query", "broader"} for language in languages), case
    for case in entry.get("refused", ()):
        assert all("refused" in EXPECTED[case][language] for language in languages), case
    for node in entry.get("tests", ()):
        path, _, name = node.partition("::")
        assert name.startswith("test_")
        assert name in functions(path), node


HARD = {
    "fieldref": {"F|fieldref": "G"},
    "exists": {"F|exists": True},
    "cased": {"F|cased": "Value"},
    "lookahead": {"F|re": "^a(?!b)"},
    "plain": {"F": "a"},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_language_cannot_say_stops_no_other_rule(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sigma").mkdir()
    for name, selection in HARD.items():
        doc = {"title": name, "logsource": {"category": "x"}, "detection": {"s": selection, "condition": "s"}}
        Path("sigma", f"{name}.yml").write_text(yaml.safe_dump(doc))
    done = CliRunner().invoke(main, ["build", "-s", "none", "-t", language], catch_exceptions=False)
    refused = {"eql": {"fieldref", "lookahead"}, "lucene": {"fieldref", "lookahead"}, "kql": {"lookahead"}}
    wanted = refused.get(language, set())
    assert done.exit_code == (1 if wanted else 0)
    emitted = {path.stem: path for path in Path("output", language).rglob("*") if path.is_file()}
    assert set(emitted) == set(HARD) - wanted
    for name in wanted:
        assert re.search(rf"^sigma/{name}\.yml\S* SC20[12] ", done.output, re.MULTILINE), done.output
    # Which query is of which rule, the manifest says: query strings of Lucene have no comments.
    entries = json.loads(Path("output", "manifest.json").read_text())["entries"]
    assert {entry["file"] for entry in entries} == {f"{name}.yml" for name in HARD}


def test_a_condition_that_vanishes_is_an_error() -> None:
    cell = cells.cell(cells.NONE, "spl")

    class Nothing:
        language, extension = "spl", "spl"

        def event(self, base: object) -> list[object]:
            return []  # As upstream's Splunk backend for two regular expressions.

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converter.conversion.convert.backend_for", lambda *_, **__: Nothing())
        with pytest.raises(Refusal, match="SC209"):
            convert(RuleSet(), rule({"F": "a"}), cell)


def rule(selection: dict[str, Any], **more: Any) -> Rule:
    doc = {
        "title": "t",
        "id": "00000000-0000-4000-8000-000000000001",
        "logsource": {"category": "process_creation", "product": "windows"},
        "detection": {"s": selection, "condition": "s"},
        **more,
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_a_pipeline_leaves_a_backslash_before_a_wildcard(source: str, language: str) -> None:
    selection = {"ParentImage|contains": "\\Run\\", "Image|startswith": "C:\\", "CommandLine|endswith": "\\"}
    chosen = RuleSet([rule(selection)])
    (one,) = verify(chosen, [cells.cell(source, language)], ROOT / "tests" / "rules", Options("broader"))
    wanted = "assumed" if (source, language) == ("defender", "spl") else "exact"  # 5,000 bytes of JSON.
    assert (one.status, one.fidelity) == ("agrees", wanted), one.reason
    assert one.hits


def test_a_field_that_an_index_may_lack_is_optional() -> None:
    made = convert(RuleSet(), rule({"F": "a", "G|re": "b"}), cells.cell(cells.NONE, "eql"))
    assert re.findall(r"(\S*[FG]) (?::|regex)", made.queries[0].text) == ["?F", "?G"]


def test_an_event_category_that_is_known_is_named() -> None:
    made = convert(RuleSet(), rule({"Image": "a"}), cells.cell("sysmon", "eql"))
    assert "\nprocess where" in made.queries[0].text


def test_a_refusal_says_the_same_each_time() -> None:
    cell = cells.cell("defender", "kql")
    messages = set()
    for _ in range(3):
        with pytest.raises(Refusal) as refusal:
            convert(RuleSet(), rule({"NoSuchField": "a"}), cell)
        messages.add(refusal.value.message)
        assert refusal.value.message.count("NoSuchField") == 1
    assert len(messages) == 1


def in_eql(
    selection: Any, columns: dict[str, Column], events: list[dict[str, Any]]
) -> tuple[str, set[Fidelity], list[int]]:
    """Return the query over an index of these columns, what its label loses and what it selects."""
    base = replace(none_base({"s": selection, "condition": "s"}, "eql"), columns=columns)
    (draft,) = EqlBackend().event(base)
    EqlEngine().validate(draft.text, {"Events": columns})
    stored = [Stored(position, "Events", event) for position, event in enumerate(events)]
    found = EqlEngine().load(stored, {"Events": columns}).run(draft.text).events
    return draft.text, {reason.fidelity for reason in draft.reasons}, sorted(found)


def test_e11_keywords_over_the_declared_text_fields() -> None:
    columns = {"name": Column("keyword"), "pid": Column("long"), "rare": Column("wildcard", optional=True)}
    events = [{"name": "a FOO b"}, {"rare": "xbazr"}, {"pid": 4625}, {"name": "fo", "rare": "o"}, {}]
    assert in_eql(["foo", "b*r", 4625], columns, events)[1:] == ({Fidelity.NARROWER}, [0, 1])


def test_e15_a_field_that_no_index_has() -> None:
    columns = {"F": Column("keyword"), "G": Column("keyword", optional=True)}
    events = [{"F": "a"}, {"F": "b"}]
    assert in_eql([{"F": "a"}, {"G": "x"}], columns, events) == ('any where F : "a" or ?G : "x"', set(), [0])
    stored = [Stored(position, "Events", event) for position, event in enumerate(events)]
    session = EqlEngine().load(stored, {"Events": {"F": Column("keyword")}})
    assert session.run('any where F : "a" or ?G : "x"').events == (0,)
    with pytest.raises(EngineError, match="unknown column"):
        session.run('any where F : "a" or G : "x"')


def test_e17_addresses_and_ports_are_no_strings() -> None:
    columns = {"ip": Column("ip"), "port": Column("long")}
    addresses = (
        ("10.1.2.3", 80),
        ("10.1.2.3", 8080),
        ("11.0.0.1", 443),
        ("fe80::1", 443),
        ("192.168.1.9", 443),
    )
    events = [{"port": 80}, *({"ip": ip, "port": port} for ip, port in addresses)]
    selection = {"ip": ["10.*", "192.168.1.9", "fe80:*"], "port": [80, "443"]}
    assert in_eql(selection, columns, events)[2] == [1, 4, 5]
