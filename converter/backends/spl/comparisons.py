"""Each Sigma comparison as a leaf: in `search` where that is exact, and as an expression."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from sigma.conditions import ConditionFieldEqualsValueExpression as FieldValue
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

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
from converter.plan.volume_paths import VolumePath

_ANY, _ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE
_COMPARE: Mapping[CompareOperators, str] = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
# Up to here doubles, the numbers of expressions (and of pySigma), are exact.
_LARGEST = 2**53 - 1
_INDEX = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_*-]*", re.ASCII)
# As in `[[:alpha:]]`, which Python does not know.
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


def leaf(item: FieldValue, columns: Columns) -> Node:
    """Return the node of one comparison (several where a value expands).

    Raises:
        Refusal: SC201 for what SPL cannot say, SC206 for a placeholder that was not replaced.
    """
    return _of_value(item.field, item.value, columns)


def _of_value(name: str, value: SigmaType, columns: Columns) -> Node:
    if name == "index" and type(value) is SigmaString and (found := _index(value)):
        return found
    match value:
        case SigmaExpansion():
            return join("or", [_of_value(name, one, columns) for one in value.values])
        case SigmaString():
            return _string(name, value, columns)
        case SigmaTimestampPart():
            return time_modifiers.leaf(name, value, "=")
        case SigmaNumber():
            return _equal_number(name, value, columns)
        case SigmaBool():
            return _exact(name, "true" if value.boolean else "false", False, columns)
        case SigmaNull():
            return Not(present(name, columns))
        case SigmaExists():
            return present(name, columns) if value.exists else Not(present(name, columns))
        case VolumePath():
            return _volume(name, value, columns)
        case SigmaRegularExpression():
            return _regex(name, value, columns)
        case SigmaCIDRExpression():
            return _network(name, str(value.network), columns)
        case SigmaCompareExpression():
            return _compare(name, value, columns)
        case SigmaFieldReference():
            return _reference(name, value, columns)
    raise Refusal("SC201", f"SPL cannot say a value of type {type(value).__name__} of field '{name}'")


def _index(value: SigmaString) -> Leaf | None:
    """Return the term that says in which index to look, as pipelines add it; None for odd names.

    Names of indexes are lower-case (indexes.conf.spec). It must be in the first stage: what comes after it
    looks only at what the search found in the indexes that it read.
    """
    text = "".join("*" if part is _ANY else str(part) for part in value_parts(value))
    if _ONE in value.s or not _INDEX.fullmatch(text):
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


def value_parts(value: SigmaString) -> Parts:
    """Return texts and wildcards of a value, neither texts nor stars side by side.

    Raises:
        Refusal: SC206 for a placeholder without values.
    """
    parts: list[str | SpecialChars] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            raise Refusal("SC206", f"the placeholder %{part.name}% has no values")
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif not (part is _ANY and parts[-1:] == [_ANY]) and part != "":
            parts.append(part)
    return tuple(parts)


def _string(name: str, value: SigmaString, columns: Columns) -> Leaf:
    cased = isinstance(value, SigmaCasedString)
    parts = value_parts(value)
    if parts == (_ANY,):
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
        if part is _ANY:
            said += "*"
        elif part is _ONE:
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
        ".*" if part is _ANY else "." if part is _ONE else literal(str(part))
        for part in (parts[1:] if parts[0] is _ANY else parts)
    )
    regex = regex if parts[0] is _ANY else "^" + regex
    regex = regex.removesuffix(".*") if parts[-1] is _ANY else regex + "\\z"
    dots = any(not isinstance(part, str) for part in parts[1:-1]) or _ONE in parts
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


def _sayable(name: str, value: SigmaNumber) -> str:
    if abs(value.number) > _LARGEST:
        raise Refusal(
            "SC203",
            f"the number {value.number} of field '{name}' is beyond 2^53: Splunk's expressions round it",
            hint="KQL's long compares it exactly" if abs(value.number) < 2**63 else None,
        )
    return numeral(value.number)


def _equal_number(name: str, value: SigmaNumber, columns: Columns) -> Leaf:
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


def _compare(name: str, value: SigmaCompareExpression, columns: Columns) -> Node:
    if value.op not in _COMPARE:
        return Not(_of_value(name, value.number, columns))
    operator = _COMPARE[value.op]
    if isinstance(value.number, SigmaTimestampPart):
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


def _regex(name: str, value: SigmaRegularExpression, columns: Columns) -> Leaf:
    source = pcre(str(value.regexp))
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
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
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return _pattern(held(name, columns).text, str(value.regexp), flags, searched)


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


def _reference(name: str, value: SigmaFieldReference, columns: Columns) -> Leaf:
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
