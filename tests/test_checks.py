"""What `check` says of a rule: one table, each mistake with the lines that are printed for it."""

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
from converter.rule import Rule
from tests.support import ROOT, shared

HEAD = """\
title: Rule
id: 11111111-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
detection:
"""  # Four lines: the detection begins in line 5.
CORRELATION = """\
title: Correlation
id: 22222222-2222-4222-8222-222222222222
correlation:
    type: event_count
    rules: [11111111-1111-4111-8111-111111111111]
    group-by: [User]
    timespan: 5m
    condition: {gte: 5}
"""
FILTER = "title: F\nlogsource: {category: c}\nfilter:\n"
GOOD = HEAD + "    selection: {Image|endswith: '\\a.exe'}\n    condition: selection\n"
SELECTION = "    selection: {Image: a}\n    condition: selection\n"

# What is checked -> the file's text and what is printed after its name; only the beginning of a line counts.
TABLE: dict[str, tuple[str, list[str]]] = {
    "a good rule": (GOOD, []),
    "a good correlation": (CORRELATION + "---\n" + GOOD, []),
    # Fatal: nothing can be converted.
    "condition outside detection": (
        HEAD + "    selection: {Image: a}\ncondition: selection\n",
        [":6:1: SC104 'condition' stands outside 'detection' (indent it as a key of 'detection')"],
    ),
    "unknown modifier": (
        HEAD + "    selection: {Image|endwith: a}\n    condition: selection\n",
        [":5:17: SC102 unknown modifier 'endwith' (did you mean 'endswith'?)"],
    ),
    "undefined selection": (
        HEAD + "    selection: {Image: a}\n    condition: selektion\n",
        [":6:5: SC105 Detection 'selektion' not defined in detections (did you mean 'selection'?)"],
    ),
    "a pattern that no selection has": (
        HEAD + "    selection: {Image: a}\n    condition: selection and not 1 of filter_*\n",
        [":6:5: SC105 no selection matches '1 of filter_*' ("],
    ),
    "them without names beginning with an underscore": (
        HEAD + "    _selection: {Image: a}\n    condition: 1 of them\n",
        [":6:5: SC105 no selection matches '1 of them' ("],
    ),
    "them in the second of two conditions": (
        HEAD + "    selection: {Image: a}\n    condition:\n        - selection\n        - all of x_*\n",
        [":6:5: SC105 no selection matches 'all of x_*' ("],
    ),
    "no logsource": (
        "title: x\nid: 11111111-1111-4111-8111-111111111111\ndetection:\n" + SELECTION,
        [":1:1: SC103 'logsource' needs a category, a product or a service (add it"],
    ),
    "a log source that is text: said once": (
        GOOD.replace("{category: process_creation, product: windows}", "windows"),
        [":3:1: SC103 'logsource' needs a category, a product or a service ("],
    ),
    "a filter's undefined selection": (
        FILTER + "    rules: any\n    a: {A: b}\n    condition: not b\n",
        [":6:5: SC105 Detection 'b' not defined in detections (name selections"],
    ),
    "a filter's unknown modifier": (
        FILTER + "    rules: any\n    a: {A|cotains: b}\n    condition: a\n",
        [":5:9: SC102 unknown modifier 'cotains' (did you mean 'contains'?)"],
    ),
    "a correlation's missing rule": (
        CORRELATION,
        [":5:13: SC111 no rule has the name or id '11111111-1111-4111-8111-111111111111' ("],
    ),
    "two rules of one id": (GOOD + "---\n" + GOOD.replace("title: Rule", "title: Other"), [":9:1: SC110 id"]),
    # SC120: keys.
    "a misspelt key": (
        "stauts: test\n" + GOOD,
        [":1:1: SC120 unknown key 'stauts' (did you mean 'status'?)"],
    ),
    "a key of one's own": ("regression_tests_path: x\nsimulation: []\n" + GOOD, []),
    "a key of the log source at the top": (
        "category: process_creation\n" + GOOD,
        [":1:1: SC120 'category' has no effect here (indent it as a key of 'logsource')"],
    ),
    "condition both inside and outside": (
        GOOD + "condition: selection\n",
        [":7:1: SC120 'condition' has no effect here (indent it as a key of 'detection')"],
    ),
    "a misspelt key of the log source": (
        GOOD.replace("{category", "{catgory: x, category"),
        [":3:13: SC120 unknown key 'catgory' in 'logsource' (did you mean 'category'?)"],
    ),
    "an unknown key of a correlation": (
        CORRELATION + "    window: 5m\n---\n" + GOOD,
        [":9:5: SC120 unknown key 'window' in 'correlation' ('correlation' takes type, rules,"],
    ),
    "the other spelling of group-by": (CORRELATION.replace("group-by", "group_by") + "---\n" + GOOD, []),
    "a correlation's key at the top": (
        CORRELATION + "timespan: 5m\n---\n" + GOOD,
        [":9:1: SC120 'timespan' has no effect here (indent it as a key of 'correlation')"],
    ),
    # SC121: selections.
    "an unused selection": (
        HEAD + "    selection: {Image: a}\n    other: {Image: b}\n    condition: selection\n",
        [":6:5: SC121 no condition refers to the selection 'other' (name it in the condition, or remove it)"],
    ),
    "used by a pattern": (
        HEAD + "    sel_a: {Image: a}\n    sel_b: {Image: b}\n    condition: 1 of sel_*\n",
        [],
    ),
    "used by them, but for names beginning with an underscore": (
        HEAD + "    a: {Image: a}\n    b: {Image: b}\n    _c: {Image: c}\n    condition: 1 of them\n",
        [":7:5: SC121 no condition refers to the selection '_c'"],
    ),
    "a name that begins with an operator": (
        HEAD + "    selection: {Image: a}\n    not_this: {Image: b}\n    condition: selection\n",
        [":6:5: SC121 no condition refers to the selection 'not_this'"],
    ),
    "unused in a filter": (
        FILTER + "    rules: any\n    a: {A: b}\n    b: {A: c}\n    condition: not a\n",
        [":6:5: SC121 no condition refers to the selection 'b'"],
    ),
    # SC122: event ids.
    "Sysmon's process access is no process creation": (
        HEAD + "    selection: {EventID: 10, TargetImage: a}\n    condition: selection\n",
        [
            ":5:17: SC122 event id 10 is Sysmon's process_access, not process_creation "
            "(process_creation is 1 (Sysmon) or 4688 (Security): "
            "change the category to process_access, or remove the event id)"
        ],
    ),
    "in a list, as text, in a list of maps": (
        HEAD + "    selection:\n        - EventID: [1, 4688, '13']\n        - EventCode: 7045\n"
        "    condition: selection\n",
        [
            ":6:30: SC122 event id 13 is Sysmon's registry_set, not process_creation (",
            ":6:30: SC134 the number 13 is written as text (",
            ":7:11: SC122 event id 7045 is not of process_creation (",
        ],
    ),
    "a rule of a service names any event id": (
        HEAD.replace("category: process_creation, ", "service: system, ")
        + "    selection: {EventID: 7045}\n    condition: selection\n",
        [],
    ),
    "a category of another product": (
        HEAD.replace("windows", "rpc_firewall") + "    selection: {EventID: 3}\n    condition: selection\n",
        [],
    ),
    "in a filter": (
        FILTER.replace("category: c", "category: process_creation")
        + "    rules: any\n    a: {EventID: 3}\n    condition: not a\n",
        [":5:9: SC122 event id 3 is Sysmon's network_connection, not process_creation ("],
    ),
    "a category of three event ids": (
        HEAD.replace("process_creation", "registry_event")
        + "    selection: {EventID: [12, 13, 14]}\n    condition: selection\n",
        [],
    ),
    # SC123: the schema.
    "a level that is none": (
        "level: hgih\n" + GOOD,
        [":1:1: SC113 'hgih' is not a valid Sigma rule level (did you mean 'high'?)"],
    ),
    "a status like no other": (
        "status: wip\n" + GOOD,
        [":1:1: SC113 'wip' is not a valid Sigma rule status (write stable, test, experimental, deprecated"],
    ),
    "dates": (
        "date: 2026/01/31\nmodified: 2026-01-31\n" + GOOD,
        [":1:1: SC123 'date' cannot be '2026/01/31' (write the date as YYYY-MM-DD)"],
    ),
    "tags": (
        "tags:\n    - attack.t1059\n    - Attack.Execution\n    - attack.t1059\n" + GOOD,
        [
            ":1:1: SC123 'tags' holds 'attack.t1059' twice (remove one of them)",
            ":3:7: SC123 item 2 of 'tags' cannot be 'Attack.Execution' (write lower-case words,",
        ],
    ),
    "a list of false positives, one too short": (
        "falsepositives: [x, unknown]\n" + GOOD,
        [":1:18: SC123 item 1 of 'falsepositives' is too short ("],
    ),
    "a relation": (
        "related:\n    - {id: 33333333-3333-4333-8333-333333333333, type: derived}\n" + GOOD,
        [],
    ),
    "an author who is a list": (
        CORRELATION + "author: [a, b]\n---\n" + GOOD,
        [":9:1: SC123 'author' is a list and should be text (write text; names of several people"],
    ),
    "a flag that is a number": (
        CORRELATION + "    generate: 1\n---\n" + GOOD,
        [":9:5: SC123 'generate' of 'correlation' is a number and should be true or false (write true or"],
    ),
    "generate at the top, where nothing reads it": (
        CORRELATION + "generate: true\n---\n" + GOOD,
        [":9:1: SC120 'generate' has no effect here (indent it as a key of 'correlation')"],
    ),
    "a correlation's fields twice": (
        CORRELATION.replace("[User]", "[User, User]") + "---\n" + GOOD,
        [":6:5: SC123 'group-by' of 'correlation' holds 'User' twice (remove one of them)"],
    ),
    "extensions: a percentile, neq, a fraction, no group-by": (
        CORRELATION.replace("event_count", "value_median")
        .replace("    group-by: [User]\n", "")
        .replace("{gte: 5}", "{field: Size, gte: 0.5, neq: 7}")
        + "---\n"
        + GOOD,
        [],
    ),
    "extensions: a condition of a correlation as text": (
        CORRELATION.replace("event_count", "temporal")
        .replace("[11111111-1111-4111-8111-111111111111]", "[a_rule, 11111111-1111-4111-8111-111111111111]")
        .replace("{gte: 5}", "a_rule and not 11111111-1111-4111-8111-111111111111")
        + "---\n"
        + GOOD
        + "---\n"
        + GOOD.replace("title: Rule\nid: 1", "title: Other\nname: a_rule\nid: 4"),
        [],
    ),
    # SC124, SC125.
    "a filter of a rule that is not there": (
        FILTER + "    rules: [nothing]\n    a: {A: b}\n    condition: a\n",
        [":4:13: SC124 no rule has the name or id 'nothing' ("],
    ),
    "timeframe": (
        HEAD + "    timeframe: 5m\n" + SELECTION,
        [":5:5: SC125 'timeframe' has no effect (write a correlation with a timespan)"],
    ),
    # SC13x: pySigma's validators.
    "no id": (
        GOOD.replace("id: 11111111-1111-4111-8111-111111111111\n", ""),
        [":1:1: SC130 the rule has no id (add a UUID as 'id')"],
    ),
    "two rules of one title": (
        GOOD + "---\n" + GOOD.replace("id: 1", "id: 3"),
        [":8:1: SC131 another rule has the title 'Rule' (the other one is in "],
    ),
    "Sysmon's own id for a category": (
        "title: x\nid: 11111111-1111-4111-8111-111111111111\nlogsource:\n    product: windows\n"
        "    service: sysmon\ndetection:\n    s: {EventID: 22}\n    condition: s\n",
        [":5:5: SC132 event id 22 of this log is the category dns_query (write 'category: dns_query' for"],
    ),
    "all without contains": (
        HEAD + "    selection: {Image|all: [a, b]}\n    condition: selection\n",
        [":5:17: SC133 'all' without 'contains' asks one field to equal every value (add 'contains')"],
    ),
    "all of regexes and of wildcards, windash with all": (
        HEAD + "    selection:\n        Image|re|all: [a, b]\n        CommandLine|all: ['*a*b*', 'c*d*']\n"
        "        ParentCommandLine|contains|windash|all: [' -a', ' -b']\n    condition: selection\n",
        [],
    ),
    "base64offset without contains, in a list of maps": (
        HEAD + "    selection:\n        - Image: a\n        - CommandLine|base64offset: x\n"
        "    condition: selection\n",
        [":7:11: SC133 'base64offset' without 'contains' finds the text nowhere (add 'contains')"],
    ),
    "a number as text, second of a list": (
        HEAD + "    selection:\n        ProcessId:\n            - 4\n            - '5'\n"
        "    condition: selection\n",
        [":8:15: SC134 the number 5 is written as text (remove the quotes if a number is meant)"],
    ),
    "a backslash inside double quotes": (
        HEAD + '    selection: {Image|endswith: "\\temp.exe"}\n    condition: selection\n',
        [":5:17: SC135 a value holds a control character (use single quotes, or a double backslash)"],
    ),
    "wildcards where a modifier says it": (
        HEAD + "    selection:\n        Image: '*\\a.exe'\n        CommandLine: 'x*'\n        User: '*y*'\n"
        "    condition: selection\n",
        [
            ":6:9: SC136 a wildcard at the start of every value (use the modifier 'endswith')",
            ":7:9: SC136 a wildcard at the end of every value (use the modifier 'startswith')",
            ":8:9: SC136 wildcards at both ends of every value (use the modifier 'contains')",
        ],
    ),
    "keywords, the second with two wildcards in a row": (
        HEAD + "    keywords:\n        - a\n        - b**c\n    condition: keywords\n",
        [":7:11: SC136 two wildcards in a row in 'b**c' (remove one of them)"],
    ),
    "tags of unknown namespaces and forms": (
        "tags:\n    - attack.t1059\n    - mitre.t1059\n    - tlp.blue\n    - cve.2021\n    - cve.2021-44228\n"
        + GOOD,
        [
            ":3:7: SC137 Sigma has no tag namespace 'mitre' (it has attack, car, cve, d3fend,",
            ":4:7: SC137 tag 'tlp.blue' is not of the form that its namespace has (see the Sigma tags",
            ":5:7: SC137 tag 'cve.2021' is not of the form",
        ],
    ),
    "them of one selection": (
        HEAD + "    selection: {Image: a}\n    condition: all of them\n",
        [":6:5: SC138 'them' is one selection (name it)"],
    ),
    "all of them": (
        HEAD + "    a: {Image: a}\n    b: {User: a}\n    condition: all of them\n",
        [":7:5: SC138 'all of them' changes its meaning with every selection added ("],
    ),
}

# A draft like the one of a hunting report, in which the rule of the registry and of LSASS was broken.
HUNTING_DRAFT = """\
title: PsExec Service Reads LSASS and Registers Itself
status: experimental
logsource:
    category: process_creation
    product: windows
detection:
    lsass_access:
        EventID: 10
        TargetImage|endswith: '\\lsass.exe'
        SourceImage|endswith: '\\PSEXESVC.exe'
    service_key:
        EventID: 13
        TargetObject|contains: '\\Services\\PSEXESVC'
condition: lsass_access and service_key
level: high
"""


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
        ":14:1: SC104 'condition' stands outside 'detection'",
    ]


def test_event_ids_agree_with_pysigma() -> None:
    """Its table has a defect: 12, 13 and 14 are listed twice, so that only the last category is left."""
    mapping = logsources.specific_to_generic_logsource_mapping
    for source, ids in mapping.items():
        table = events.SYSMON if source.service == "sysmon" else {}
        for number, category in ids.items():
            allowed = {*table.get(category, ()), *events.OTHERS.get(category, {}).get("Security", ())}
            assert number in allowed, (source, number, category)
    everything = {number for numbers in events.SYSMON.values() for number in numbers}
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

    Three rules quote a number; three name an event id of Sysmon that has a category by now.
    """
    report = check([shared("sigmahq")])
    assert report.rules == 1908
    counts: dict[str, int] = {}
    for one in report.findings:
        counts[one.code] = counts.get(one.code, 0) + 1
    assert counts == {"SC132": 3, "SC134": 3}
