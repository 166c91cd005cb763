"""What SIEMs import, made from emitted queries: a registry of formats.

To add a format:

1. Write a module in this package with an `Exporter` (`base.py`). Its ``part`` turns one Sigma rule, with its
   queries in the languages that the format wants (`item.py`), into the text of one file; it raises a
   `Refusal` (SC210) for what the format cannot hold. Its ``whole``, if it has one, makes the files that hold
   all rules of a source from those texts. Both are pure: no clock, no file, no network, no random number.
2. Add a line to `FORMATS`.
3. Add ``tests/exports/test_<format>.py``: every shipped rule through the vendor's validator.

`build --format NAME` then writes ``exports/NAME/<source>/rules/<rule>.<ext>`` and the files of ``whole`` at
``exports/NAME/<source>/``, lists them in the manifest, compares them with ``--check`` and removes them when
their rule is gone. ``whole`` is given the texts of all rules, also of those that a run did not look at (their
files are read back): it must work from the texts alone.

This package knows `plan`, `columns` and `errors`; nothing of rules, pipelines or conversion.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from converter.exports.base import Exporter

FORMATS = {
    "defender-json": "converter.exports.defender.rule:JSON",
    "elastic-ndjson": "converter.exports.elastic.formats:NDJSON",
    "elastic-toml": "converter.exports.elastic.formats:TOML",
    "sentinel-arm": "converter.exports.sentinel.formats:ARM",
    "sentinel-yaml": "converter.exports.sentinel.formats:YAML",
    "splunk-app": "converter.exports.splunk.formats:APP",
    "splunk-conf": "converter.exports.splunk.formats:CONF",
}
"""Name of a format -> ``module:attribute`` of its `Exporter`; imported when it is asked for."""


def exporter(name: str) -> Exporter:
    """Return the exporter of a format.

    Raises:
        KeyError: if there is no such format.
    """
    module, _, attribute = FORMATS[name].partition(":")
    return cast("Exporter", getattr(import_module(module), attribute))
