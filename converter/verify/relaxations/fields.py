"""Relaxations of the values that a rule compares a field with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from converter.matcher.value import Exists, Null, Text, Value, Wild
from converter.verify.relaxations.documents import compared, pattern, regex, rewritten
from converter.verify.relaxations.situation import Doc, Relax, Relaxation, Situation

_ACCOUNTS = (
    ("NT AUTHORITY\\ANONYMOUS LOGON",),
    ("NT AUTHORITY\\IUSR", "NT-AUTORITÄT\\IUSR", "AUTORITE NT\\IUSR"),
    ("NT AUTHORITY\\SYSTEM", "NT-AUTORITÄT\\SYSTEM", "AUTORITE NT\\Système"),
    ("NT AUTHORITY\\LOCAL SERVICE", "NT-AUTORITÄT\\LOKALER DIENST", "AUTORITE NT\\SERVICE LOCAL"),
    ("NT AUTHORITY\\NETWORK SERVICE", "NT-AUTORITÄT\\NETZWERKDIENST", "AUTORITE NT\\SERVICE RÉSEAU"),
    ("NT SERVICE\\TrustedInstaller",),
)
"""Accounts that every Windows has (learn.microsoft.com, Well-known SIDs): the name of English systems, then
those of German and French ones."""


def _on(fields: Sequence[str], change: Callable[[Value], Sequence[Value]]) -> Relax:
    def relax(situation: Situation, _: str) -> Situation:
        return situation.with_docs(lambda doc: rewritten(doc, fields, change, situation.placeholders))

    return relax


def _anywhere(value: Value) -> Sequence[Value]:
    """Compare with a text that may have other hashes before and after it."""
    if not isinstance(value, Text) or not value.parts:
        return [value]
    inner = [part for part in value.parts if part is not Wild.ANY]
    if len(inner) != 1 or not isinstance(inner[0], str):
        return [value]
    found = re.fullmatch(r"(?i)([A-Z0-9]+)=([0-9A-F]*)", inner[0])
    if not found:
        return [Text((Wild.ANY, inner[0], Wild.ANY), value.cased)]
    # A hash whose digits end where the value ends is a whole one; one with a star behind may go on.
    ends = value.parts[-1] is not Wild.ANY
    body, end = re.escape(inner[0]), r"(?:,|\z)" if ends else ""
    return [regex(rf"(?:\A|,){body}{end}", value.cased)]


def _accounts(value: Value) -> Sequence[Value]:
    """Compare with the whole names of the accounts of which some system's name fits."""
    if not isinstance(value, Text) or set(value.parts) <= {Wild.ANY}:
        return [value]
    fits = re.compile(pattern(value.parts), re.IGNORECASE | re.DOTALL).fullmatch
    return [Text((names[0],)) for names in _ACCOUNTS if any(map(fits, names))] or [regex("(?!)")]


def _not_trusted(value: Value) -> Sequence[Value]:
    """Compare with any status but Valid, where the rule names another one."""
    if not isinstance(value, Text):
        return [value]
    plain = "".join(str(part) for part in value.parts if isinstance(part, str)).lower()
    if Wild.ANY in value.parts or Wild.ONE in value.parts or plain == "valid" or not plain:
        return [value]
    return [regex(r"\A(?!Valid\z)")]


def _unlooked(situation: Situation, argument: str) -> Situation:
    """Take every comparison of a field as one that holds."""

    def always(value: Value) -> Sequence[Value]:
        return [Null(), Exists(True), Exists(False)]

    return situation.with_docs(lambda doc: rewritten(doc, [argument], always, situation.placeholders))


def _as_written(situation: Situation, _: str) -> Situation:
    """Compare every text of the rule as it is written, keywords too."""

    def change(value: Value) -> Sequence[Value]:
        return [replace(value, cased=True)] if isinstance(value, Text) else [value]

    names = {name for doc in situation.docs for name in compared(doc)}
    return situation.with_docs(lambda doc: rewritten(doc, names, change, situation.placeholders))


def _any_log(situation: Situation, _: str) -> Situation:
    def change(doc: Doc) -> Doc:
        return {**doc, "logsource": {}} if "logsource" in doc else doc

    return situation.with_docs(change)


RELAXATIONS = (
    Relaxation(
        "anywhere in the list of hashes",
        "The hash may stand anywhere in the list of hashes.",
        _on(("Hashes", "Hash"), _anywhere),
    ),
    Relaxation(
        "accounts known by name",
        "A part of an account's name is compared with the accounts that every Windows has, no others.",
        _on(("User",), _accounts),
    ),
    Relaxation(
        "not trusted, for whatever reason",
        "A signature's status other than Valid is any status other than Valid.",
        _on(("SignatureStatus",), _not_trusted),
    ),
    Relaxation("case as written", "Letters of the value are compared as they are written.", _as_written),
    Relaxation("field not looked at", "Comparisons of the field that the argument names hold.", _unlooked),
    Relaxation("log source not looked at", "Events of every log are looked at.", _any_log),
)
