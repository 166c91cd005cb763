"""Transformations of the data of a registry value, which Sysmon writes as a text.

- ``registry_data``: the data in one field, with its type in another.
- ``registry_value_data``: texts and numbers in fields of their own, with the type in a third.

Sysmon writes ``DWORD (0x00000001)``, ``QWORD (0x00000000-0x00000001)``, ``Binary Data`` and ``(Empty)`` for
what is no text; platforms store a number and a type. So each pattern is asked which of these texts it can
match: a part of one that every number shares is a test of the type, one that a few numbers share names them,
and one between is refused.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCasedString,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import patterns, regexes
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.patterns import MANY, ONE, Tokens
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, REGEXES, Form, Rewriting

_HEX = ["0123456789abcdef"] * 8
_DWORD = [*"DWORD (0x", *_HEX, ")"]
_QWORD = [*"QWORD (0x", *_HEX, *"-0x", *_HEX, ")"]
_BINARY, _EMPTY = "Binary Data", "(Empty)"
_WRITTEN = re.compile(
    r"(?i)DWORD \(0x[0-9a-f]{8}\)|QWORD \(0x[0-9a-f]{8}-0x[0-9a-f]{8}\)|Binary Data|\(Empty\)"
)
_LETTERS = frozenset("dworq ()0123456789abcdefx-binarydataempty")
"""What Sysmon's texts for data that is no text consist of, in lower case."""


@dataclass(frozen=True, slots=True)
class _Meant:
    """Which data a pattern for Sysmon's text matches."""

    dwords: list[int] | bool
    """Numbers, all of them (True) or none."""
    qwords: list[int] | bool
    binary: bool
    empty: bool
    text: bool
    """Whether it can match a text."""


class _Data(Rewriting):
    proven: ClassVar = PATTERNS | ABSENCE | REGEXES | {Form.CASED, Form.EMPTY, Form.NUMBER}
    advice: ClassVar = "compare the text that Sysmon writes, such as 'DWORD (0x00000001)'"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of a number's text that some numbers have and others have not.
        """
        return common.group(item, [self._one(item, value) for value in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        if isinstance(value, SigmaNull):
            return self.of_none(item)
        if isinstance(value, SigmaExists):
            return self.of_any(item) if value.exists else self.of_none(item)
        if isinstance(value, SigmaRegularExpression):
            if not regexes.needed(value) - _LETTERS:
                raise common.refuse(
                    item,
                    value,
                    "numbers and binary data are not stored as Sysmon writes them, and this may "
                    f"find them: {self.advice}",
                )
            return self.of_text(item, value, digits=False)
        if isinstance(value, SigmaNumber):
            return self.of_text(item, value, digits=True)
        assert isinstance(value, SigmaString)
        if not value.s:
            return self.of_blank(item, value)
        pattern = patterns.tokens(common.parts(value))
        if pattern == (MANY,):
            return self.of_any(item)
        meant = self._meant(item, value, pattern)
        parts = list(self._parts(item, value, pattern, meant))
        return parts[0] if len(parts) == 1 else common.linked(parts, ConditionOR)

    def _meant(self, item: SigmaDetectionItem, value: SigmaString, pattern: Tokens) -> _Meant:
        cased = isinstance(value, SigmaCasedString)
        dwords, qwords = (self._numbers(item, value, pattern, text) for text in (_DWORD, _QWORD))
        return _Meant(
            dwords,
            qwords,
            patterns.matches(pattern, _BINARY, cased),
            patterns.matches(pattern, _EMPTY, cased),
            _WRITTEN.fullmatch(
                "".join(map(str, pattern)) if MANY not in pattern and ONE not in pattern else ""
            )
            is None,
        )

    @staticmethod
    def _numbers(
        item: SigmaDetectionItem, value: SigmaString, pattern: Tokens, text: Sequence[str]
    ) -> list[int] | bool:
        """Return the numbers whose text a pattern matches: some, or all (True)."""
        cased = isinstance(value, SigmaCasedString)
        found = patterns.numbers(pattern, text, cased)
        if found is not None:
            return [int("".join(re.findall("0x([0-9a-f]{8})", one)), 16) for one in found]
        if patterns.every(pattern, text, cased):
            return True
        reason = (
            "a number is stored in decimal, without its type: compare the whole text, or what is before it"
        )
        raise common.refuse(item, value, reason)

    def _parts(
        self, item: SigmaDetectionItem, value: SigmaString, pattern: Tokens, meant: _Meant
    ) -> Iterator[Part]:
        if meant.text:
            yield self.of_text(item, value, _matches_digits(pattern))
        types: list[str] = []
        for kind, numbers in (("dword", meant.dwords), ("qword", meant.qwords)):
            if numbers is True:
                types.append(kind)
            elif isinstance(numbers, list) and numbers:
                yield self.of_numbers(item, value, kind, numbers)
        types += ["binary"] if meant.binary else []
        if types:
            yield self.of_kinds(item, types)
        if meant.empty:
            yield self.of_empty(item)
        if not meant.text and not types and not meant.empty and not (meant.dwords or meant.qwords):
            # Sysmon's text in another case than Sysmon's, as written: no event has it, nor has any text.
            raise common.refuse(item, value, "Sysmon writes it in another case")

    @abstractmethod
    def of_kinds(self, item: SigmaDetectionItem, kinds: Sequence[str]) -> Part:
        """Return the condition that the data is of one of some kinds: dword, qword, binary."""

    @abstractmethod
    def of_numbers(
        self, item: SigmaDetectionItem, value: SigmaType, kind: str, numbers: Sequence[int]
    ) -> Part:
        """Return the condition that the data is one of some numbers of a kind."""

    @abstractmethod
    def of_text(self, item: SigmaDetectionItem, value: SigmaType, digits: bool) -> Part:
        """Return the condition that the data is a text that a value matches.

        Args:
            item: the rule's.
            value: a pattern, which finds nothing of what is no text, but for ``digits``.
            digits: whether the value matches texts of digits, as numbers are stored.
        """

    @abstractmethod
    def of_empty(self, item: SigmaDetectionItem) -> Part:
        """Return the condition that the data is an empty text, Sysmon's ``(Empty)``."""

    @abstractmethod
    def of_blank(self, item: SigmaDetectionItem, value: SigmaString) -> Part:
        """Return the condition for a rule's empty text, which no event of Sysmon has."""

    @abstractmethod
    def of_any(self, item: SigmaDetectionItem) -> Part:
        """Return the condition that there is data of any kind."""

    @abstractmethod
    def of_none(self, item: SigmaDetectionItem) -> Part:
        """Return the condition that there is no data, as with keys."""


def _matches_digits(pattern: Tokens) -> bool:
    """Tell whether a pattern may match a text of digits alone."""
    return all(not isinstance(token, str) or token in "0123456789" for token in pattern)


def _texts(item: SigmaDetectionItem, name: str, texts: Sequence[str]) -> SigmaDetectionItem:
    """Return an item for which any of some texts may hold."""
    made = common.item(item, name, common.string(SigmaString(), [texts[0]]))
    made.value += [common.string(SigmaString(), [text]) for text in texts[1:]]
    made.value_linking = ConditionOR
    return made


@dataclass
class RegistryData(_Data):
    """Map Sysmon's text of a registry value to the platform's data, where that is the bare value.

    ``type_field``: the field with the type; ``dword``, ``qword`` and ``binary``: its texts for those. Binary
    data is never kept. ``missing``: an empty text of the rule means the same as no value. ``former``: the
    field holds the former data beside the new, and the type is that of the new.
    """

    type_field: str
    dword: str = "Dword"
    qword: str = "Qword"
    binary: str = "Binary"
    missing: bool = False
    former: bool = False

    def of_kinds(self, item: SigmaDetectionItem, kinds: Sequence[str]) -> Part:  # noqa: D102
        return _texts(item, self.type_field, [getattr(self, kind) for kind in kinds])

    def of_numbers(  # noqa: D102
        self, item: SigmaDetectionItem, value: SigmaType, kind: str, numbers: Sequence[int]
    ) -> Part:
        data = _texts(item, str(item.field), list(map(str, numbers)))
        return common.linked([data, self.of_kinds(item, [kind])], ConditionAND)

    def of_text(self, item: SigmaDetectionItem, value: SigmaType, digits: bool) -> Part:  # noqa: D102
        here = common.item(item, str(item.field), value)
        # The former text of what is a number now would be found beside that number.
        if digits or self.former:
            return common.linked([here, self._no_number(item)], ConditionAND)
        return here

    def of_empty(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        # Changes of keys have no data either, and no type.
        nothing = common.item(item, str(item.field), SigmaNull())
        other = self.of_kinds(item, ["binary"])
        assert isinstance(other, SigmaDetectionItem)
        other.negated = True
        return common.linked([nothing, other, self.of_any(item)], ConditionAND)

    def of_blank(self, item: SigmaDetectionItem, value: SigmaString) -> Part:  # noqa: D102
        if self.missing:
            return self.of_none(item)
        here = common.item(item, str(item.field), value)
        return common.linked([here, self.of_none(item)], ConditionAND)

    def of_any(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        return common.item(item, self.type_field, common.string(SigmaString(), [MANY]))

    def of_none(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        return common.item(item, self.type_field, SigmaNull())

    def _no_number(self, item: SigmaDetectionItem) -> Part:
        made = self.of_kinds(item, ["dword", "qword"])
        assert isinstance(made, SigmaDetectionItem)
        made.negated = True
        return made


@dataclass
class RegistryValueData(_Data):
    """Map Sysmon's text of a registry value to the field of its kind.

    ``text``: the field with texts. ``number``: the field with numbers, in decimal. ``kind``: the field with
    the type of the value; ``binary``, ``strings``, ``dword`` and ``qword``: its texts for those. ``empty``:
    an empty text may be stored as such. ``missing``: an empty text of the rule means the same as no value.
    ``largest``: the largest number that ``number`` can hold, if there is one below what the registry can.
    """

    text: str
    number: str
    kind: str
    binary: str
    strings: list[str]
    dword: str
    qword: str
    empty: bool = False
    missing: bool = False
    largest: int | None = None

    def of_kinds(self, item: SigmaDetectionItem, kinds: Sequence[str]) -> Part:  # noqa: D102
        return _texts(item, self.kind, [getattr(self, kind) for kind in kinds])

    def of_numbers(  # noqa: D102
        self, item: SigmaDetectionItem, value: SigmaType, kind: str, numbers: Sequence[int]
    ) -> Part:
        if self.largest is not None and max(numbers) > self.largest:
            raise common.refuse(item, value, f"numbers above {self.largest} are not kept")
        data = _texts(item, self.number, list(map(str, numbers)))
        return common.linked([data, self.of_kinds(item, [kind])], ConditionAND)

    def of_text(self, item: SigmaDetectionItem, value: SigmaType, digits: bool) -> Part:  # noqa: D102
        return common.item(item, self.text, value)

    def of_empty(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        missing = common.item(item, self.text, SigmaNull())
        if self.empty:
            missing.value.append(common.string(SigmaString(), []))
            missing.value_linking = ConditionOR
        return common.linked([missing, _texts(item, self.kind, self.strings)], ConditionAND)

    def of_blank(self, item: SigmaDetectionItem, value: SigmaString) -> Part:  # noqa: D102
        if self.missing:
            return self.of_none(item)
        here = common.item(item, self.text, value)
        return common.linked([here, self.of_none(item)], ConditionAND)

    def of_any(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        return _texts(item, self.kind, [*self.strings, self.binary, self.dword, self.qword])

    def of_none(self, item: SigmaDetectionItem) -> Part:  # noqa: D102
        made = self.of_any(item)
        assert isinstance(made, SigmaDetectionItem)
        made.negated = True
        return made
