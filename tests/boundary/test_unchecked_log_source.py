"""The source none does not check the log source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import convert
from converter.errors import UsageError
from converter.pipelines import cells
from converter.platforms import platform_of
from converter.project import config
from converter.rules import loading
from converter.verify.verify import verify
from tests.boundary.conditions import LANGUAGES, document, write


# boundary.md V7, rules/none_logsource.*: events of another category were selected, labelled exact.
@pytest.mark.parametrize("target", LANGUAGES)
def test_v7_none_says_that_the_log_source_is_not_checked(target: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, document({"a": {"Image": "x"}, "condition": "a"}))])
    made = convert(loaded, loaded.rules[0], cells.cell("none", target))
    assert made.fidelity == "broader"
    [reason] = made.reasons
    assert reason.text == "log source not checked: category process_creation, product windows"
    [checked] = verify(loaded, [cells.cell("none", target)], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", "broader"), checked.reason


@pytest.mark.parametrize("target", LANGUAGES)
def test_v7_none_is_exact_where_the_configuration_says_who_checks(target: str, tmp_path: Path) -> None:
    file = tmp_path / "sigconv.toml"
    file.write_text('[source.none]\nlogsource = "checked elsewhere"\n')
    settings = config.load(file).settings["none", platform_of(target).name]
    cell = cells.cell("none", target, settings=settings)
    loaded = loading.load([write(tmp_path, document({"a": {"Image": "x"}, "condition": "a"}))])
    assert convert(loaded, loaded.rules[0], cell).fidelity == "exact"
    [checked] = verify(loaded, [cell], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", "exact"), checked.reason


def test_v7_a_log_source_of_no_table_is_a_note(tmp_path: Path) -> None:
    """No event can be told to be another log source's where the taxonomy does not have it."""
    doc = document({"a": {"Image": "x"}, "condition": "a"}, {"category": "of one's own"})
    loaded = loading.load([write(tmp_path, doc)])
    made = convert(loaded, loaded.rules[0], cells.cell("none", "kql"))
    assert made.fidelity == "exact"
    assert "// note: log source not checked: category of one's own" in made.queries[0].text


@pytest.mark.parametrize(
    ("logsource", "detection", "fidelity"),
    [
        ({"product": "windows", "service": "application"}, {"Channel": "Application"}, "exact"),
        ({"product": "windows", "service": "application"}, {"Channel": "System"}, "broader"),
        ({"product": "windows", "service": "security"}, {"EventID": 4697, "Provider_Name": "P"}, "broader"),
        ({"product": "linux", "service": "auditd"}, {"type": "EXECVE"}, "broader"),
        ({"product": "zeek", "service": "http"}, {"uri|contains": "x"}, "broader"),
    ],
)
def test_v7_the_label_is_shown_by_an_event(
    logsource: dict[str, str], detection: dict[str, Any], fidelity: str, tmp_path: Path
) -> None:
    """Where the rule's own conditions let no other log through, nothing can be shown, and it is a note."""
    loaded = loading.load([write(tmp_path, document({"a": detection, "condition": "a"}, logsource))])
    [checked] = verify(loaded, [cells.cell("none", "spl")], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", fidelity), checked.reason


@pytest.mark.parametrize("value", ['"elsewhere"', "true", "{}"])
def test_v7_another_value_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "sigconv.toml"
    file.write_text(f"[source.none]\nlogsource = {value}\n")
    with pytest.raises(UsageError) as caught:
        config.load(file)
    assert caught.value.code == "SC601"
