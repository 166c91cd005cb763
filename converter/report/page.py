"""Draw a report: one page, or for many rules an index and a page for each; and the Navigator's layer."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from converter import __version__
from converter.attack import table
from converter.files import atomic
from converter.pipelines.trace import Comparison
from converter.report import navigator
from converter.report.highlight import highlight
from converter.report.model import FIDELITIES, VERDICTS, Report, plain

HOME = Path(__file__).parent
INDEX = "index.html"
LAYER = "navigator.json"
ONE_PAGE = 150
"""Up to so many rules all stand in one page; a browser opens larger pages too slowly."""
_SHOWN_VALUES = 12
_MARK = '<meta name="generator" content="sigconv report">'
"""By which a page of an earlier run is known."""


def pages(report: Report, generated: str = "") -> dict[str, str]:
    """Return what is to be written: path below the folder -> text. Equal reports give equal bytes.

    Args:
        report: what to show.
        generated: a time to print; "" for none.
    """
    split = len(report.rules) > ONE_PAGE
    environment = _environment()
    common = {"report": report, "split": split, "generated": generated, "base": ""}
    found = {
        INDEX: environment.get_template("index.html").render(common),
        LAYER: navigator.text(report),
    }
    if split:
        template = environment.get_template("rule_page.html")
        for rule in report.rules:
            found[f"rules/{rule.anchor}.html"] = template.render(common, rule=rule, base="../")
    return found


def write(folder: Path, found: Mapping[str, str]) -> None:
    """Write the pages, each whole, and remove those of rules that an earlier run had.

    Raises:
        UsageError: SC603 if one cannot be written.
    """
    for path, text in found.items():
        atomic.write(folder / path, text)
    for file in sorted((folder / "rules").glob("*.html")):
        if f"rules/{file.name}" not in found and _MARK in file.read_text(encoding="utf-8", errors="replace"):
            file.unlink()


@cache
def _asset(name: str) -> Markup:
    return Markup((HOME / "assets" / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    """Return what a Content-Security-Policy allows an inline style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _policy() -> str:
    """Nothing is loaded and nothing runs but the one style and the one script of the page."""
    return (
        f"default-src 'none'; style-src '{_digest(_asset('report.css'))}'; "
        f"script-src '{_digest(_asset('report.js'))}'; base-uri 'none'; form-action 'none'"
    )


def _is_link(text: str) -> bool:
    """A reference is whatever an author wrote: only these become links."""
    return text.startswith(("https://", "http://")) and not any(one.isspace() for one in text)


def _comparison(one: Comparison) -> str:
    shown = list(one.values[:_SHOWN_VALUES])
    if len(one.values) > _SHOWN_VALUES:
        shown.append(f"... {len(one.values)} values")
    values = " | ".join(shown)
    return f"{one.field} = {values}" if one.field else f"keyword {values}"


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HOME / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"highlight": highlight, "comparison": _comparison, "listed": _listed, "plain": plain}
    made.tests |= {"link": _is_link}
    made.globals |= {
        "css": _asset("report.css"),
        "js": _asset("report.js"),
        "policy": _policy(),
        "version": __version__,
        "attack_version": table.version(),
        "fidelities": FIDELITIES,
        "verdicts": VERDICTS,
        "layer": LAYER,
        "mark": Markup(_MARK),
    }
    return made
