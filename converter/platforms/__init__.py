"""The registry of platforms, and which language runs on which.

To add a language: its entry in the platform's module, a line in the registries of `converter.backends` and
`converter.engines`, and its two packages.
"""

from __future__ import annotations

from converter.platforms.base import IndexName, Language, Platform
from converter.platforms.elastic import ELASTIC
from converter.platforms.kusto import KUSTO
from converter.platforms.splunk import SPLUNK

__all__ = [
    "ELASTIC",
    "KUSTO",
    "LANGUAGES",
    "PLATFORMS",
    "SPLUNK",
    "IndexName",
    "Language",
    "Platform",
    "platform_of",
]

PLATFORMS = {platform.name: platform for platform in (ELASTIC, SPLUNK, KUSTO)}
LANGUAGES = {language.name: language for platform in PLATFORMS.values() for language in platform.languages}


def platform_of(language: str) -> Platform:
    """Return the platform that a language runs on.

    Raises:
        KeyError: if there is no such language.
    """
    return _OF[language]


_OF = {language.name: platform for platform in PLATFORMS.values() for language in platform.languages}
