r"""Translate a rule's regular expression (PCRE, ASCII classes) to Kusto's, which is the Rust crate's.

Source: Microsoft's "Regex syntax" (`\d \w \s \b` are Unicode's there; ASCII is said otherwise).
"""

from __future__ import annotations

import re

from converter.errors import Refusal

GROUPS_MAX = 16
_CLASSES = {
    "d": ("[0-9]", "0-9"),
    "D": ("[^0-9]", "[^0-9]"),
    "w": ("[[:word:]]", "[:word:]"),
    "W": ("[[:^word:]]", "[:^word:]"),
    "s": ("[[:space:]]", "[:space:]"),
    "S": ("[[:^space:]]", "[:^space:]"),
    "h": (r"[\t ]", r"\t "),
}
_OUTSIDE = {
    "b": r"(?-u:\b)",
    "B": r"\B",
    "A": r"\A",
    "z": r"\z",
    "Z": r"\n?\z",
    "R": r"(?:\r\n|[\n\r\f\v])",
}
_CONTROLS = {**{letter: "\\" + letter for letter in "afnrtv"}, "e": r"\x1b"}
_QUANTIFIER = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})([?+]?)")
_UP_TO = re.compile(r"\{,[0-9]+\}")
_FLAGS = re.compile(r"\(\?[ims]*(?:-[ims]+)?[:)]")
_NAMED = re.compile(r"\(\?(?:P?<|')[A-Za-z_]\w*[>']", re.ASCII)
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
_LEADING = re.compile(r"\(\?([ims]+)\)")
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_MAY_BREAK = ("\n", *(f"\\{letter}" for letter in "sWDnRxvV0"))
"""Of those that `_TOKEN` finds, beside classes."""
_CODE = re.compile(r"x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}")


def translate(pattern: str, flags: str = "") -> str:
    """Return the pattern in Kusto's syntax.

    Args:
        pattern: of a rule.
        flags: of the rule's modifiers: i, m, s.

    Raises:
        Refusal: SC202 for what Kusto's engine does not have: lookaround, backreferences, possessive and
            atomic groups, and `$` before something that may be a line break.
    """
    return _Translator(pattern, flags).run()


class _Translator:
    def __init__(self, pattern: str, flags: str) -> None:
        self._source = pattern
        if leading := _LEADING.match(pattern):
            flags += leading[1]
        self._multiline, self._dotall = "m" in flags, "s" in flags
        self._at = 0
        self._out: list[str] = []
        # Captures are not used: beyond the limit all groups become plain ones.
        self._plain_groups = pattern.count("(") > GROUPS_MAX

    def run(self) -> str:
        while self._at < len(self._source):
            char = self._source[self._at]
            if char == "\\":
                self._escape(in_class=False)
            elif char == "[":
                self._class()
            elif char == "(":
                self._group()
            elif char == "$" and not self._multiline:
                self._end()
            elif quantifier := _QUANTIFIER.match(self._source, self._at):
                if quantifier[1] == "+":
                    raise self._refusal("possessive quantifiers")
                self._take(quantifier[0], quantifier[0])
            elif _UP_TO.match(self._source, self._at):
                raise self._refusal("{,n}, which engines read in two ways: write {0,n}")
            elif char in "{}]":
                self._take(char, "\\" + char)
            else:
                self._take(char, char)
        return "".join(self._out)

    def _take(self, source: str, out: str) -> None:
        self._at += len(source)
        self._out.append(out)

    def _refusal(self, what: str) -> Refusal:
        return Refusal(
            "SC202",
            f"Kusto's regular expressions have no {what}: {self._source!r:.200}",
            hint="SPL's are PCRE and have them",
        )

    def _end(self) -> None:
        """PCRE's `$` is also before a line break that ends the text; Kusto's is at the end alone."""
        if not _ends(self._source, self._at + 1, self._dotall):
            raise self._refusal("lookaround, which '$' before something is")
        self._take("$", r"\n?\z")

    def _group(self) -> None:
        if flags := _FLAGS.match(self._source, self._at):
            self._take(flags[0], flags[0])
        elif named := _NAMED.match(self._source, self._at):
            self._take(named[0], "(?:")
        elif self._source.startswith(("(?", "(*"), self._at):
            raise self._refusal("lookaround, atomic, conditional or recursive groups")
        else:
            self._take("(", "(?:" if self._plain_groups else "(")

    def _escape(self, in_class: bool) -> None:
        letter = self._source[self._at + 1 : self._at + 2]
        code = _CODE.match(self._source, self._at + 1)
        if code:
            self._take("\\" + code[0], f"\\x{{{code[1] or code[2]}}}")
        elif letter in _CLASSES:
            self._take("\\" + letter, _CLASSES[letter][in_class])
        elif letter == "b" and in_class:
            self._take(r"\b", r"\x08")
        elif letter in _OUTSIDE and not in_class:
            self._take("\\" + letter, _OUTSIDE[letter])
        elif letter in _CONTROLS:
            self._take("\\" + letter, _CONTROLS[letter])
        elif not letter or (letter.isalnum() and letter.isascii()):
            raise self._refusal("backreferences or octal codes" if letter.isdigit() else f"escape \\{letter}")
        else:
            special = r"\]^-[&~" if in_class else r"\.+*?()|[]{}^$"
            self._take("\\" + letter, "\\" + letter if letter in special else letter)

    def _class(self) -> None:
        opening = "[^" if self._source.startswith("[^", self._at) else "["
        self._take(opening, opening)
        start = self._at
        if self._source.startswith("]", self._at):  # first, it is a literal
            self._take("]", r"\]")
        while self._at < len(self._source):
            char = self._source[self._at]
            posix = _POSIX.match(self._source, self._at)
            if char == "]":
                self._take("]", "]")
                return
            if char == "\\":
                self._escape(in_class=True)
            elif posix:
                self._take(posix[0], posix[0])
            elif char in "[&~":  # sets within sets, in Kusto
                self._take(char, "\\" + char)
            elif self._source.startswith("--", self._at):  # in Kusto, what is left of a set
                begins = self._at == start
                self._take("-" if begins else "--", r"\-" if begins else r"-\-")
            else:
                self._take(char, char)
        raise self._refusal("unclosed classes")


def _ends(source: str, at: int, dotall: bool) -> bool:
    """Tell whether nothing behind a place takes a line break: other alternatives are beside it."""
    depth = 0
    other = False
    """In an alternative beside that of the place."""
    for found in _TOKEN.finditer(source, at):
        token = found[0]
        if token == "(":
            depth += 1
        elif token == ")":
            other = other and depth > 0
            depth = max(depth - 1, 0)
        elif token == "|" and depth == 0:
            other = True
        elif not other and (token[0] == "[" or token in _MAY_BREAK or (token == "." and dotall)):
            return False
    return True
