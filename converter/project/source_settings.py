"""What the configuration says about a source on a platform: ``[tool.sigconv.source.<source>.<platform>]``.

Values are checked so strictly that none can end a term, a string or a name of a query; what is meant as
part of the query's text (a workspace function) has a key of its own, ``expression``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from converter.errors import UsageError
from converter.plan.columns import Column
from converter.platforms import PLATFORMS, Platform

LOGSOURCE = "logsource"
"""A key of ``[tool.sigconv.source.none]``, beside the platforms."""
CHECKED = "checked elsewhere"
"""Its value: an index, a data view or a macro holds only events of the rules' log sources."""
Renames = Mapping[str, tuple[str, ...]]
"""Old name -> new names; the key ``*`` stands for all."""

_VIA = {"eventdata_xml", "eventdata_dynamic"}
_SPLUNK_TEXT = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029\"`\\|\[\]]+")
_MACRO = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\([A-Za-z0-9_.*:/, -]*\))?", re.ASCII)
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FIELD = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029\"'`\\|*]+")
_VARIANT = re.compile(r"[a-z0-9_]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Settings:
    """The overrides of one source on one platform."""

    variant: str = ""
    index: Renames = field(default_factory=dict)
    """Elastic: patterns, to none (not searched) or several. Splunk: key ``*`` only."""
    table: Renames = field(default_factory=dict)
    expression: Mapping[str, str] = field(default_factory=dict)
    """Table -> KQL in its place, as it is; the key ``*`` is for all."""
    source: Renames = field(default_factory=dict)
    sourcetype: Renames = field(default_factory=dict)
    macro: Mapping[str, str] = field(default_factory=dict)
    """Source or sourcetype -> search macro in its place; the key ``*`` is for all."""
    fields: Mapping[str, Column] = field(default_factory=dict)
    mapping: Renames = field(default_factory=dict)
    """Rule field -> columns (or the source's own rule fields), before anything else is mapped."""
    logsource: str = ""
    """Of the source `none`: `CHECKED` if only events of the rules' log sources are searched."""

    @property
    def locates(self) -> bool:
        """Whether something here says where events are."""
        return any((self.index, self.table, self.expression, self.source, self.sourcetype, self.macro))

    @property
    def same_queries(self) -> bool:
        """Whether nothing here changes a query of the pipeline that ``variant`` chooses."""
        return not (self.locates or self.fields or self.mapping or self.logsource)


def read(table: Any, platform: str, key: str, file: str) -> Settings:
    """Return the settings of one TOML table.

    Args:
        table: what is at ``key``.
        platform: elastic, splunk or kusto.
        key: the dotted key, for messages.
        file: the configuration file, for messages.

    Raises:
        UsageError: SC601 with the key that is wrong.
    """
    checker = _Checker(file)
    of = PLATFORMS[platform]
    found = checker.table(table, key, of.settings)
    if not of.index.renamed and isinstance(found.get("index"), dict):
        raise checker.wrong(f"{key}.index", f"is {of.index.what} or a list of them")
    if set(found) >= {"table", "expression"}:
        raise checker.wrong(f"{key}.expression", "cannot stand beside 'table'")
    if "macro" in found and {"source", "sourcetype"} & set(found):
        raise checker.wrong(f"{key}.macro", "is in place of source and sourcetype")
    return Settings(
        variant=checker.text(found.get("variant", "x"), f"{key}.variant", _VARIANT, "an option's name")
        if "variant" in found
        else "",
        index=checker.renames(found.get("index"), f"{key}.index", of.index.form, of.index.what, empty=True),
        table=checker.renames(
            found.get("table"), f"{key}.table", _TABLE, "a table's name (KQL goes into 'expression')"
        ),
        expression=checker.raw(found.get("expression"), f"{key}.expression"),
        source=checker.renames(found.get("source"), f"{key}.source", _SPLUNK_TEXT, "a source"),
        sourcetype=checker.renames(
            found.get("sourcetype"), f"{key}.sourcetype", _SPLUNK_TEXT, "a sourcetype"
        ),
        macro={
            old: new[0]
            for old, new in checker.renames(
                found.get("macro"), f"{key}.macro", _MACRO, "a macro's name, without backticks"
            ).items()
        },
        fields={
            checker.text(name, f"{key}.fields", _FIELD, "a field's name"): checker.column(
                one, of, f"{key}.fields.{name}"
            )
            for name, one in checker.mapping(found.get("fields"), f"{key}.fields").items()
        },
        mapping={
            checker.text(name, f"{key}.mapping", _FIELD, "a field's name"): checker.texts(
                one, f"{key}.mapping.{name}", _FIELD, "a field's name"
            )
            for name, one in checker.mapping(found.get("mapping"), f"{key}.mapping").items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Checker:
    file: str

    def wrong(self, key: str, message: str, hint: str | None = None) -> UsageError:
        return UsageError("SC601", f"'{key}' {message}", file=self.file, hint=hint)

    def mapping(self, value: Any, key: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(key, "is a table")
        return value

    def table(self, value: Any, key: str, known: Set[str]) -> Mapping[str, Any]:
        found = self.mapping(value, key)
        for name in found:
            if name not in known:
                raise self.wrong(f"{key}.{name}", "is unknown", ", ".join(sorted(known)))
        return found

    def text(self, value: Any, key: str, form: re.Pattern[str], what: str) -> str:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise self.wrong(key, f"is {value!r}, which is not {what}")
        return value

    def texts(self, value: Any, key: str, form: re.Pattern[str], what: str) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise self.wrong(key, "is empty")
        return tuple(self.text(one, key, form, what) for one in values)

    def renames(
        self, value: Any, key: str, form: re.Pattern[str], what: str, *, empty: bool = False
    ) -> Renames:
        if value is None:
            return {}
        if not isinstance(value, dict):
            return {"*": self.texts(value, key, form, what)}
        return {
            old: () if new == [] and empty else self.texts(new, f"{key}.{old}", form, what)
            for old, new in value.items()
        }

    def raw(self, value: Any, key: str) -> Mapping[str, str]:
        """Return KQL as it is: only what a query's lines would hide is refused."""
        if value is None:
            return {}
        found = value if isinstance(value, dict) else {"*": value}
        for old, text in found.items():
            if not isinstance(text, str) or not text.strip() or _CONTROL.search(text):
                raise self.wrong(f"{key}.{old}" if old != "*" else key, "is one line of KQL")
        return dict(found)

    def column(self, value: Any, platform: Platform, key: str) -> Column:
        found = {"type": value} if isinstance(value, str) else value
        found = dict(self.table(found, key, platform.field_settings))
        known = platform.types
        if found.get("type") not in known:
            raise self.wrong(
                f"{key}.type",
                f"is {found.get('type')!r}, no type of {platform.name}",
                ", ".join(sorted(known)),
            )
        for name in ("optional", "multi"):
            if not isinstance(found.get(name, False), bool):
                raise self.wrong(f"{key}.{name}", "is true or false")
        if "caseless" in found:
            self.text(found["caseless"], f"{key}.caseless", _FIELD, "a field's name")
        if "null" in found and not isinstance(found["null"], str):
            raise self.wrong(f"{key}.null", "is a text")
        if "via" in found and found["via"] not in _VIA:
            raise self.wrong(
                f"{key}.via", f"is none of {', '.join(sorted(_VIA))} (KQL goes into 'expression')"
            )
        if "expression" in found:
            if "via" in found:
                raise self.wrong(f"{key}.expression", "cannot stand beside 'via'")
            found["via"] = "=" + self.raw(found.pop("expression"), f"{key}.expression")["*"]
        return Column(**found)
