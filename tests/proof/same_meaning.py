"""Why a change that `verify` lets pass means the same: reasons, each with a test that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.proof.alternatives import alternatives_at, around, same_together
from tests.proof.query_changes import Change

_HAS = r"\w+ (?:has|hasprefix) (?:\"[^\"]*\"|'[^']*')|\w+ has_any \([^()]*\)"
_FILTER = re.compile(rf"\s*\| where (?:{_HAS})(?:\s+or (?:{_HAS}))*\s*")
"""A stage that looks for terms alone: KQL's backend adds it to conditions that are behind it."""
_CONTAINS = re.compile(r"(?m)^ *\| where (?P<column>\w+) contains @?\"(?P<text>[^\"\\\n]*)\"(?:\n|\Z)")
_ENTITIES = {
    **{"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"},
    **dict.fromkeys(("&#9;", "&#x9;"), "\\t"),
    **dict.fromkeys(("&#10;", "&#xA;"), "\\n"),
    **dict.fromkeys(("&#13;", "&#xD;"), "\\r"),
}
"""What KQL's function reads for each entity, as the query's own texts write it."""
_THRESHOLD = re.compile(r"\"threshold\": \{.*?\"value\": (\d+).*?\"cardinality\":.*?\"value\": (\d+)", re.S)


def _between(change: Change) -> bool:
    """Tell whether an AND comes before and behind a place, with no parenthesis of its level between."""
    before, after = change.query[: change.start][::-1], change.query[change.end :]
    swapped = (change.old, change.new) == ("AND", "OR")
    return swapped and _operator(before, "DNA", ")(") and _operator(after, "AND", "()")


def _operator(text: str, word: str, brackets: str) -> bool:
    depth = 0
    for at, char in enumerate(text):
        if char == brackets[0]:
            depth += 1
        elif char == brackets[1]:
            depth -= 1
            if depth < 0:
                return False
        elif depth == 0 and text.startswith(f" {word} ", at):
            return True
    return False


def _is_filter(change: Change) -> bool:
    """Tell whether a whole stage is gone that looks for terms alone."""
    return change.kind == "stage" and _FILTER.fullmatch(change.old) is not None


def _is_redundant(change: Change) -> bool:
    """Tell whether the list in which a change is holds the same texts after it."""
    if change.kind not in ("letter", "star", "item", "operator", "regex"):
        return False
    (start, end), (first, last) = around(change.query, change.start), around(change.text, change.start)
    if start != first or change.query[end:] != change.text[last:]:
        return False
    old, new = alternatives_at(change.query, change.start), alternatives_at(change.text, change.start)
    return bool(old and new) and same_together(old or (), new or ())


def _is_both(change: Change) -> bool:
    """Tell whether an `or` became an `and` between two alternatives that others hold whatever they hold."""
    found = alternatives_at(change.query, change.start)
    if (change.old, change.new) != ("or", "and") or found is None:
        return False
    before = [one for one in found if one.end <= change.start]
    after = [one for one in found if one.start >= change.end]
    return same_together(found, [*before[:-1], *after[1:]])


def _count_implied(change: Change) -> bool:
    """Tell whether a threshold rule asks for as many values as it asks for events: each takes an event."""
    found = _THRESHOLD.search(change.text)
    return change.kind == "number" and found is not None and int(found[1]) <= int(found[2])


def _is_unused_entity(change: Change) -> bool:
    """Tell whether a function no longer reads an entity whose character the query does not compare."""
    quoted = re.search(r"\"&[^\"\n]*\Z", change.query[: change.end])
    entity = quoted and re.match(r"[^\"]*", change.query[quoted.start() + 1 :])
    behind = change.query.rpartition("};\n")[2]
    if change.kind != "function" or not entity or entity[0] not in _ENTITIES or "summarize" in behind:
        return False
    texts = "".join(re.findall(r"@?\"((?:[^\"]|\"\")*)\"", behind))
    return _ENTITIES[entity[0]] not in texts and "matches regex" not in behind


def _is_implied(change: Change) -> bool:
    """Tell whether a stage is gone that looks for a part of what another looks for."""
    gone = _CONTAINS.fullmatch(change.old)
    others = _CONTAINS.finditer(change.text)
    return gone is not None and any(
        one["column"] == gone["column"] and gone["text"].lower() in one["text"].lower() for one in others
    )


def _matches(kind: str, pattern: str) -> Callable[[Change], bool]:
    """Return a test of a change's kind and of the change as it is shown."""
    return lambda change: change.kind == kind and re.search(pattern, change.shown) is not None


REASONS: tuple[tuple[str, str, Callable[[Change], bool]], ...] = (
    (
        "lucene",
        "AND requires what is on both of its sides, and there is one on either side",
        _between,
    ),
    (
        "lucene",
        "NOT is prohibited whether AND or OR comes before it",
        _matches("operator", r"\[AND -> OR\] NOT"),
    ),
    (
        "lucene",
        "as many values as events are asked for, and each value takes an event",
        _count_implied,
    ),
    (
        "kql",
        "a search for terms before the condition: the condition behind it says the same",
        _is_filter,
    ),
    (
        "",
        "other alternatives of the list hold whatever this one holds, before and after the change",
        _is_redundant,
    ),
    (
        "",
        "other alternatives of the list hold whatever these two hold",
        _is_both,
    ),
    (
        "kql",
        "Sysmon writes true and false in lower case",
        _matches("operator", r"\[=~ -> ==\] \"(true|false)\""),
    ),
    (
        "kql",
        "decimal entities: the log writes tabs and line ends as they are or in hexadecimal",
        _matches("function", r"&#\[\d+ ->"),
    ),
    (
        "kql",
        "an entity of a character that the rule's texts do not have",
        _is_unused_entity,
    ),
    (
        "kql",
        "the text is a part of another that the query demands of the same column",
        _is_implied,
    ),
    (
        "kql",
        "the log writes quotes and apostrophes as they are: `converter/shapes/windows/record_xml.py`",
        _matches("function", r"&(?:[quotaps]*\[[^\]]* -> [^\]]*\])(?:[quotaps]*);"),
    ),
    (
        "",
        "a path on a volume begins with \\\\Device: nothing comes before",
        _matches("anchor", r"\[\^ -> \]\\+Device"),
    ),
    (
        "",
        "no machine has a thousand volumes",
        _matches("regex", r"HarddiskVolume\[0-9\]\[\{1,3\} -> |\[Ee\]\[0-9\]\[\{1,3\} -> "),
    ),
    (
        "",
        "a bound that no search of this size reaches",
        _matches("number", r"take_any|head |limit|maxspan|_us|1000|join kind"),
    ),
)


def why_same(language: str, change: Change) -> str | None:
    """Return the reason why a change means the same, if it is known."""
    for of, reason, holds in REASONS:
        if of in ("", language) and holds(change):
            return reason
    return None
