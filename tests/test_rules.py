"""The shipped rules: valid Sigma, every test holds, and no clause could be left out."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from sigma.collection import SigmaCollection

from converter.errors import SigconvError
from converter.verify.test_files import RuleTestFile, load
from tests.rule_mutations import mutations
from tests.rule_tests import FOLDER, ROOT, RULES, documents, failures, files, outcome, with_references

RULE_FILES = sorted(RULES.rglob("*.yml"))
SCHEMA = json.loads((ROOT / "converter" / "schemas" / "rule-test.schema.json").read_text(encoding="utf-8"))
_DOCUMENTS = [(path, doc) for path in RULE_FILES for doc in documents(path.relative_to(RULES).as_posix())]
_TESTS = [(path, number) for path in files() for number in range(len(load(path).tests))]


def _name(value: Any) -> str:
    return value.relative_to(FOLDER).as_posix() if isinstance(value, Path) else str(value)


@pytest.mark.parametrize(("path", "number"), _TESTS, ids=_name)
def test_alerts(path: Path, number: int) -> None:
    file = load(path)
    test = file.tests[number]
    assert outcome(file, test, documents(file.rule)) == list(test.alerts), test.name


@pytest.mark.parametrize("path", files(), ids=_name)
def test_file_has_the_format(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(raw)
    names = [test["name"] for test in raw["tests"]]
    assert len(names) == len(set(names))
    assert all(test["why"] for test in raw["tests"])
    used = {event["use"] for test in raw["tests"] for event in test["events"]}
    assert used == set(raw["events"])
    assert path.relative_to(FOLDER).as_posix().split(".")[0] == raw["rule"].removesuffix(".yml")
    assert raw["id"] in [doc["id"] for doc in documents(raw["rule"])]


@pytest.mark.parametrize("path", files(), ids=_name)
def test_no_change_of_a_template_is_idle(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    for test in raw["tests"]:
        for event in test["events"]:
            template = raw["events"][event["use"]]
            for key, value in event.get("set", {}).items():
                assert template.get(key) != value, (test["name"], key)
            assert set(event.get("drop", ())) <= set(template), test["name"]


@pytest.mark.parametrize("path", files(), ids=_name)
def test_hits_and_near_misses(path: Path) -> None:
    tests = load(path).tests
    hits = sum(bool(test.alerts) for test in tests)
    base_rule = "." in path.stem
    assert hits >= (4 if base_rule else 6)
    assert len(tests) - hits >= 6


def test_every_rule_file_has_tests() -> None:
    tested = {load(path).rule for path in files()}
    assert tested == {path.relative_to(RULES).as_posix() for path in RULE_FILES}


def _tests_of(rule: str) -> list[RuleTestFile]:
    return [file for file in map(load, files()) if file.rule == rule]


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_every_clause_decides_some_test(path: Path) -> None:
    rule = path.relative_to(RULES).as_posix()
    tests = _tests_of(rule)
    survivors = []
    tried = 0
    for text, changed in mutations(documents(rule)):
        tried += 1
        try:
            if not any(failures(file, changed) for file in tests):
                survivors.append(text)
        except SigconvError as error:
            pytest.fail(f"{text}: the changed rule is not valid: {error}")
    assert tried >= 5
    assert survivors == []


@pytest.mark.parametrize(
    ("path", "doc"), _DOCUMENTS, ids=lambda value: value["title"] if isinstance(value, dict) else ""
)
def test_rule_is_complete(path: Path, doc: dict[str, Any]) -> None:
    assert uuid.UUID(doc["id"]).version == 4
    assert doc["status"] in ("stable", "test", "experimental")
    assert doc["author"] == "sigconv"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(doc["date"]))
    assert doc["description"].strip()
    if "filter" in doc:
        return
    assert doc["falsepositives"]
    assert doc["level"] in ("informational", "low", "medium", "high", "critical")
    first = documents(path.relative_to(RULES).as_posix())[0]
    if doc["id"] == first["id"]:
        assert doc["references"]
        assert doc["fields"]
        assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in doc["tags"])
    else:
        assert re.fullmatch("[a-z_]+", doc["name"])


def test_ids_and_names_are_unique() -> None:
    for key in ("id", "name"):
        values = [doc[key] for _, doc in _DOCUMENTS if key in doc]
        assert len(values) == len(set(values))


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_pysigma_reads_the_file(path: Path) -> None:
    docs = documents(path.relative_to(RULES).as_posix())
    referred = with_references(docs[0]["id"], docs)
    # pySigma 1.5 refuses a range such as "gte: 2, lt: 5": the converter reads conditions itself.
    plain = [_without_range(doc) for doc in [*docs, *(doc for doc in referred if doc not in docs)]]
    collection = SigmaCollection.from_dicts(plain)
    collection.resolve_rule_references()
    assert [rule.errors for rule in collection.rules] == [[] for _ in collection.rules]
    assert [one.errors for one in collection.filters] == [[] for _ in collection.filters]
    assert re.fullmatch(r"[a-z0-9_]{10,70}\.yml", path.name)


def _without_range(doc: dict[str, Any]) -> dict[str, Any]:
    condition = doc.get("correlation", {}).get("condition")
    if not isinstance(condition, dict) or "gte" not in condition:
        return doc
    less = {key: value for key, value in condition.items() if key in ("field", "gte")}
    return {**doc, "correlation": {**doc["correlation"], "condition": less}}


def test_folder_of_rules_holds_only_rules() -> None:
    assert {path.suffix for path in RULES.rglob("*") if path.is_file()} == {".yml"}
