"""Syntax colours: text to HTML whose text is the same, character for character.

Pygments has lexers for KQL, EQL, JSON and YAML; those of SPL and Lucene are here. Only what gets a colour
gets an element: a page holds hundreds of queries.
"""

from __future__ import annotations

from functools import cache

from markupsafe import Markup, escape
from pygments.lexer import Lexer, RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text, _TokenType

from converter.backends import BACKENDS

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Tag, "f"),
    (Name.Attribute, "f"),
    (Name.Function, "k"),
)


class _Spl(RegexLexer):
    """Splunk's search language, as far as it has colours."""

    name = "SPL"
    tokens = {  # noqa: RUF012
        "root": [
            (r"```(?s:.*?)```", Comment),
            (r'"(?:\\.|[^"\\])*"', String),
            (r"(?<=\|)\s*[a-z]+\b", Keyword),
            (r"\b(?:AND|OR|NOT|IN|BY|AS|by|as|and|or|not|in|where)\b", Keyword),
            (r"\b[a-z_]+(?=\()", Keyword),
            (r"\b\d+(?:\.\d+)?\b", Number),
            (r"[A-Za-z_][\w.:{}-]*", Text),
            (r"\s+|.", Text),
        ]
    }


class _Lucene(RegexLexer):
    """Lucene's query string, as far as it has colours."""

    name = "Lucene"
    tokens = {  # noqa: RUF012
        "root": [
            (r'"(?:\\.|[^"\\])*"', String),
            (r"(?<=:)/(?:\\.|[^/\\])*/", String.Regex),
            (r"\b(?:AND|OR|NOT|TO)\b", Keyword),
            (r"[A-Za-z_][\w.\\-]*(?=:)", Name.Attribute),
            (r"\\.", Text),
            (r"(?<![\w.*?\\])\d+(?:\.\d+)?(?![\w.*?\\])", Number),
            (r"[\w.*?-]+", Text),
            (r"\s+|.", Text),
        ]
    }


_OWN = {"splunk_search": _Spl, "query_string": _Lucene}
_LEXERS = {
    **{language: entry.colours for language, entry in BACKENDS.items()},
    **{"json": "json", "yml": "yaml", "yaml": "yaml", "txt": "query_string"},
}
"""File extension -> name of a lexer, in `_OWN` or in Pygments. A query's extension is its language."""


@cache
def _lexer(extension: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    name = _LEXERS.get(extension, "text")
    return _OWN[name](**options) if name in _OWN else get_lexer_by_name(name, **options)


def highlight(text: str, extension: str) -> Markup:
    """Return text as HTML with colours; of an unknown extension without.

    Args:
        text: a query, a rule or an event.
        extension: of the file that it is in: eql, json, kql, lucene, spl, yml.
    """
    parts: list[tuple[str, str]] = []
    for kind, value in _lexer(extension).get_tokens(text):
        name = next((name for parent, name in _CLASSES if kind[: len(parent)] == parent), "")
        if parts and (parts[-1][0] == name or (parts[-1][0] and not value.strip() and "\n" not in value)):
            parts[-1] = (parts[-1][0], parts[-1][1] + value)
        else:
            parts.append((name, value))
    made = "".join(
        f'<span class="{name}">{escape(value)}</span>' if name else str(escape(value))
        for name, value in parts
    )
    return Markup(made)
