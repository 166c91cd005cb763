"""`sigconv report`: what the page holds, that nothing in it is loaded, and that no rule breaks out of it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from converter.pipelines.cells import cell
from converter.report import model, navigator, page
from converter.report.highlight import highlight
from converter.rules import loading as loader
from tests.report import project
from tests.support import ROOT

_VOID = {"meta", "input", "br", "wbr", "link", "img", "hr"}
HOSTILE_ID = "11111111-1111-4111-8111-111111111111"


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None
    children: list[Element] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Return the elements below of a tag, with these attributes (``class_`` is one of its classes)."""
        found = []
        for one in self.children:
            wanted = dict(attributes)
            name = wanted.pop("class_", None)
            fits = (not tag or one.tag == tag) and all(one.attributes.get(k) == v for k, v in wanted.items())
            if fits and (name is None or name in one.attributes.get("class", "").split()):
                found.append(one)
            found += one.all(tag, **attributes)
        return found

    def text(self) -> str:
        return "".join(self.own)


class Reader(HTMLParser):
    """Builds a tree, and fails on an element that is not closed in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = Element("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attrs}) == len(attrs), attrs
        made = Element(tag, {key: value or "" for key, value in attrs}, self.at)
        self.at.children.append(made)
        if tag not in _VOID:
            self.at = made

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> in <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        above: Element | None = self.at
        while above is not None:
            above.own.append(data)
            above = above.parent


def parse(text: str) -> Element:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.at is reader.root
    return reader.root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project's folder with the report in ``out``."""
    folder = tmp_path_factory.mktemp("project")
    results = project.make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = run("-o", "out", "--verify-results", str(results))
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def index(written: Path) -> Element:
    return parse((written / "out/index.html").read_text(encoding="utf-8"))


def test_nothing_is_loaded(written: Path, index: Element) -> None:
    """No element that loads, no style that loads, and a policy that forbids what was overlooked."""
    assert {path.name for path in (written / "out").iterdir()} == {"index.html", "navigator.json"}
    tags = {one.tag for one in index.all()}
    assert not tags & {"link", "img", "iframe", "object", "embed", "video", "audio", "source", "base", "svg"}
    assert not [one for one in index.all() if {"src", "srcset", "style", "background"} & set(one.attributes)]
    handlers = [name for one in index.all() for name in one.attributes if name.startswith("on")]
    assert handlers == []
    (style,), (script,) = index.all("style"), index.all("script")
    assert "url(" not in style.text()
    assert "@import" not in style.text()
    assert not re.search(r"fetch|XMLHttpRequest|import\(|innerHTML|eval\(|https?:", script.text())
    (policy,) = index.all("meta", **{"http-equiv": "Content-Security-Policy"})
    said = dict(one.strip().split(" ", 1) for one in policy.attributes["content"].split(";"))
    for name, element in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(element.text().encode()).digest()).decode()
        assert said.pop(name) == f"'sha256-{digest}'"
    assert said == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_hostile_text_is_text(index: Element) -> None:
    (rule,) = index.all("details", id="hostile")
    assert "<b>Bold</b> & " + project.SCRIPT in rule.text()
    assert project.SCRIPT + project.IMAGE + "<!-- {{ 7*7 }} {% raw %}" in rule.text()
    assert {one.attributes["href"].partition(":")[0] for one in rule.all("a")} == {"https"}
    assert "javascript:document.title='broken'" in rule.text()
    (case,) = index.all("article", id="hostile--sysmon-spl")
    assert f"verify: disagrees: {project.SCRIPT}" in case.text()
    assert f"all: {project.IMAGE}" in case.text()
    assert f"Accepted by the project: Zeek is elsewhere {project.IMAGE}" in index.text()


def test_queries_are_those_of_build(written: Path, index: Element, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    assert CliRunner().invoke(main, ["build", "sigma/hostile.yml", "sigma/many.yml"]).exit_code == 0
    for rule in ("hostile", "many"):
        for language in ("kql", "spl"):
            (article,) = index.all("article", id=f"{rule}--sysmon-{language}")
            (query,) = article.all("pre")
            built = (written / f"output/{language}/sysmon/{rule}.{language}").read_text(encoding="utf-8")
            assert query.text() == built
            assert len(query.all("span")) > 5


def test_table_of_rules_and_cells(index: Element) -> None:
    (table,) = index.all("table", class_="rules")
    rows = {one.attributes["data-rule"]: one for one in table.all("tr") if "data-rule" in one.attributes}
    assert list(rows) == ["hostile", "many", "other"]
    shown = {
        (name, one.attributes["data-cell"]): (one.attributes["data-fidelity"], one.attributes["data-verdict"])
        for name, row in rows.items()
        for one in row.all("td")
        if "data-cell" in one.attributes
    }
    assert shown == {
        ("hostile", "sysmon/kql"): ("exact", "agrees"),
        ("hostile", "sysmon/spl"): ("exact", "disagrees"),
        ("many", "sysmon/kql"): ("exact", "outdated"),
        ("many", "sysmon/spl"): ("exact", "not-verified"),
        ("other", "sysmon/kql"): ("refused", "refused"),
        ("other", "sysmon/spl"): ("refused", "not-verified"),
    }
    (refused,) = index.all("article", id="other--sysmon-kql")
    assert re.search(r"SC207\s+sysmon/kql has no events of logsource product zeek", refused.text())


def test_source_explanation_and_tests(index: Element) -> None:
    (rule,) = index.all("details", id="many")
    assert project.COUNT in [one.text() for one in rule.all("pre")]
    (query,) = index.all("article", id="many--sysmon-kql")
    assert re.search(r"base|Base", query.text())
    assert "key Computer: Computer" in query.text()
    assert "within 300 s" in query.text()
    assert "Alert at 2026-11-21T10:00:00.000Z, Computer = ws1: events 0, 1, 2" in rule.text()
    (hostile,) = index.all("details", id="hostile")
    tests = [one.text() for one in hostile.all("ol", class_="events")]
    assert [" ".join(one.split()) for one in tests] == [
        "A alert A, without Image, with CommandLine: quiet",
        "A, with CommandLine: quiet",
    ]


def test_heat_map(index: Element) -> None:
    """Every tactic is there; a technique counts the rules of its sub-techniques."""
    tactics = {one.all("h3")[0].text(): one for one in index.all("section", class_="tactic")}
    assert len(tactics) == 15
    found = {
        name: [" ".join(one.text().split()) for one in tactic.all("button")]
        for name, tactic in tactics.items()
        if tactic.all("button")
    }
    assert found == {
        "Execution": [
            "T1059 Command and Scripting Interpreter 1 rule",
            "T1059.001 PowerShell 1 rule",
            "T1569 System Services 1 rule",
            "T1569.002 Service Execution 1 rule",
        ],
        "Discovery": ["T1046 Network Service Discovery 1 rule"],
        "Lateral Movement": [
            "T1021 Remote Services 1 rule",
            "T1021.002 SMB/Windows Admin Shares 1 rule",
        ],
    }
    assert re.search(r"2 of \d\d techniques, 1 rule\b", tactics["Execution"].text())


def test_accessible_structure(index: Element) -> None:
    ids = [one.attributes["id"] for one in index.all() if "id" in one.attributes]
    assert len(set(ids)) == len(ids)
    for link in index.all("a"):
        href = link.attributes["href"]
        if href.startswith("#"):
            assert href[1:] in ids
    assert next(one for one in index.all("a")).attributes["href"] == "#main"
    for table in index.all("table"):
        assert table.all("caption")
        assert all(one.attributes.get("scope") in ("col", "row") for one in table.all("th"))
    assert all(one.attributes.get("type") in ("button", "reset") for one in index.all("button"))
    for control in index.all("input") + index.all("select"):
        assert control.parent is not None
        named = index.all("label", **{"for": control.attributes.get("id", "")})
        assert control.parent.tag == "label" or len(named) == 1
    levels = [int(one.tag[1]) for one in index.all() if re.fullmatch("h[1-6]", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    names = [one.text() for one in index.all("button", class_="copy")]
    assert len(set(names)) == len(names)


def test_same_bytes_twice(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    assert run("-o", "again", "--verify-results", "verify.json").exit_code == 0
    for name in ("index.html", "navigator.json"):
        assert (written / "again" / name).read_bytes() == (written / "out" / name).read_bytes()
    assert str(written) not in (written / "out/index.html").read_text(encoding="utf-8")


def test_date_and_title(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    done = run("-o", "dated", "sigma/other.yml", "--title", "<Ours>", "--date", "2026-11-21")
    assert done.exit_code == 0
    made = parse((written / "dated/index.html").read_text(encoding="utf-8"))
    assert made.all("h1")[0].text() == "<Ours>"
    assert ", 2026-11-21." in made.all("footer")[0].text()


def test_what_cannot_be_read_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.make(tmp_path)
    (tmp_path / "sigma/broken.yml").write_text("title: [")
    (tmp_path / "tests/rules/broken.yml").write_text("rule: 1")
    monkeypatch.chdir(tmp_path)
    done = run("-o", "out", "-t", "kql")
    assert done.exit_code == 1
    (errors,) = parse(Path("out/index.html").read_text(encoding="utf-8")).all("section", class_="errors")
    assert [one.text().partition(":")[0] for one in errors.all("li")] == [
        "sigma/broken.yml",
        "tests/rules/broken.yml",
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"results": 1}', '{"results": [{"rule": 1}]}', '{"results": [{"status": "fine"}]}']
)
def test_results_of_another_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    results = project.make(tmp_path)
    results.write_text(text)
    monkeypatch.chdir(tmp_path)
    done = run("-o", "out", "--verify-results", "verify.json")
    assert done.exit_code == 2
    assert done.output.startswith("verify.json: SC614 ")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("gone.json", "cannot be read: No such file or directory\n"), ("text.json", "is not JSON: ")],
)
def test_results_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    project.make(tmp_path)
    (tmp_path / "text.json").write_text("text")
    monkeypatch.chdir(tmp_path)
    done = run("-o", "out", "--verify-results", name)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert done.output.startswith(f"{name}: SC614 {said}")


def test_verify_runs_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = run("-o", "out", "sigma/many.yml", "-t", "spl", "--verify")
    assert done.exit_code == 0, done.output
    (article,) = parse(Path("out/index.html").read_text(encoding="utf-8")).all("article")
    found = re.search(r"Verified: (\d+) events, (\d+) hits", article.text())
    assert found
    assert int(found[1]) > int(found[2]) > 0


def test_many_rules_have_pages_of_their_own(
    written: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Above the limit the index links to a page for each rule, which shows the same."""
    monkeypatch.chdir(written)
    monkeypatch.setattr(page, "ONE_PAGE", 2)
    assert run("-o", str(tmp_path), "--verify-results", "verify.json").exit_code == 0
    many = parse((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not many.all("article")
    for link in many.all("table", class_="rules")[0].all("a"):
        file, _, name = link.attributes["href"].partition("#")
        target = parse((tmp_path / file).read_text(encoding="utf-8"))
        assert name in [one.attributes.get("id") for one in target.all()]
        assert len(target.all("article")) == 2
    pages = tmp_path / "rules"
    assert sorted(path.name for path in pages.iterdir()) == ["hostile.html", "many.html", "other.html"]
    # A rule that is gone takes its page along, and no other file.
    (pages / "mine.html").write_text("<p>mine</p>")
    monkeypatch.setattr(page, "ONE_PAGE", 1)
    assert run("-o", str(tmp_path), "sigma/hostile.yml", "sigma/many.yml").exit_code == 0
    assert sorted(path.name for path in pages.iterdir()) == ["hostile.html", "many.html", "mine.html"]


# The tables of layers/spec/v4.5/layerformat.md, repository mitre-attack/attack-navigator.
_LAYER: dict[str, Any] = {
    "name": str,
    "versions": dict,
    "domain": str,
    "description": str,
    "sorting": int,
    "layout": dict,
    "hideDisabled": bool,
    "techniques": list,
    "gradient": dict,
    "legendItems": list,
    "showTacticRowBackground": bool,
    "selectTechniquesAcrossTactics": bool,
    "selectSubtechniquesWithParent": bool,
    "selectVisibleTechniques": bool,
}
_TECHNIQUE = {
    "techniqueID": str,
    "tactic": str,
    "score": int,
    "comment": str,
    "enabled": bool,
    "showSubtechniques": bool,
}
_LAYOUT = {"layout": str, "showID": bool, "showName": bool, "expandedSubtechniques": str}


def _is_of(found: dict[str, Any], fields: dict[str, Any]) -> None:
    for key, value in found.items():
        assert type(value) is fields[key], key


def test_navigator_layer(written: Path) -> None:
    made = json.loads((written / "out/navigator.json").read_text(encoding="utf-8"))
    _is_of(made, _LAYER)
    assert made["versions"]["layer"] == "4.5"
    assert tuple(map(int, made["versions"]["navigator"].split("."))) >= (4, 9, 0)
    assert all(isinstance(one, str) for one in made["versions"].values())
    assert made["domain"] == "enterprise-attack"
    assert made["sorting"] in range(4)
    _is_of(made["layout"], _LAYOUT)
    assert made["layout"]["layout"] in ("side", "flat", "mini")
    assert made["layout"]["expandedSubtechniques"] in ("none", "all", "annotated")
    assert made["gradient"]["maxValue"] > made["gradient"]["minValue"]
    assert set(made["gradient"]) == {"colors", "minValue", "maxValue"}
    assert all(re.fullmatch("#[0-9a-f]{6}", one) for one in made["gradient"]["colors"])
    assert all(set(one) == {"label", "color"} for one in made["legendItems"])
    for one in made["techniques"]:
        _is_of(one, _TECHNIQUE)
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", one["techniqueID"])
    scores = {(one["techniqueID"], one["tactic"]): one["score"] for one in made["techniques"]}
    assert scores == {
        ("T1059", "execution"): 1,
        ("T1059.001", "execution"): 1,
        ("T1569", "execution"): 1,
        ("T1569.002", "execution"): 1,
        ("T1046", "discovery"): 1,
        ("T1021", "lateral-movement"): 1,
        ("T1021.002", "lateral-movement"): 1,
    }


def test_colours_keep_the_text() -> None:
    """Copying a query from the page gives the query: of every shipped rule, query and hard cases."""
    hard = ["", "\n", "a\r\nb", '"open', "```open", "a\\", "/x/ y:/[\"<&>']+/ AND z:5*", "@'it''s' // c"]
    texts = [(text, kind) for text in hard for kind in ("eql", "json", "kql", "lucene", "spl", "yml")]
    for folder in ("sigma", "output"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.name != "manifest.json" and path.suffix[1:] in (
                "eql",
                "json",
                "kql",
                "lucene",
                "spl",
                "yml",
            ):
                texts.append((path.read_text(encoding="utf-8"), path.suffix[1:]))
    assert len(texts) > 60
    for text, kind in texts:
        made = highlight(text, kind)
        assert html.unescape(re.sub(r"<[^<>]*>", "", made)).replace("\r\n", "\n") == text.replace(
            "\r\n", "\n"
        )


def test_shipped_rules_are_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule costs at most 30 kB in four cells (the largest of ours is meant)."""
    monkeypatch.chdir(ROOT)
    loaded = loader.load(
        [ROOT / "sigma/windows/lateral_movement/remote_psexec_on_target.yml"], ROOT / "sigma"
    )
    cells = [cell("sysmon", target) for target in ("eql", "lucene", "spl", "kql")]
    made = model.collect(loaded, cells, ROOT / "tests/rules", {})
    empty = model.Report("", [], [])
    size = len(page.pages(made)["index.html"]) - len(page.pages(empty)["index.html"])
    assert size < 120_000
    assert navigator.layer(empty)["techniques"] == []
