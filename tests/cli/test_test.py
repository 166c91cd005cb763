"""`sigconv test`: rules' own tests through the matcher and through every query."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from converter.verify import test_files

RULE = """\
title: Example
id: 11111111-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
detection:
    selection:
        Image|endswith: '\\example.exe'
    condition: selection
"""
TESTS = """\
rule: windows/example.yml
id: 11111111-1111-4111-8111-111111111111
events:
    example: {EventID: 1, Channel: Microsoft-Windows-Sysmon/Operational,
        Provider_Name: Microsoft-Windows-Sysmon, Computer: a.example.org,
        UtcTime: '2026-11-21 10:00:00.000', Image: 'C:\\x\\example.exe'}
tests:
    - name: it happens
      events: [{use: example}, {use: example, set: {Image: 'C:\\x\\EXAMPLE.exe'}}]
      alerts: [0, 1]
    - name: another program
      events: [{use: example, set: {Image: 'C:\\x\\other.exe'}}]
      alerts: []
"""
FILE = "tests/rules/windows/example.yml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("sigma/windows/example.yml", RULE), (FILE, TESTS)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["test", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("tests/rules",),
        (FILE,),
        ("sigma",),
        ("sigma/windows/example.yml",),
    ],
    ids=["default", "folder of tests", "test file", "folder of rules", "rule file"],
)
def test_paths(project: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).stdout == "1 test file, 2 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("alerts: [0, 1]", "alerts: [0]", "8: SC701 'it happens': expected event 0, got events 0, 1"),
        ("alerts: []", "alerts: [0]", "11: SC701 'another program': expected event 0, got nothing"),
        ("example.yml\n", "none.yml\n", "SC701 there is no rule with the id 11111111-"),
        (
            "use: example}, ",
            "use: exampel}, ",
            "9:16: SC114 no event template 'exampel' (did you mean 'example'?)",
        ),
        ("alerts: []", "", "11:7: SC114 'alerts' is a list of what fires"),
        ("tests:\n", "test:\n", "SC114 a test file has no key 'test' (did you mean 'tests'?)"),
        ("events:\n    example:", "events:\n    - example:", "SC114 'events' is a mapping"),
        ("name: it happens", "name: [", "SC101"),
        ("id: 1", "# id: 1", "SC114 'id' is the id of the rule in that file"),
        (
            "use: example, set:",
            "use: example, sett:",
            "9:47: SC114 an event of a test has no key 'sett' (did you mean 'set'?)",
        ),
        (
            "alerts: []",
            "alerts: []\n      alert: [0]",
            "14:7: SC114 a test has no key 'alert' (did you mean 'alerts'?)",
        ),
        (
            "tests:\n",
            "test: []\ntests:\n",
            "7:1: SC114 a test file has no key 'test' (did you mean 'tests'?)",
        ),
        ("alerts: [0, 1]", "alerts: [0, true]", "10:19: SC114 an alert is an event's position"),
        ("alerts: [0, 1]", "alerts: [0, 2]", "10:19: SC114 the test has no event 2: they are counted from 0"),
        ("alerts: [0, 1]", "alerts: [0, '1']", "10:19: SC114 an alert is an event's position"),
        ("name: another program", "name: it happens", "11:7: SC114 another test is called 'it happens'"),
        ("set: {Image", "drop: [image], set: {Image", "9:32: SC114 'example' has no field 'image' to drop"),
        (TESTS.partition("tests:\n")[2], "    []\n", "SC114 there is no test in it"),
        (
            "events: [{use: example}, {use: example, set: {Image: 'C:\\x\\EXAMPLE.exe'}}]",
            "events: []",
            "9:7: SC114 a test without events shows nothing",
        ),
    ],
)
def test_one_line_for_what_is_wrong(project: Path, old: str, new: str, line: str) -> None:
    (project / FILE).write_text(TESTS.replace(old, new, 1))
    stderr = run(code=1).stderr
    assert len(stderr.splitlines()) <= 2
    assert stderr.startswith(f"{FILE}:")
    assert line in stderr


def test_a_bad_test_file_does_not_hide_others(project: Path) -> None:
    (project / "tests/rules/windows/bad.yml").write_bytes(b"\xff\xfex\x00")
    result = run(code=1)
    assert "bad.yml:1:1: SC107 is not UTF-8" in result.stderr
    assert "2 passed, 0 failed" in result.stdout


def test_tests_of_each_rule_of_a_file_and_of_a_rule_without_an_id(project: Path) -> None:
    """The first rule's stand in x.yml, another's in x.<name>.yml; `verify` finds both."""
    folder = project / "tests/rules"
    (folder / "windows/example.other.yml").write_text(TESTS.replace("id: 1111", "id: other # ", 1))
    (folder / "windows/examples.yml").write_text(TESTS.replace("id: 1111", "id: other # ", 1))
    for name, file in (("11111111-1111-4111-8111-111111111111", "example"), ("other", "example.other")):
        found = test_files.find(folder, "windows/example.yml", name)
        assert found is not None
        assert found.file == (folder / f"windows/{file}.yml").as_posix()
    assert test_files.find(folder, "windows/example.yml", "third") is None


def test_no_tests_is_no_success(project: Path) -> None:
    (project / FILE).unlink()
    assert "no tests in tests/rules" in run(code=1).stderr


def test_tests_that_are_no_list(project: Path) -> None:
    text = (project / FILE).read_text()
    (project / FILE).write_text(text[: text.index("tests:")] + "tests: none\n")
    assert "SC114 'tests' is a list" in run(code=1).stderr


def test_a_path_that_does_not_exist(project: Path) -> None:
    assert "gone.yml: SC107 does not exist" in run("gone.yml", code=2).stderr


def test_engines_run_every_query(project: Path) -> None:
    found = json.loads(run("--engines", "-s", "sysmon", "--format", "json").stdout)["results"]
    assert {one["where"] for one in found} == {
        "matcher",
        *(f"sysmon/{target}" for target in ("eql", "lucene", "spl", "kql")),
    }
    assert [one["status"] for one in found] == ["passed"] * 10


def test_a_query_that_selects_something_else_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that looks at the parent's name in place of the program's, handed to the real engine."""
    from converter.backends.kql import backend
    from converter.conversion import convert as converting

    original = backend.KqlBackend.event

    def wrong(self: backend.KqlBackend, rule: object) -> object:
        drafts = original(self, rule)  # type: ignore[arg-type]
        return [type(d)(d.text.replace("FolderPath endswith", "InitiatingProcessFolderPath endswith"))
                for d in drafts]  # fmt: skip

    monkeypatch.setattr(backend.KqlBackend, "event", wrong)
    assert converting is not None
    result = run("--engines", "-s", "defender", "-t", "kql", code=1)
    assert "SC701 'it happens': the query misses 2 [defender/kql]" in result.stderr
    assert "3 passed, 1 failed" in result.stdout


def test_a_refusal_is_told_and_no_failure(project: Path) -> None:
    field = "example.exe'\n        Nowhere: x"
    (project / "sigma/windows/example.yml").write_text(RULE.replace("example.exe'", field))
    tests = TESTS.replace("UtcTime", "Nowhere: x, UtcTime")
    (project / FILE).write_text(tests)
    assert "not tried: the cell refuses the rule" in run("--engines", "-s", "defender", "-t", "kql").stdout


def test_junit(project: Path) -> None:
    text = TESTS.replace("alerts: [0, 1]", "alerts: [0]").replace("it happens", "it \\x01<happens>")
    (project / FILE).write_text(text.replace("name: it", 'name: "it').replace("happens>", 'happens>"'))
    run("--junit", "out/tests.xml", code=1)
    root = ElementTree.parse(project / "out/tests.xml").getroot()
    assert root.attrib == {
        "name": "sigconv test",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    (suite,) = root
    assert suite.get("name") == "windows/example.yml [matcher]"
    failed, passed = suite
    assert failed.get("name") == "it \ufffd<happens>"
    assert failed[0].get("message") == "expected event 0, got events 0, 1"
    assert len(passed) == 0


def test_verify_writes_junit_too(project: Path) -> None:
    found = CliRunner().invoke(main, ["verify", "-s", "sysmon", "-t", "kql", "--junit", "verify.xml"])
    assert found.exit_code == 0, found.output
    root = ElementTree.parse(project / "verify.xml").getroot()
    assert root.get("tests") == "1"
    assert [(suite.get("name"), suite[0].get("name"), len(suite[0])) for suite in root] == [
        ("sysmon/kql", "Example", 0)
    ]
