"""The report in headless Chromium: it works, from the keyboard and on a phone, and loads nothing.

The browser is the one that tests/report/browser/install.py finds or installs. Without one these tests skip,
saying so; in CI they fail.
"""

from __future__ import annotations

import importlib
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converter.cli import main
from tests.report import project
from tests.report.browser import install

if os.environ.get("CI"):
    playwright = importlib.import_module("playwright.sync_api")
else:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

# WCAG 2.1: relative luminance and contrast of each piece of text that is shown, over the first opaque
# background above it; 3 is enough for large text.
_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((one) => one / 255)
      .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const found = { seen: 0, low: [] };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest("script")) continue;
    const style = getComputedStyle(element);
    const pair = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    found.seen += 1;
    if (ratio < (large ? 3 : 4.5)) found.low.push([walk.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return found;
}"""

_OPEN = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


@dataclass
class Opened:
    """A page, and what it said and asked for since it was opened."""

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing was written to the console, nothing failed, and nothing but files was asked for."""
        assert self.messages == []
        assert self.requests
        assert all(one.startswith("file://") for one in self.requests), self.requests

    def visible_rules(self) -> list[str]:
        rows = self.page.locator("tr[data-rule]:visible")
        return [one.get_attribute("data-rule") for one in rows.all()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = install.find()
    if found is None:
        reason = "no Chromium: python tests/report/browser/install.py installs one on Linux"
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a browser: {reason}")
        pytest.skip(reason)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=str(found), env=install.environment(found), args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of the hostile project."""
    folder = tmp_path_factory.mktemp("project")
    results = project.make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(main, ["report", "-o", "out", "--verify-results", str(results)])
    assert done.exit_code == 0, done.output
    return folder / "out"


def opened(browser: Any, file: Path, hash_: str = "", **options: Any) -> Opened:
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(10_000)
    made = Opened(page)
    page.on("console", lambda message: made.messages.append(message.text))
    page.on("pageerror", lambda error: made.messages.append(str(error)))
    page.on("dialog", lambda dialog: made.messages.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: made.requests.append(request.url))
    page.goto(file.as_uri() + hash_)
    return made


@pytest.fixture
def shown(browser: Any, report: Path) -> Iterator[Opened]:
    made = opened(browser, report / "index.html")
    yield made
    made.check()
    made.page.context.close()


def test_loads_and_looks_like_something(shown: Opened, tmp_path: Path) -> None:
    """A screenshot is taken and is no blank: many colours of pixels, most of them the background."""
    picture = tmp_path / "report.png"
    shown.page.screenshot(path=picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    # The page's own policy forbids pictures: another page counts the colours.
    other = shown.page.context.new_page()
    counts = other.evaluate(
        """async (data) => {
          const picture = new Image();
          picture.src = "data:image/png;base64," + data;
          await picture.decode();
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [picture.width, picture.height];
          const drawn = canvas.getContext("2d");
          drawn.drawImage(picture, 0, 0);
          const counts = new Map();
          const pixels = drawn.getImageData(0, 0, canvas.width, canvas.height).data.buffer;
          for (const pixel of new Uint32Array(pixels)) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
          return [...counts.values()].sort((a, b) => b - a);
        }""",
        b64encode(picture.read_bytes()).decode(),
    )
    assert sum(counts) == 1280 * 720
    assert len(counts) > 20
    assert 0.01 < 1 - counts[0] / sum(counts) < 0.8
    assert shown.page.title() == "Detection rules"
    assert shown.page.locator("h1").inner_text() == "Detection rules"


def test_search_and_filters(shown: Opened) -> None:
    page = shown.page
    assert shown.visible_rules() == ["hostile", "many", "other"]
    page.get_by_label("Search").fill("t1021 STARTS")
    assert shown.visible_rules() == ["many"]
    assert page.locator("details.rule:visible").count() == 1
    assert page.locator("#count").inner_text() == "1 of 3 rules"
    page.get_by_role("button", name="Clear").click()
    playwright.expect(page.locator("#count")).to_have_text("3 of 3 rules")
    for label, value, expected in (
        ("Level", "low", ["other"]),
        ("Status", "test", ["many"]),
        ("Tactic", "Execution", ["hostile"]),
        ("Fidelity", "refused", ["other"]),
        ("Verification", "disagrees", ["hostile"]),
    ):
        page.get_by_label(label, exact=True).select_option(label=value)
        assert shown.visible_rules() == expected
        page.get_by_label(label, exact=True).select_option(label="any")
    assert len(shown.visible_rules()) == 3


def test_a_cell_is_hidden_with_its_verdicts(shown: Opened) -> None:
    page = shown.page
    page.get_by_label("Verification").select_option(label="disagrees")
    page.get_by_label("sysmon/spl").uncheck()
    assert shown.visible_rules() == []
    page.get_by_label("Verification").select_option(label="any")
    assert page.locator("thead th:visible", has_text="spl").count() == 0
    page.get_by_role("button", name="Open all").click()
    assert page.locator("article:visible h5").all_inner_texts() == [
        "sysmon/kql exact",
        "sysmon/kql exact",
        "sysmon/kql refused",
    ]


def test_heat_map_finds_rules(shown: Opened) -> None:
    shown.page.get_by_role("button", name="T1021 Remote Services").click()
    assert shown.visible_rules() == ["many"]
    assert shown.page.evaluate("document.activeElement.id") == "find"


@pytest.mark.parametrize("allowed", [True, False])
def test_copy(browser: Any, report: Path, allowed: bool) -> None:
    """The query is copied as it is, also where the page may not use the clipboard's interface."""
    made = opened(browser, report / "index.html", "#hostile--sysmon-kql")
    page = made.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not allowed:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    article = page.locator("#hostile--sysmon-kql")
    button = article.locator("button.copy")
    playwright.expect(button).to_have_accessible_name(re.compile("^Copy sysmon/kql query of "))
    button.click()
    playwright.expect(page.locator("#said")).to_have_text("Copied")
    playwright.expect(button).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == article.locator("pre").first.evaluate("pre => pre.textContent")
    assert project.SCRIPT in copied
    made.check()
    page.context.close()


def test_hostile_rules_do_nothing(shown: Opened) -> None:
    page = shown.page
    page.get_by_role("button", name="Open all").click()
    page.evaluate(_OPEN)
    page.wait_for_timeout(100)
    assert page.title() == "Detection rules"
    assert page.locator("img, svg, iframe").count() == 0
    assert page.locator("script").count() == 1


def test_the_policy_holds(browser: Any, report: Path) -> None:
    """What the page would load or run in spite of its author is refused by the browser."""
    made = opened(browser, report / "index.html")
    failed: list[tuple[str, str]] = []
    made.page.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    made.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'broken out'";
          const picture = document.createElement("img");
          picture.src = "http://127.0.0.1:9/x";
          document.body.append(script, picture);
        }"""
    )
    made.page.wait_for_timeout(200)
    assert made.page.title() == "Detection rules"
    assert sum("Content Security Policy" in one for one in made.messages) == 2
    assert failed == [("http://127.0.0.1:9/x", "csp")]
    made.page.context.close()


def test_keyboard(shown: Opened) -> None:
    """Tab reaches the skip link first, then every control, each with an outline; Enter opens a rule."""
    page = shown.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached: list[str] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
              const at = document.activeElement;
              if (at === document.body) return ["", ""];
              const style = getComputedStyle(at), own = at.dataset;
              const name = own.key || own.show || own.find || at.id || at.ariaLabel
                || at.closest("details")?.id + " " + at.tagName;
              return [name, style.outlineStyle + " " + style.outlineWidth];
            }"""
        )
        if not name:
            break
        assert outline == "solid 3px", name
        reached.append(name)
    wanted = {
        *("find", "level", "status", "tactics", "fidelity", "verdict", "sysmon/kql", "sysmon/spl"),
        *(
            "open-all",
            "close-all",
            "t1021.002",
            "Table of rules by cell",
            "Heat map of tactics and techniques",
        ),
        *("hostile SUMMARY", "many SUMMARY", "other SUMMARY"),
    }
    assert wanted <= set(reached)
    page.locator("#many > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#many").evaluate("part => part.open")
    page.locator("#many .part > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#many .part").first.evaluate("part => part.open")


def test_links_open_a_rule_and_a_cell(shown: Opened) -> None:
    page = shown.page
    page.get_by_role("link", name="Of Another Log").click()
    playwright.expect(page.locator("#other--sysmon-kql")).to_be_visible()
    assert page.evaluate("document.activeElement.innerText").startswith("Of Another Log")
    page.locator("tr[data-rule=many] a", has_text="exact").first.click()
    article = page.locator("#many--sysmon-kql")
    playwright.expect(article).to_be_in_viewport()
    assert page.evaluate("document.activeElement.id") == "many--sysmon-kql"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Any, report: Path, scheme: str) -> None:
    made = opened(browser, report / "index.html", color_scheme=scheme)
    back = made.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}[scheme]
    made.page.evaluate(_OPEN)
    found = made.page.evaluate(_CONTRAST)
    assert found["seen"] > 300
    assert found["low"] == []
    made.check()
    made.page.context.close()


def test_phone(browser: Any, report: Path) -> None:
    """At 375 px nothing but the boxes of tables and code scrolls sideways, whatever is open."""
    made = opened(browser, report / "index.html", viewport={"width": 375, "height": 700}, has_touch=True)
    page = made.page
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert page.evaluate(width) == [375, 375]
    page.evaluate(_OPEN)
    assert page.evaluate(width) == [375, 375]
    box = page.get_by_role("region", name="Table of rules by cell")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input[type=search], summary, .rules a")]
          .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24)
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert small == []  # WCAG 2.2, target size (minimum): 24 px
    made.check()
    page.context.close()


def test_a_page_of_its_own(
    browser: Any, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many rules each has a page: the index leads to the cell there, and filters."""
    monkeypatch.chdir(report.parent)
    monkeypatch.setattr("converter.report.page.ONE_PAGE", 2)
    assert CliRunner().invoke(main, ["report", "-o", str(tmp_path)]).exit_code == 0
    made = opened(browser, tmp_path / "index.html", viewport={"width": 375, "height": 700})
    made.page.get_by_label("Search").fill("many")
    assert made.visible_rules() == ["many"]
    made.page.locator("tr[data-rule=many] a", has_text="exact").first.click()
    playwright.expect(made.page.locator("#many--sysmon-kql pre").first).to_be_in_viewport()
    assert made.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [375, 375]
    made.page.get_by_role("link", name="Detection rules").click()
    playwright.expect(made.page.locator("table.rules")).to_be_attached()
    made.check()
    made.page.context.close()


def test_nothing_moves(browser: Any, report: Path) -> None:
    made = opened(browser, report / "index.html", reduced_motion="reduce")
    moving = made.page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((one) => {
          const style = getComputedStyle(one);
          return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0
            || style.scrollBehavior === "smooth";
        }).length"""
    )
    assert moving == 0
    made.page.context.close()


def test_print(shown: Opened) -> None:
    """On paper the rules are open and the controls are gone."""
    page = shown.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("#filter").is_visible()
    assert page.locator("button.copy:visible").count() == 0
    assert page.locator("article:visible").count() == 6
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("article:visible").count() == 0


def test_works_without_script(browser: Any, report: Path) -> None:
    """Everything is there and opens; only what needs the script is not shown."""
    made = opened(browser, report / "index.html", java_script_enabled=False)
    assert not made.page.locator("#filter").is_visible()
    made.page.locator("#many > summary").click()
    playwright.expect(made.page.locator("#many--sysmon-kql")).to_be_visible()
    assert made.page.locator("button.copy:visible").count() == 0
    made.check()
    made.page.context.close()
