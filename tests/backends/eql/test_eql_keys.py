"""What EQL can join events by."""

from __future__ import annotations

import pytest

from converter.errors import Refusal
from tests.proof import keyed


@pytest.mark.parametrize("shape", ["count", "ordered", "together", "two keys", "chain by key"])
def test_analysed_text_is_no_key(shape: str) -> None:
    with pytest.raises(Refusal, match="text") as refused:
        keyed.converted(f"keyed/text/{shape}", "eql")
    assert refused.value.code == "SC204"


@pytest.mark.parametrize("kind", ["keyword", "long", "ip", "date", "boolean"])
def test_other_types_are(kind: str) -> None:
    token = f"keyed/{kind}/ordered"
    assert keyed.problems(token, "eql", keyed.converted(token, "eql")) == []
