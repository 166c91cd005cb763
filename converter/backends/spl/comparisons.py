"""Each Sigma comparison as a leaf: in `search` where that is exact, and as an expression."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from converter.backends.common.numbers import numeral
from converter.backends.spl import time_modifiers
from converter.backends.spl.held import Parts, forms, held, plainly
from converter.backends.spl.nodes import Leaf, Node, Not, join
from converter.backends.spl.text import (
    eval_field,
    is_term,
    like_cidr,
    literal,
    numeric,
    pattern,
    pcre,
    plain,
    quoted,
    starred,
)
from converter.backends.spl.where_text import match
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import Alternatives, Comparison, Value
from converter.plan.values import (
    ANY,
    ONE,
    Exists,
    FieldOf,
    Flag,
    Foreign,
    Network,
    Null,
    Number,
    Ordered,
    Placeholder,
    Regex,
    Text,
    TimePart,
)
from converter.plan.volume_paths import VolumePath

# Up to here doubles, the numbers of expressions (and of pySigma), are exact.
_LARGEST = 2**53 - 1
_INDEX = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_*-]*", re.ASCII)
# As in `[[:alpha:]]`, which Python does not know.
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


def leaf(item: Comparison, columns: Columns) -> Node:
    """Return the node of one comparison (several where a value expands).

    Raises:
        Refusal: SC201 for what SPL cannot say, SC206 for a placeholder that was not replaced.
    """
    return _of_value(item.field, item.value, columns)


def _of_value(name: str, value: Value, columns: Columns) -> Node:
    match value:
        case Text(cased=False) if name == "index" and (index := _index(value)):
            return index
        case Alternatives(values):
            return join("or", [_of_value(name, one, columns) for one in values])
        case Text():
            return _string(name, value, columns)
        case TimePart():
            return time_modifiers.leaf(name, value, "=")
        case Number():
            return _equal_number(name, value, columns)
        case Flag():
            return _exact(name, value.word, False, columns)
        case Null():
            return Not(present(name, columns))
        case Exists():
            return present(name, columns) if value.exists else Not(present(name, columns))
        case VolumePath():
            return _volume(name, value, columns)
        case Regex():
            return _regex(name, value, columns)
        case Network():
            return _network(name, str(value.network), columns)
        case Ordered():
            return _compare(name, value, columns)
        case FieldOf():
            return _reference(name, value, columns)
        case Foreign():
            raise Refusal("SC201", f"SPL cannot say a value of type {value.kind} of field '{name}'")


def _index(value: Text) -> Leaf | None:
    """Return the term that says in which index to look, as pipelines add it; None for odd names.

    Names of indexes are lower-case (indexes.conf.spec). It must be in the first stage: what comes after it
    looks only at what the search found in the indexes that it read.
    """
    text = "".join("*" if part is ANY else str(part) for part in value_parts(value))
    if ONE in value.parts or not _INDEX.fullmatch(text):
        return None
    test = f"lower(index)={quoted(text.lower())}"
    if "*" in text:
        test = match("index", "^" + literal(text.lower()).replace("\\*", ".*") + "\\z", "i")
    return Leaf(
        where=test,
        where_not=f"NOT {test}",
        search=f"index={text.lower()}",
        field="index",
        value=text.lower(),
        atomic_not=True,
    )


def present(name: str, columns: Columns) -> Leaf:
    """Return the leaf that holds for events that have the field."""
    found = held(name, columns)
    whole = found.subject == eval_field(name)
    said = f"{found.field}=*" if found.field and found.stored != "json" else None
    return Leaf(
        where=f"isnotnull({found.subject})",
        where_not=f"isnull({found.subject})",
        search=said if whole else None,
        weaker=None if whole or said is None else Leaf("", "", search=said),
        atomic_not=True,
    )


def value_parts(value: Text) -> Parts:
    """Return texts and wildcards of a value, neither texts nor stars side by side.

    Raises:
        Refusal: SC206 for a placeholder without values.
    """
    if value.placeholder:
        raise Refusal("SC206", f"the placeholder %{value.placeholder.name}% has no values")
    return tuple(part for part in value.joined if not isinstance(part, Placeholder))


def _string(name: str, value: Text, columns: Columns) -> Leaf:
    cased = value.cased
    parts = value_parts(value)
    if parts == (ANY,):
        return present(name, columns)
    if all(isinstance(part, str) for part in parts):
        return _exact(name, "".join(map(str, parts)), cased, columns)
    return _wildcards(name, parts, cased, columns)


def _in_search(parts: Parts) -> tuple[str | None, bool]:
    """Return a value for `search` and whether it is exact; None if it says nothing.

    `*` is the one wildcard of `search` and has no escape: `?` and a literal `*` become it, and so does
    what cannot stand in quotes.
    """
    said, exact = "", True
    for part in parts:
        if part is ANY:
            said += "*"
        elif part is ONE:
            said, exact = said + "*", False
        else:
            text = str(part)
            if "*" in text or not plain(text):
                text, exact = starred(text), False
            said += text
    said = re.sub(r"\*+", "*", said)
    # A text that reads as a subnet would be taken for one.
    return (None, False) if said in ("*", "") or like_cidr(said) else (quoted(said), exact)


def _searched(name: str, parts: Parts, cased: bool, columns: Columns) -> dict[str, str | Node | None]:
    found = held(name, columns)
    if found.stored == "word":
        term = str(parts[0])
        return {"weaker": Leaf("", "", search=term)} if len(parts) == 1 and is_term(term) else {}
    ways, exact = forms(found.stored, parts)
    said = [_in_search(way) for way in ways]
    if found.field is None or not all(text for text, _ in said):
        return {}
    values = list(dict.fromkeys(str(text) for text, _ in said))
    value = ", ".join(values)
    term = f"{found.field}={value}" if len(values) == 1 else f"{found.field} IN ({value})"
    # Of a field that holds more than the value, only the provider's two forms say it all.
    own = found.stored == "quoted" or found.subject == eval_field(name)
    if exact and own and not cased and all(one for _, one in said):
        return {"search": term, "field": found.field, "value": value}
    return {"weaker": Leaf(where="", where_not="", search=term, field=found.field, value=value)}


def _exact(name: str, text: str, cased: bool, columns: Columns) -> Leaf:
    found = held(name, columns)
    subject = found.subject if plainly((text,)) else found.text
    if not text:
        # Whether `search field=""` finds an empty value is not documented; a comparison is plain.
        return Leaf(where=f'{subject}=""', where_not=f'isnull({subject}) OR {subject}!=""')
    searched = _searched(name, (text,), cased, columns)
    if not plain(text) or numeric(text) or not (text.isascii() or cased):
        # Expressions may compare digits as numbers; lower() may fold letters that are not ASCII.
        regex = f"^{literal(text)}\\z"
        return _pattern(subject, regex, "" if cased else "i", searched)
    test = f"{subject}={quoted(text)}" if cased else f"lower({subject})={quoted(text.lower())}"
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        subject=subject,
        text=text if cased else text.lower(),
        flags="" if cased else "i",
        **searched,  # type: ignore[arg-type]
    )


def _wildcards(name: str, parts: Parts, cased: bool, columns: Columns) -> Leaf:
    regex = "".join(
        ".*" if part is ANY else "." if part is ONE else literal(str(part))
        for part in (parts[1:] if parts[0] is ANY else parts)
    )
    regex = regex if parts[0] is ANY else "^" + regex
    regex = regex.removesuffix(".*") if parts[-1] is ANY else regex + "\\z"
    dots = any(not isinstance(part, str) for part in parts[1:-1]) or ONE in parts
    flags = ("" if cased else "i") + ("s" if dots else "")
    found = held(name, columns)
    subject = found.subject if plainly(parts) else found.text
    return _pattern(subject, regex, flags, _searched(name, parts, cased, columns))


def _pattern(subject: str, regex: str, flags: str, searched: Mapping[str, str | Node | None]) -> Leaf:
    test = match(subject, regex, flags)
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        subject=subject,
        alternative=regex,
        flags=flags,
        **searched,  # type: ignore[arg-type]
    )


def _sayable(name: str, value: Number) -> str:
    if abs(value.number) > _LARGEST:
        raise Refusal(
            "SC203",
            f"the number {value.number} of field '{name}' is beyond 2^53: Splunk's expressions round it",
            hint="KQL's long compares it exactly" if abs(value.number) < 2**63 else None,
        )
    return numeral(value.number)


def _equal_number(name: str, value: Number, columns: Columns) -> Leaf:
    written = _sayable(name, value)
    found_in = held(name, columns)
    field, subject = found_in.field, found_in.subject
    if found_in.stored == "json":
        field = None
    elif name in columns and columns[name].via:
        return _pattern(subject, f"^{literal(written)}\\z", "", _searched(name, (written,), False, columns))
    if name not in columns or columns[name].type != "number":
        # `search` compares with the text that the number is written as; an expression takes "05" for 5.
        found = {"search": f"{field}={written}", "field": field, "value": written} if field else {}
        return _pattern(subject, f"^{literal(written)}\\z", "", found)
    test = f"{subject}={written}"
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        search=field and f"{field}={written}",
        field=field,
        value=field and written,
    )


def _compare(name: str, value: Ordered, columns: Columns) -> Node:
    if value.operator == "!=":
        return Not(_of_value(name, value.number, columns))
    operator = value.operator
    if isinstance(value.number, TimePart):
        return time_modifiers.leaf(name, value.number, operator)
    found = held(name, columns)
    column = columns.get(name)
    subject = found.subject
    written = _sayable(name, value.number)
    said = found.field and f"{found.field}{operator}{written}" if subject == eval_field(name) else None
    test = f"tonumber({subject}){operator}{written}"
    leaf = Leaf(where=test, where_not=f"isnull(tonumber({subject})) OR NOT {test}", search=said)
    if said is None or (column is not None and column.type == "number" and not column.null):
        return leaf
    # `search` compares text that is no number as text: "-" would be less than 5.
    return Leaf(where=leaf.where, where_not=leaf.where_not, weaker=Leaf("", "", search=said))


def _regex(name: str, value: Regex, columns: Columns) -> Leaf:
    source, flags = pcre(value.pattern), value.flags
    found = held(name, columns)
    subject = found.text
    test = match(subject, source, flags)
    some = None if _matches_empty(source) else present(name, columns)
    bare = found.field if subject == name else None
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        weaker=some and (some if some.search else some.weaker),
        regex=(bare, pattern((f"(?{flags})" if flags else "") + source)) if bare == name else None,
    )


def _volume(name: str, value: VolumePath, columns: Columns) -> Leaf:
    """Return the leaf of paths on a volume; `search` has no pattern for the number's digits."""
    searched = _searched(name, value_parts(value.wider), value.cased, columns)
    if "search" in searched:
        searched = {"weaker": Leaf("", "", **searched)}  # type: ignore[arg-type]
    return _pattern(held(name, columns).text, value.regex.pattern, value.regex.flags, searched)


def _matches_empty(source: str) -> bool:
    """Tell whether a pattern may match an empty text, which `field=*` may not find."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Of `[[` and the like.
            return re.search(_NAMED_CLASS.sub("a", source), "") is not None
    except re.error:
        return True


def _network(name: str, network: str, columns: Columns) -> Leaf:
    found = held(name, columns)
    subject = found.subject
    field = found.field if subject == eval_field(name) else None
    test = f"cidrmatch({quoted(network)}, {subject})"
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        search=field and f"{field}={quoted(network)}",
        field=field,
        value=field and quoted(network),
    )


def _reference(name: str, value: FieldOf, columns: Columns) -> Leaf:
    mine, other = held(name, columns).text, held(value.field, columns).text
    one, two = f"lower({mine})", f"lower({other})"
    if value.starts_with and value.ends_with:
        # Of an empty separator Splunk makes characters.
        test = f"mvcount(split({one}, {two}))>1 OR isnotnull({mine}) AND len({other})=0"
    elif value.starts_with:
        test = f"substr({one}, 1, len({other}))={two}"
    elif value.ends_with:
        test = f"len({mine})>=len({other}) AND substr({one}, len({mine})-len({other})+1)={two}"
    else:
        test = f"{one}={two}"
    inside = f"({test})" if value.ends_with else test
    both = [present(one, columns) for one in dict.fromkeys((name, value.field))]
    return Leaf(
        where=inside if value.starts_with else test,
        where_not=f"isnull({mine}) OR isnull({other}) OR NOT {inside}",
        weaker=join("and", both) if all(leaf.search for leaf in both) else None,
    )
