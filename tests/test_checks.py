"""What `check` says of a rule: the table of tests/checks_table.py, and what is about many rules at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.validators.core import logsources

from converter.lint import events, schema
from converter.lint.catalogue import CATALOGUE
from converter.lint.run import check
from converter.matcher.logsource import SYSMON_EVENT_IDS
from converter.rules.rule import Rule
from tests.checks_table import CORRELATION, FILTER, GOOD, HEAD, HUNTING_DRAFT, TABLE
from tests.support import ROOT, shared


def lines(path: Path) -> list[str]:
    """Return what is printed, without the file's name, and with the hint of the catalogue."""
    found = check([path]).findings
    for one in found:
        one.hint = one.hint or CATALOGUE[one.code].fix
        assert one.file == path.as_posix()
    return [str(one).removeprefix(path.as_posix()) for one in found]


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str, tmp_path: Path) -> None:
    text, expected = TABLE[name]
    file = tmp_path / "rule.yml"
    file.write_text(text)
    found = lines(file)
    assert [one[: len(want)] for one, want in zip(found, expected, strict=False)] == expected
    assert len(found) == len(expected), found


def test_every_code_is_in_the_table() -> None:
    """SC101 and SC106 to SC109 are about files (tests/cli/test_check.py), SC112 is in other tests."""
    shown = " ".join(want for _, expected in TABLE.values() for want in expected)
    elsewhere = {"SC101", "SC106", "SC107", "SC108", "SC109", "SC112", "SC900"}
    assert {code for code in CATALOGUE if code in shown} == set(CATALOGUE) - elsewhere


def test_the_hunting_reports_draft(tmp_path: Path) -> None:
    """Its condition is lost, and events 10 and 13 are no process creation; both are said at once."""
    file = tmp_path / "draft.yml"
    file.write_text(HUNTING_DRAFT)
    assert [one[: one.index("(")].strip() for one in lines(file)] == [
        ":8:9: SC122 event id 10 is Sysmon's process_access, not process_creation",
        ":12:9: SC122 event id 13 is Sysmon's registry_set, not process_creation",
        ":14:1: SC104 'condition' is outside 'detection'",
    ]


def test_event_ids_agree_with_pysigma() -> None:
    """Its table has a defect: 12, 13 and 14 are listed twice, so that only the last category is left.

    Its name for event 24 is not in the specification's taxonomy.
    """
    other_names = {"clipboard_change": "clipboard_capture"}
    mapping = logsources.specific_to_generic_logsource_mapping
    for source, ids in mapping.items():
        table = SYSMON_EVENT_IDS if source.service == "sysmon" else {}
        for number, category in ids.items():
            allowed = {
                *table.get(other_names.get(category, category), ()),
                *events.OTHERS.get(category, {}).get("Security", ()),
            }
            assert number in allowed, (source, number, category)
    everything = {number for numbers in SYSMON_EVENT_IDS.values() for number in numbers}
    assert everything == {*range(1, 30), 255}


def test_the_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    for kind in ("rule", "correlation", "filter"):
        Draft202012Validator.check_schema(schema._of_kind(kind))
        assert "title" in schema.known_keys(kind)


def test_every_code_is_documented() -> None:
    errors = (ROOT / "docs" / "errors.md").read_text()
    checks = (ROOT / "docs" / "checks.md").read_text()
    for code, entry in CATALOGUE.items():
        assert f"| {code} | {entry.meaning} |" in errors or code == "SC900"
        if code[:4] in ("SC12", "SC13"):
            assert f"### {code}" in checks


def test_examples_of_the_docs_give_their_codes(tmp_path: Path) -> None:
    """Each section of docs/checks.md holds what is wrong; put into a rule, that is what is found."""
    text = (ROOT / "docs" / "checks.md").read_text()
    sections = text.split("### SC")[1:]
    assert len(sections) == sum(code[:4] in ("SC12", "SC13") for code in CATALOGUE)
    for number, section in enumerate(sections):
        example = section.split("```yaml\n")[1].split("```")[0]
        file = tmp_path / f"{number}.yml"
        file.write_text(example)
        codes = {one.code for one in check([file]).findings}
        assert codes == {"SC" + section[:3]}, section


def test_references_reach_rules_that_were_not_passed(tmp_path: Path) -> None:
    """As pre-commit calls it: with the changed files only, in a folder whose name says that it holds all."""
    folder = tmp_path / "rules"
    (folder / "deep").mkdir(parents=True)
    (folder / "base.yml").write_text(GOOD)
    changed = folder / "deep" / "correlation.yml"
    changed.write_text(CORRELATION)
    assert lines(changed) == []
    changed.write_text(GOOD.replace("selection", "other"))
    again = lines(changed)
    assert [one.split(" (")[0] for one in again] == [
        f":2:1: SC110 id '11111111-1111-4111-8111-111111111111' is also the one of a rule in "
        f"{(folder / 'base.yml').as_posix()}",
    ]


def test_titles_are_compared_with_rules_that_were_not_passed(tmp_path: Path) -> None:
    """Below a folder that is given as the rules root, whatever its name."""
    folder = tmp_path / "detections"
    (folder / "deep").mkdir(parents=True)
    (folder / "base.yml").write_text(GOOD)
    changed = folder / "deep" / "changed.yml"
    changed.write_text(GOOD.replace("id: 1", "id: 3"))
    assert check([changed]).findings == []
    assert [one.code for one in check([changed], folder).findings] == ["SC131"]


def test_a_broken_file_elsewhere_is_not_reported(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "broken.yml").write_text("a: [")
    (folder / "good.yml").write_text(GOOD)
    assert lines(folder / "good.yml") == []


def test_many_findings_in_a_large_rule(tmp_path: Path) -> None:
    """Each has its line; the time is that of the findings, not their number times the file's."""
    file = tmp_path / "large.yml"
    values = "".join(f"            - '{number}'\n" for number in range(2_000))
    file.write_text(HEAD + "    selection:\n        ProcessId:\n" + values + "    condition: selection\n")
    found = check([file]).findings
    assert [one.line for one in found] == list(range(7, 2_007))


WRONG = [None, True, 0, 1.5, float("inf"), "", "*", [], {}, [None], [[1]], {1: 2}, {"a|all|x": [1]}, "\x07"]


def _paths(part: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from _paths(value, *path, key)


@pytest.mark.parametrize(
    "text", [GOOD, CORRELATION, FILTER + "    rules: any\n    a: {A: b}\n    condition: a\n"]
)
def test_any_wrong_value_anywhere_is_a_finding_with_a_place(text: str, tmp_path: Path) -> None:
    """Each value of a rule is put in the place of each of these, or its key left out."""
    count = 0
    for path in _paths(yaml.safe_load(text)):
        for wrong in [*WRONG, "left out"]:
            doc = yaml.safe_load(text)
            above = doc
            for step in path[:-1]:
                above = above[step]
            if wrong == "left out":
                del above[path[-1]]
            else:
                above[path[-1]] = copy.deepcopy(wrong)
            (tmp_path / f"{count}.yml").write_text(yaml.safe_dump(doc, sort_keys=False))
            count += 1
    report = check([tmp_path])
    assert report.files == count > 100
    assert [one for one in report.findings if one.code == "SC900" or one.line is None] == []


def test_the_shipped_rules_are_clean() -> None:
    report = check([ROOT / "sigma"], ROOT / "sigma")
    assert report.findings == []
    assert report.rules > 5


def test_timeframe_is_no_selection() -> None:
    """pySigma takes it for a keyword, which `1 of them` would then search for."""
    doc = {
        "title": "t",
        "logsource": {"category": "c"},
        "detection": {"a": {"A": "b"}, "timeframe": "5m", "condition": "1 of them"},
    }
    assert list(Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0).sigma().detection.detections) == ["a"]


@pytest.mark.shared
def test_the_public_rules() -> None:
    """Reviewed rules: no error, and each of the few warnings was looked at and is right.

    Three rules quote a number; three name an event id of Sysmon that has a category by now; one asks for a
    command line that is `RunWizard` and holds a GUID, and one for a path that ends with ` -c`.
    """
    report = check([shared("sigmahq")])
    assert report.rules == 1908
    counts: dict[str, int] = {}
    for one in report.findings:
        counts[one.code] = counts.get(one.code, 0) + 1
    assert counts == {"SC127": 2, "SC132": 3, "SC134": 3}
