r"""Relaxations of paths: a source that keeps the name of a file only, or volumes by number.

CrowdStrike's events, as public ones show them (elastic/integrations packages/crowdstrike/data_stream/fdr/
_dev/test): ``ParentBaseFileName`` and ``ContextBaseFileName`` are the names of files without a folder;
``ImageFileName`` and ``TargetFileName`` begin with ``\Device\HarddiskVolumeN\``, and no field has the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from converter.matcher.value import Part, Regex, Text, Value, Wild
from converter.verify.relaxations.documents import pattern, regex, rewritten
from converter.verify.relaxations.situation import Doc, Relaxation, Situation

_WHOLE_PATH = ("process_creation", "image_load")
"""Categories of which CrowdStrike's events have the whole path of the process."""
_PATHS = ("Image", "TargetFilename", "SourceFilename", "ImageLoaded")
_LETTER = "[A-Za-z]"
_DRIVE = re.compile(r"[A-Za-z]:(?=\\|\Z)")
_REGEX_DRIVE = re.compile(r"(?P<before>\^?|\\A)(?:[A-Za-z]|\[[A-Za-z-]+\]):(?=\\\\)")
_VOLUME = re.compile(r"(?i)\\Device\\HarddiskVolume")


def _folder(situation: Situation, _: str) -> Situation:
    def change(doc: Doc) -> Doc:
        category = (doc.get("logsource") or {}).get("category")
        fields = ("ParentImage",) if category in _WHOLE_PATH else ("ParentImage", "Image")
        return rewritten(doc, fields, _name_only, situation.placeholders)

    return situation.with_docs(change)


def _name_only(value: Value) -> Sequence[Value]:
    """Compare the name with what stands behind the last backslash; without one, with the whole pattern."""
    if not isinstance(value, Text) or set(value.parts) <= {Wild.ANY}:
        return [value]
    parts: list[Part] = []
    for part in value.parts:
        if isinstance(part, str) and "\\" in part:
            parts = [rest] if (rest := part.rpartition("\\")[2]) else []
        else:
            parts.append(part)
    name = pattern(parts, many=r"[^\\]*", single=r"[^\\]")
    return [regex(rf"(?:\A|\\){name}\z", value.cased)]


def _with_volume(doc: Doc) -> tuple[str, ...]:
    """Return the fields that have a volume: not the process where the source keeps the name of its file."""
    category = (doc.get("logsource") or {}).get("category")
    return _PATHS if category in _WHOLE_PATH else tuple(name for name in _PATHS if name != "Image")


def _volume(situation: Situation, _: str) -> Situation:
    def change(doc: Doc) -> Doc:
        return rewritten(doc, _with_volume(doc), _any_drive, situation.placeholders)

    return situation.with_docs(change)


def _any_drive(value: Value) -> Sequence[Value]:
    """Compare with the path on a drive of any letter."""
    if isinstance(value, Regex):
        found = _REGEX_DRIVE.match(value.source)
        if not found:
            return [value]
        return [Regex(f"{found['before']}{_LETTER}:{value.source[found.end() :]}", value.flags)]
    if not isinstance(value, Text):
        return [value]
    at = 1 if value.parts[:1] == (Wild.ANY,) and len(value.parts) > 1 else 0
    head = value.parts[at] if len(value.parts) > at else ""
    if not isinstance(head, str) or not _DRIVE.match(head):
        return [value]
    rest = (head[1:], *value.parts[at + 1 :])
    before = ".*" if at else ""
    return [regex(rf"\A{before}{_LETTER}{pattern(rest)}\z", value.cased)]


def _kernel(situation: Situation, _: str) -> Situation:
    def change(doc: Doc) -> Doc:
        return rewritten(doc, _with_volume(doc), _lettered, situation.placeholders)

    return situation.with_docs(change)


def _lettered(value: Value) -> Sequence[Value]:
    r"""Compare also with the path as Windows writes it: of volume 3 that is drive C, of ``Mup`` a share."""
    if isinstance(value, Regex):
        text = value.source.replace("\\\\", "\\")
        found = re.match(r"(?i)\^?\\Device\\HarddiskVolume(\[0-9\]\+|\\d\+|\\d|\[0-9\]|\d{1,2})\\", text)
        if not found:
            return [value]
        rest = value.source[value.source.lower().index("harddiskvolume") + len("harddiskvolume") :]
        rest = rest[len(found[1]) :]
        return [value, Regex(f"^{_letters(found[1])}:{rest}", value.flags)]
    if not isinstance(value, Text):
        return [value]
    at = 1 if value.parts[:1] == (Wild.ANY,) else 0
    head = value.parts[at] if len(value.parts) > at else ""
    if not isinstance(head, str):
        return [value]
    start = r"\A.*" if at else r"\A"
    if found := re.match(r"(?i)\\Device\\Mup(?=\\)", head):
        shared = pattern((f"\\{head[found.end() :]}", *value.parts[at + 1 :]))
        return [value, regex(rf"{start}{shared}\z", value.cased)]
    found = _VOLUME.search(head)
    if not found:
        return [value]
    digits: list[str] = []
    behind: list[Part] = [head[found.end() :], *value.parts[at + 1 :]]
    while behind:
        first = behind[0]
        if first is Wild.ONE:
            digits.append(r"\d")
            behind.pop(0)
        elif isinstance(first, str) and first[:1].isdigit():
            digits.append(first[0])
            behind[0] = first[1:]
        elif first == "":
            behind.pop(0)
        else:
            break
    # A star may stand for any number, and for whatever follows.
    letters = _LETTER if behind[:1] == [Wild.ANY] else _letters("".join(digits))
    return [value, regex(rf"{start}{letters}:{pattern(behind)}\z", value.cased)]


def _letters(number: str) -> str:
    """Return the letters of the volumes whose number a pattern fits: A is 1."""
    if number.endswith("+"):
        return _LETTER
    fitting = [chr(ord("A") + n - 1) for n in range(1, 27) if re.fullmatch(number or "x", str(n))]
    return f"[{''.join(fitting)}{''.join(fitting).lower()}]" if fitting else "(?!)"


RELAXATIONS = (
    Relaxation(
        "folder not looked at",
        "The source keeps the name of the file only: the rule's path is compared with its last part.",
        _folder,
    ),
    Relaxation("any volume", "The path is looked for on a drive of any letter.", _volume),
    Relaxation(
        "volumes by the kernel's names",
        "The source names every volume as the kernel does, so a rule's path that begins so is found on the "
        "drives with a letter too.",
        _kernel,
    ),
)
