r"""Look for a text in an analysed field, which Elasticsearch keeps as words: whole ones, beginnings, ends.

An analyser takes a text apart at separators. Of the text that a rule looks for, a word between two
separators is a whole word of the field, and words that follow each other are a phrase; a word at an edge
where the rule's text may go on is the end or the beginning of one of the field's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from converter.backends.lucene.expression import ANY, Node, Part, Phrase, Text


@dataclass(frozen=True, slots=True)
class Analyser:
    """What an analyser does with text."""

    word: re.Pattern[str]
    """Characters that it never separates."""
    separators: re.Pattern[str]
    """Characters that always separate what is on their two sides; another one may or may not."""
    longest: int | None = None
    """It cuts longer words in two."""


# Unicode Standard Annex 29, word boundaries: `_` joins, `.`, `:` and `'` join letters, `.`, `,`, `;` and `'`
# join digits; `#` and `*` begin an emoji.
STANDARD = Analyser(re.compile("[A-Za-z0-9]+"), re.compile(r"[\0- !\"$%&()+\-/<=>?@\[\\\]^`{|}~]*"), 255)
ANALYSERS = {
    None: STANDARD,
    r"[\W&&[^-]]+": Analyser(re.compile("[A-Za-z0-9_-]+"), re.compile("[^A-Za-z0-9_-]*")),
}
"""By `Column.analyzer`. Java's ``\\W`` is what is not ``[a-zA-Z_0-9]``."""


def conditions(name: str, parts: Sequence[Part], analyser: Analyser) -> list[Node]:
    """Return what an analysed field holds if its text is one that the parts describe, if anything.

    Args:
        name: the field.
        parts: literal texts and wildcards, over the whole text.
        analyser: of the field.
    """
    found: dict[Node, None] = {}
    for place, part in enumerate(parts):
        if isinstance(part, str):
            nodes = _of_literal(name, part, place == 0, place == len(parts) - 1, analyser)
            found.update(dict.fromkeys(nodes))
    return list(found)


def is_exact(parts: Sequence[Part], analyser: Analyser) -> bool:
    """Tell whether the field's words say all that the parts do: one word, anywhere."""
    if len(parts) != 3 or (parts[0], parts[2]) != (ANY, ANY) or not isinstance(parts[1], str):
        return False
    return analyser.word.fullmatch(parts[1]) is not None


def _of_literal(name: str, literal: str, begins: bool, ends: bool, analyser: Analyser) -> Iterator[Node]:
    """Yield conditions; ``begins`` and ``ends`` say whether the field's text does where the literal does."""
    whole: list[str] = []
    last = 0
    for match in analyser.word.finditer(literal):
        before, after = literal[last : match.start()], literal[match.end() : match.end() + 1]
        left = _separated(before[-1], analyser) if before else begins
        right = _separated(after, analyser) if after else ends
        if whole and not _separated(before, analyser):
            yield Phrase(name, tuple(whole))
            whole = []
        last = match.end()
        word = match.group().lower()
        if left and right:
            whole.append(word)
            continue
        if whole:
            yield Phrase(name, tuple(whole))
            whole = []
        yield Text(name, (*(() if left else (ANY,)), word, *(() if right else (ANY,))), folds=False)
    if whole:
        yield Phrase(name, tuple(whole))


def _separated(text: str, analyser: Analyser) -> bool:
    return analyser.separators.fullmatch(text) is not None


def longest(parts: Sequence[Part], analyser: Analyser) -> int:
    """Return the length of the longest word of the parts, 0 if there is none."""
    words = (word for part in parts if isinstance(part, str) for word in analyser.word.findall(part))
    return max(map(len, words), default=0)
