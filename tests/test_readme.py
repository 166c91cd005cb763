"""The queries that README shows are the ones that are built."""

from __future__ import annotations

import re

import pytest

from tests.support import ROOT

README = (ROOT / "README.md").read_text()
SHOWN = [
    (path, text)
    for path, _, text in re.findall(r"<!-- output/(\S+) -->\n(`{3,4})\w+\n(.*?)\n\2\n", README, re.DOTALL)
]


def test_readme_shows_a_query_of_each_language() -> None:
    assert {path.split("/")[0] for path, _ in SHOWN} == {"eql", "kql", "spl", "lucene"}


@pytest.mark.parametrize(("path", "text"), SHOWN)
def test_shown_query_is_the_built_one(path: str, text: str) -> None:
    assert text == (ROOT / "output" / path).read_text().rstrip()


def test_shown_rule_is_the_shipped_one() -> None:
    (rule,) = re.findall(r"```yaml\n(.*?)\n```", README, re.DOTALL)
    assert rule in (ROOT / "sigma/windows/lateral_movement/wsus_starts_psexec.yml").read_text()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
