"""Without the extra: one line that says what to install, and not one for each rule and cell."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converter import engines, install_hint
from converter.cli import main
from converter.engines.kql import validator
from converter.platforms import LANGUAGES


def run(*arguments: str, code: int) -> Result:
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("command", [["verify"], ["test", "--engines"]], ids=" ".join)
def test_missing_engines_are_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("init", code=0)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    said = run(*command, code=2).stderr
    expected = f"SC401 the engines of eql, lucene, kql are not installed ({install_hint.with_engines()}"
    assert said == f"{expected}, or without: -t spl)\n"
    run(*command, "-t", "spl", "-s", "sysmon", code=0)


@pytest.mark.parametrize("command", [["verify"], ["report", "-o", "report", "--verify"]], ids=" ".join)
def test_a_missing_analyser_is_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from npm: `pip install sigconv[verify]` alone does not bring it."""
    monkeypatch.chdir(tmp_path)
    run("init", code=0)
    monkeypatch.setenv(validator.HOME_VARIABLE, str(tmp_path))
    install = f"{sys.executable} -m converter.engines.kusto_analyser.install"
    expected = (
        f"SC401 Microsoft's analyser of KQL is not installed ({install}, or without: -t eql -t lucene -t spl)"
    )
    assert run(*command, code=2).stderr == f"{expected}\n"
    run(*command, "-t", "spl", "-s", "sysmon", code=0)
    run("test", "--engines", "-t", "kql", "-s", "sysmon", code=0)  # Runs the queries, and judges no syntax.
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert f"{install_hint.with_engines()} && {install}" in run(*command, code=2).stderr


@pytest.mark.parametrize(
    ("said", "command"),
    [
        (None, 'pip install "sigconv[verify]"'),
        (
            {"url": "https://git.example/s", "vcs_info": {"vcs": "git", "commit_id": "a1"}},
            'pip install "sigconv[verify] @ git+https://git.example/s@a1"',
        ),
        ({"url": "file:///a%20b/s", "dir_info": {}}, 'pip install "/a b/s[verify]"'),
        ({"url": "file:///s", "dir_info": {"editable": True}}, 'pip install -e "/s[verify]"'),
        ({"url": "https://x.example/s.whl", "archive_info": {}}, 'pip install "sigconv[verify]"'),
    ],
)
def test_the_engines_come_from_where_sigconv_came_from(
    said: object, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(said) if said else None
    monkeypatch.setattr(metadata.PathDistribution, "read_text", lambda self, name: text)
    assert install_hint.with_engines() == command


def test_packages_are_what_the_engines_import() -> None:
    """A name that nobody can find would refuse what works."""
    engines.need(engines.ENGINES)
    assert set(engines.ENGINES) == set(LANGUAGES)


def test_several_sources_have_rows_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("init", code=0)
    run("new", "other", "--service", "security", code=0)
    said = run("verify", "-t", "spl", "-s", "sysmon", "-s", "defender", code=0).stdout.splitlines()
    assert [line.split() for line in said[:3]] == [
        ["verdict,", "fidelity,", "events/hits", "source", "spl"],
        ["Other", "sysmon", "refused"],
        ["Other", "defender", "refused"],
    ]
    reason = "SC207 has no events of logsource product windows, service security"
    assert said[5:] == [f"sysmon/spl, defender/spl: Other: {reason}", "2 agree, 2 refused"]
