"""Without the extra: one line that says what to install, and not one for each rule and cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converter import engines
from converter.cli import main


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
    said = run(*command, code=1).stderr
    expected = 'SC401 the engines of eql, lucene, kql are not installed (pip install "sigconv[verify]"'
    assert said == f"{expected}, or without them: -t spl)\n"
    run(*command, "-t", "spl", "-s", "sysmon", code=0)


def test_packages_are_what_the_engines_import() -> None:
    """A name that nobody can find would refuse what works."""
    engines.need(engines.ENGINES)
    assert set(engines.PACKAGES) == set(engines.ENGINES)
