"""Patterns with ``*`` and ``?`` as machines: what is left of one behind a text, and what it may match.

Steps that rewrite values use this to tell what a pattern says of the part of a value that the platform writes
otherwise. Texts are compared without the case of ASCII letters, as Sigma does, or as written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sigma.types import SpecialChars

MANY = SpecialChars.WILDCARD_MULTI
ONE = SpecialChars.WILDCARD_SINGLE
Parts = list[str | SpecialChars]
Tokens = tuple[str | SpecialChars, ...]
"""Single characters and wildcards."""
Places = frozenset[int]
"""Positions between the tokens at which a match may be."""


def tokens(parts: Iterable[str | SpecialChars]) -> Tokens:
    """Return the characters and wildcards of a pattern; neighbouring stars are one."""
    made: list[str | SpecialChars] = []
    for part in parts:
        if isinstance(part, str):
            made += part
        elif part is ONE or made[-1:] != [MANY]:
            made.append(part)
    return tuple(made)


def parts(pattern: Tokens) -> Parts:
    """Return a pattern as texts and wildcards; the reverse of `tokens`."""
    made: Parts = []
    for token in pattern:
        if isinstance(token, str) and made and isinstance(made[-1], str):
            made[-1] = f"{made[-1]}{token}"
        else:
            made.append(token)
    return made


def start(pattern: Tokens) -> Places:
    """Return where a match may be before the first character."""
    return _closed(pattern, {0})


def step(pattern: Tokens, places: Places, characters: str, cased: bool = False) -> Places:
    """Return where a match may be behind any one of some characters."""
    known = characters if cased else characters.lower()
    found: set[int] = set()
    for place in places:
        if place == len(pattern):
            continue
        token = pattern[place]
        if token is MANY:
            found.add(place)
        elif token is ONE or (str(token) if cased else _lower(str(token))) in known:
            found.add(place + 1)
    return _closed(pattern, found)


def behind(pattern: Tokens, text: Iterable[str], cased: bool = False) -> Places:
    """Return where a match may be behind a text, each place of which may be any of some characters."""
    places = start(pattern)
    for characters in text:
        places = step(pattern, places, characters, cased)
    return places


def ends(pattern: Tokens, places: Places) -> bool:
    """Tell whether a match may end at one of the places."""
    return len(pattern) in places


def matches(pattern: Tokens, text: str, cased: bool = False) -> bool:
    """Tell whether a pattern matches a text."""
    return ends(pattern, behind(pattern, text, cased))


def rests(pattern: Tokens, places: Places) -> list[Tokens]:
    """Return what is left of a pattern at each of the places, without what another of them matches too."""
    # A place behind a star is reached through the star: the star alone says it.
    kept = [
        place
        for place in sorted(places)
        if not (place and pattern[place - 1] is MANY and place - 1 in places)
    ]
    return [pattern[place:] for place in kept]


def numbers(pattern: Tokens, text: Sequence[str], cased: bool = False, most: int = 16) -> list[str] | None:
    """Return the texts that a pattern matches, of all that can be made of some characters.

    Args:
        pattern: with wildcards.
        text: for each position the characters that may be there.
        cased: whether to compare as written.
        most: how many may be given.

    Returns:
        The texts; None if there are more than ``most``, and `every` may tell whether they are all of them.
    """
    found: list[tuple[str, Places]] = [("", start(pattern))]
    for position, characters in enumerate(text):
        following = [
            (made + one, after)
            for made, places in found
            for one in characters
            if (after := step(pattern, places, one, cased))
            and _alive(pattern, after, text[position + 1 :], cased)
        ]
        if len(following) > most:
            return None
        found = following
    return [made for made, places in found if ends(pattern, places)]


def every(pattern: Tokens, text: Sequence[str], cased: bool = False) -> bool:
    """Tell whether a pattern matches every text that can be made of the characters of each position."""
    sets = {start(pattern)}
    for characters in text:
        sets = {step(pattern, places, one, cased) for places in sets for one in characters}
    return all(ends(pattern, places) for places in sets)


def possible(pattern: Tokens, text: Sequence[str], cased: bool = False) -> bool:
    """Tell whether a pattern matches any text that can be made of the characters of each position."""
    return _alive(pattern, start(pattern), text, cased)


def _alive(pattern: Tokens, places: Places, text: Sequence[str], cased: bool) -> bool:
    for characters in text:
        places = step(pattern, places, characters, cased)
    return ends(pattern, places)


def _closed(pattern: Tokens, places: Iterable[int]) -> Places:
    found = set(places)
    for place in sorted(found):
        while place < len(pattern) and pattern[place] is MANY:
            place += 1
            found.add(place)
    return frozenset(found)


def _lower(character: str) -> str:
    return character.lower() if character.isascii() else character


def joined(texts: Iterable[Iterable[str | SpecialChars]]) -> Iterator[str | SpecialChars]:
    """Yield the parts of several patterns, one behind the other."""
    for text in texts:
        yield from text
