r"""Relaxations of analysed text, which Elasticsearch searches word by word and in lower case.

Two analysers: ``pattern`` with ``[\W&&[^-]]+`` (elastic/integrations packages/windows/data_stream/
powershell_operational/manifest.yml), which keeps letters, digits, ``_`` and ``-`` together, and ``standard``
(Unicode Standard Annex 29): letters, digits and ``_`` stand together, ``.``, ``:`` and ``'`` join letters,
and ``.``, ``,``, ``;`` and ``'`` join digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from converter.matcher.value import Text, Value
from converter.verify.relaxations.documents import regex, rewritten
from converter.verify.relaxations.situation import Relaxation, Situation

TEXTS = ("ScriptBlockText", "Message", "Payload", "ContextInfo")
"""Fields of Windows' records that Elastic's integrations analyse (elastic/integrations packages/windows)."""
_OTHERS = "\u00aa-\uffff"
"""Letters of other scripts, and more: what stands there between words is not told apart."""


@dataclass(frozen=True, slots=True)
class _Analyser:
    word: re.Pattern[str]
    apart: re.Pattern[str]
    """What separates words whatever stands beside it."""
    within: str
    """A class of the characters of words."""
    joining: tuple[tuple[str, str], ...] = ()
    """Pairs of a class and the characters that join two of its members."""

    def begin(self, word: str) -> str:
        """Return what stands before a word where it begins."""
        joined = "".join(f"(?<![{of}][{by}])" for of, by in self.joining if re.match(f"[{of}]", word))
        return f"(?<![{self.within}]){joined}"

    def end(self, word: str) -> str:
        """Return what stands behind a word where it ends."""
        joined = "".join(f"(?![{by}][{of}])" for of, by in self.joining if re.search(f"[{of}]$", word))
        return f"(?![{self.within}]){joined}"


_ANALYSERS = {
    "pattern": _Analyser(re.compile(r"[A-Za-z0-9_-]+"), re.compile(r"[^A-Za-z0-9_-]+"), r"\w-"),
    "standard": _Analyser(
        re.compile(r"[A-Za-z0-9]+"),
        re.compile(r"[\0- !\"$%&()+\-/<=>?@\[\\\]^`{|}~]+"),
        rf"\w{_OTHERS}",
        (("A-Za-z", ".:'"), ("0-9", ".,;'")),
    ),
}


def _words(situation: Situation, argument: str) -> Situation:
    kind, _, column = (one.strip() for one in argument.partition(","))
    analyser = _ANALYSERS[kind or "standard"]

    def change(value: Value) -> Sequence[Value]:
        if not isinstance(value, Text):
            return [value]
        found = [
            wanted
            for place, part in enumerate(value.parts)
            if isinstance(part, str)
            for wanted in _wanted(part, place == 0, place == len(value.parts) - 1, analyser)
        ]
        looks = "".join(f"(?=.*{one})" for one in dict.fromkeys(found))
        return [regex(rf"\A{looks}")] if looks else [value]

    fields = {*TEXTS, column}
    return situation.with_docs(lambda doc: rewritten(doc, fields, change, situation.placeholders))


def _wanted(literal: str, begins: bool, ends: bool, analyser: _Analyser) -> Iterator[str]:
    """Yield what must stand in the text: words that follow each other, and parts of words at the edges.

    Args:
        literal: a text of the rule without wildcards.
        begins: whether the whole text begins where the literal does.
        ends: whether it ends there.
        analyser: of the field.
    """
    found = list(analyser.word.finditer(literal))
    phrase: list[str] = []
    last = 0
    for number, match in enumerate(found):
        before = literal[last : match.start()]
        behind = literal[match.end() : found[number + 1].start() if number + 1 < len(found) else None]
        left = begins if not before and not number else bool(analyser.apart.fullmatch(before[-1:]))
        right = ends if not behind else bool(analyser.apart.fullmatch(behind[:1]))
        follows = bool(analyser.apart.fullmatch(before)) if number else False
        last = match.end()
        word = match.group()
        if phrase and not (follows and left and right):
            yield _phrase(phrase, analyser)
            phrase = []
        if left and right:
            phrase.append(word)
        else:
            start = analyser.begin(word) if left else ""
            yield start + re.escape(word) + (analyser.end(word) if right else "")
    if phrase:
        yield _phrase(phrase, analyser)


def _phrase(words: Sequence[str], analyser: _Analyser) -> str:
    between = f"[^{analyser.within}]+"
    bounded = (analyser.begin(one) + re.escape(one) + analyser.end(one) for one in words)
    return between.join(bounded)


RELAXATIONS = (
    Relaxation(
        "words",
        "The words of the value stand in the text, those that follow each other as a phrase; the first may "
        "be the end of a longer word and the last its beginning.",
        _words,
    ),
)
