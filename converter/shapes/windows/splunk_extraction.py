"""Splunk's search-time field extraction, run over an event's text as `splunk_addons.yml` says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from converter.errors import PipelineError
from converter.files import yaml_source

FILE = Path(__file__).with_name("splunk_addons.yml")
WINDOWS = "Splunk_TA_windows"
SYSMON = "Splunk_TA_microsoft_sysmon"
ADDONS = (WINDOWS, SYSMON)
"""Both stand on the search heads: splunk/security_content's lists of fields of Sysmon's events hold what the
one extracts (EventData_Xml) beside what the other does (EventChannel)."""

_GROUP = re.compile(r"\$(\d)")
_UNCLEAN = re.compile(r"[^A-Za-z0-9_]")

Found = dict[str, list[str]]


@cache
def data() -> Mapping[str, Any]:
    """Return the add-ons' extractions.

    Raises:
        PipelineError: if the file is no YAML.
    """
    parsed: Mapping[str, Any] = yaml_source.parse(
        yaml_source.read_text(FILE, FILE.name, PipelineError), FILE.name, PipelineError
    )[0]
    return parsed


def of_xml(raw: str, source: str, sourcetype: str, addons: Sequence[str] = ADDONS) -> dict[str, Any]:
    """Return the fields that a search sees of a rendered record.

    Args:
        raw: the event's text.
        source: its source.
        sourcetype: its sourcetype.
        addons: those that are installed.

    Returns:
        Each field's text; a list where several were found.
    """
    found: Found = {}
    stanzas = [
        (data()[addon]["transforms"], stanza)
        for addon in addons
        for stanza in data()[addon]["stanzas"]
        if stanza.get("source", source) == source and stanza.get("sourcetype", sourcetype) == sourcetype
    ]
    reports = [
        (name, [transforms[one] for one in listed])
        for transforms, stanza in stanzas
        for name, listed in stanza["reports"].items()
    ]
    for _, listed in sorted(reports, key=lambda report: report[0]):
        for transform in listed:
            _extract(transform, raw, found)
    for _, stanza in stanzas:
        for alias, name in stanza["aliases"].items():
            if name in found:
                found[alias] = list(found[name])
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _extract(transform: Mapping[str, Any], raw: str, found: Found) -> None:
    key = transform.get("source_key", "_raw")
    texts = [raw] if key == "_raw" else list(found.get(key, ()))
    name, value = transform["format"].split("::", 1)
    for text in texts:
        for match in _compiled(transform["regex"]).finditer(text):
            field = _UNCLEAN.sub("_", _filled(name, match)).lstrip("_0123456789")
            said = _filled(value, match)
            if said and field and (field not in found or transform.get("mv_add")):
                found.setdefault(field, []).append(said)
            if "$" not in name:
                break


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    # PCRE's classes know ASCII only, and its `.` stops at a line feed, as Python's does.
    return re.compile(regex, re.ASCII)


def _filled(form: str, match: re.Match[str]) -> str:
    return "".join(part if isinstance(part, str) else match[part] or "" for part in _parts(form))


@cache
def _parts(form: str) -> tuple[str | int, ...]:
    """Return a format's texts and the numbers of the groups between them."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_GROUP.split(form)) if part)


def of_json(raw: str) -> dict[str, Any]:
    """Return the fields that Splunk extracts from an event of JSON by itself.

    Only the first bytes are looked at (`extraction_cutoff`); a value that goes on behind them is none. Names
    of nested values are joined by dots; null is the text ``null``.
    """
    cut = int(data()["json"]["extraction_cutoff"])
    found: dict[str, Any] = {}
    _walk(raw, _space(raw, 0), "", cut, found)
    return found


def _walk(raw: str, position: int, prefix: str, cut: int, found: dict[str, Any]) -> int:
    """Add the values of the object at a position; return the position after it."""
    decoder = json.JSONDecoder()
    position = _space(raw, position + 1)
    while raw[position] != "}":
        name, position = decoder.raw_decode(raw, position)
        position = _space(raw, _space(raw, position) + 1)  # The colon.
        if raw[position] == "{":
            position = _walk(raw, position, f"{prefix}{name}.", cut, found)
        else:
            value, position = decoder.raw_decode(raw, position)
            end = position if raw.isascii() else len(raw[:position].encode("utf-8", "surrogatepass"))
            if end <= cut:
                found[f"{prefix}{name}"] = _text(value)
        position = _space(raw, position)
        if raw[position] == ",":
            position = _space(raw, position + 1)
    return position + 1


def _space(raw: str, position: int) -> int:
    while raw[position] in " \t\r\n":
        position += 1
    return position


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return value if isinstance(value, str) else json.dumps(value)
