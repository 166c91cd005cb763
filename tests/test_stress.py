"""Huge and hostile rules: one clear error or a query that is right, and the rules beside them are built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.conversion.convert import convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.pipelines import cells
from converter.rules import loading
from converter.shapes import inferred as none_shape
from converter.verify.stored import tables_of

LANGUAGES = ("eql", "lucene", "spl", "kql")
GOOD = "title: Good\nlogsource: {category: c}\ndetection: {s: {F: good}, condition: s}\n"


def rule_text(value: object, key: str = "F", condition: str = "s") -> str:
    detection = json.dumps({"s": {key: value}, "condition": condition})
    return f"title: Big\nlogsource: {{category: c}}\ndetection: {detection}\n"


MANY = [f"value-{number}" for number in range(5000)]
LONG = "x" * 20_000
# Rule, an event that it means and one that it does not.
BIG = {
    "5,000 values": (rule_text(MANY), "value-4999", "value-5000"),
    "5,000 parts": (rule_text(MANY, "F|contains"), "a value-4321 b", "nothing"),
    "a value of 20,000 characters": (rule_text(LONG), LONG, LONG[1:]),
    "1,000 parentheses": (rule_text("v", condition="(" * 1000 + "s" + ")" * 1000), "v", "w"),
    "1,000 nots": (rule_text("v", condition="not (" * 1000 + "s" + ")" * 1000), "v", "w"),
    "a regex of 5,000 characters": (
        rule_text("a" * 4990 + "[0-9]{3}b", "F|re"),
        "a" * 4990 + "123b",
        "a123b",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BIG)
def test_big_rule_is_right_or_refused(name: str, language: str, tmp_path: Path) -> None:
    text, hit, miss = BIG[name]
    (tmp_path / "big.yml").write_text(text)
    loaded = loading.load([tmp_path])
    if loaded.errors:
        (error,) = loaded.errors
        assert error.code == "SC105"
        return
    cell = cells.cell(cells.NONE, language)
    refused = None
    try:
        conversion = convert(loaded, loaded.rules[0], cell)
    except Refusal as refusal:
        refused = refusal
    if refused is not None:
        assert refused.code in ("SC202", "SC203")
        assert "\n" not in str(refused)
        return
    columns = conversion.plan.columns  # type: ignore[union-attr]
    stored = none_shape.store([{"F": hit}, {"F": miss}, {}], columns, language)
    engine = engine_for(language)
    tables = tables_of(conversion, stored)
    found = set()
    for query in conversion.queries:
        engine.validate(query.text, tables)
        found |= set(engine.load(stored, tables).run(query.text).events)
    assert found == {0}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("10 MB", b"title: x\n" + b"#" * 10_000_000, "SC107"),
        (
            "alias bomb",
            (
                "a0: &a0 [x]\n"
                + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 20)}]\n" for n in range(1, 12))
            ).encode(),
            "SC109",
        ),
        ("binary", bytes(range(256)) * 40, "SC107"),
        ("UTF-16", GOOD.encode("utf-16"), "SC107"),
    ],
)
def test_hostile_file_does_not_stop_the_others(name: str, content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_bytes(content)
    (tmp_path / "good.yml").write_text(GOOD)
    done = CliRunner().invoke(main, ["build", str(tmp_path), "-s", "none", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    errors = [line for line in done.stderr.splitlines() if "bad.yml" in line]
    assert len(errors) == 1
    assert code in errors[0]
    assert len(list((tmp_path / "out").rglob("good.*"))) == len(LANGUAGES)
