"""One id in several forms is one id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import convert
from converter.pipelines import cells
from converter.project import ids
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.selection import Selection
from tests.boundary.conditions import CREATION, document, write

# boundary.md V6, rules/ids_by_case.yml. The forms are those of RFC 9562, section 4 and its URN of RFC 4122.
_ID = "abcdef11-1111-4111-8111-0000000000aa"


_FORMS = (_ID.upper(), _ID.replace("-", ""), f"urn:uuid:{_ID}", f"URN:UUID:{_ID.upper()}", f"{{{_ID}}}")


def _titled(title: str, id: str, image: str) -> dict[str, Any]:  # noqa: A002
    return {**document({"s": {"Image|endswith": image}, "condition": "s"}), "title": title, "id": id}


@pytest.mark.parametrize("form", _FORMS)
def test_v6_one_id_in_two_forms_is_a_duplicate(form: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, _titled("A", _ID, "a"), _titled("B", form, "b"))])
    assert [error.code for error in loaded.errors] == ["SC110"]
    assert [rule.title for rule in loaded.rules] == ["A"]


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_correlation_refers_by_any_form(form: str, tmp_path: Path) -> None:
    other = "11111111-1111-4111-8111-000000000151"
    section = {
        "type": "temporal",
        "rules": [form, other],
        "group-by": ["who"],
        "aliases": {"who": {form: "User", other.upper(): "ParentUser"}},
        "timespan": "5m",
    }
    docs = [_titled("A", _ID, "a"), _titled("B", other, "b")]
    doc = {"title": "C", "id": "11111111-1111-4111-8111-000000000152", "correlation": section}
    loaded = loading.load([write(tmp_path, *docs, doc)])
    assert loaded.errors == []
    assert [rule.title for rule in emitted_rules(loaded)] == ["C"]
    convert(loaded, emitted_rules(loaded)[0], cells.cell("sysmon", "kql"))


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_filter_is_applied_by_any_form(form: str, tmp_path: Path) -> None:
    """By an id of another case a filter was not applied, and nothing said so."""
    body = {"rules": [form], "f": {"User": "x"}, "condition": "not f"}
    doc = {"title": "F", "logsource": CREATION, "filter": body}
    loaded = loading.load([write(tmp_path, _titled("A", _ID, "a"), doc)])
    assert "_filter0_f" in loaded.rules[0].doc["detection"]


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_rule_is_selected_by_any_form(form: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, _titled("A", form, "a"))])
    assert loaded.rules[0].id == _ID
    selection = Selection(ids=(form,))
    selection.check(loaded.rules)
    assert selection.takes(loaded.rules[0])


def test_v6_names_that_are_no_uuids_stay() -> None:
    for name in ("a rule", "ABCDEF", "x" * 32, _ID[:-1], "urn:uuid:1"):
        assert ids.canonical(name) == name
