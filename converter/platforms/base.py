"""What a platform is: its languages, what may be said about it in settings, and the types of its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.plan.columns import Column


@dataclass(frozen=True, slots=True)
class Language:
    """A query language of a platform."""

    name: str
    pysigma: frozenset[str]
    """pySigma's names for it, as pipelines write them in ``allowed_backends``."""
    one_value: bool = False
    """Whether a field holds one value; else a field that is not declared may be a list."""


@dataclass(frozen=True, slots=True)
class IndexName:
    """How a name of an index is written in settings."""

    form: re.Pattern[str]
    what: str
    """For messages: "an index name"."""
    renamed: bool = True
    """Whether settings may say a new name for each old one."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Where events are stored and searched."""

    name: str
    languages: tuple[Language, ...]
    settings: frozenset[str]
    """The keys of ``[tool.sigconv.source.<source>.<platform>]``."""
    field_settings: frozenset[str]
    """The keys of one field there."""
    types: frozenset[str]
    """Names of column types that a field may have there."""
    index: IndexName
    inferred: Mapping[str, Column]
    """Kind of values (string, integer, float, boolean, ip, time) -> the column of a field with such."""
    place: Mapping[str, Any]
    """The state that says where events are if no pipeline does; a search without one reads its defaults."""
