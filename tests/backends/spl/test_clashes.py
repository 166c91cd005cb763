"""Fields that have the name of a column which the search makes: refused where it would overwrite them."""

from __future__ import annotations

import pytest

from converter.errors import Refusal
from tests.proof import keyed


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("time_ms", "count"),
        ("start_ms", "ordered"),
        ("step", "few"),
        ("stage", "chain by key"),
        ("first_time", "together"),
        ("last_a", "together"),
        ("key_1", "alias count"),
        ("left", "few"),
        ("value", "chain of distinct"),
    ],
)
def test_refused(name: str, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keyed._NAMES, "spl", [name])
    keyed._columns.cache_clear()
    try:
        with pytest.raises(Refusal, match=name) as refused:
            keyed.converted(f"keyed/{name}/{shape}", "spl")
    finally:
        keyed._columns.cache_clear()
    assert refused.value.code == "SC204"


@pytest.mark.parametrize(
    ("name", "shape"), [("value", "sum"), ("value", "count"), ("count", "distinct"), ("stage", "count")]
)
def test_what_is_not_overwritten_is_right(name: str, shape: str) -> None:
    token = f"keyed/{name}/{shape}"
    assert keyed.problems(token, "spl", keyed.converted(token, "spl")) == []
