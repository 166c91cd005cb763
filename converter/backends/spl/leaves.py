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

from converter.backends.numbers import numeral
from converter.backends.spl import timeparts
from converter.backends.spl.expressions import match
from converter.backends.spl.nodes import Leaf, Node, Not, join
from converter.backends.spl.text import (
    eval_field,
    like_cidr,
    literal,
    numeric,
    pattern,
    pcre,
    plain,
    quoted,
    search_field,
    starred,
)
from converter.columns import Columns
from converter.errors import Refusal

Parts = tuple[str | SpecialChars, ...]
_ANY, _ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE
_COMPARE: Mapping[CompareOperators, str] = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
# Up to here doubles, the numbers of expressions (and of pySigma), are exact.
_LARGEST = 2**53 - 1
# What `search` can look for in raw text without knowing how the text was cut into terms.
_WORDS = re.compile(r"[A-Za-z0-9]+", re.ASCII)
# As in `[[:alpha:]]`, which Python does not know.
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


def leaf(item: FieldValue, columns: Columns) -> Node:
    """Return the node of one comparison (several where a value expands).

    Raises:
        Refusal: SC201 for what SPL cannot say, SC206 for a placeholder that was not replaced.
    """
    return _of_value(item.field, item.value, columns)


def _of_value(name: str, value: SigmaType, columns: Columns) -> Node:
    match value:
        case SigmaExpansion():
            return join("or", [_of_value(name, one, columns) for one in value.values])
        case SigmaString():
            return _string(name, value)
        case SigmaTimestampPart():
            return timeparts.leaf(name, value, "=")
        case SigmaNumber():
            return _equal_number(name, value, columns)
        case SigmaBool():
            return _exact(name, "true" if value.boolean else "false", False)
        case SigmaNull():
            return Not(_present(name))
        case SigmaExists():
            return _present(name) if value.exists else Not(_present(name))
        case SigmaRegularExpression():
            return _regex(name, value)
        case SigmaCIDRExpression():
            return _network(name, str(value.network))
        case SigmaCompareExpression():
            return _compare(name, value, columns)
        case SigmaFieldReference():
            return _reference(name, value)
    raise Refusal("SC201", f"SPL cannot say a value of type {type(value).__name__} of field '{name}'")


def _present(name: str) -> Leaf:
    field, subject = search_field(name), eval_field(name)
    return Leaf(
        where=f"isnotnull({subject})",
        where_not=f"isnull({subject})",
        search=field and f"{field}=*",
        atomic_not=True,
    )


def present(name: str) -> Leaf:
    """Return the leaf that holds for events that have the field."""
    return _present(name)


def _parts(value: SigmaString) -> Parts:
    parts: list[str | SpecialChars] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            raise Refusal("SC206", f"the placeholder %{part.name}% has no values")
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif not (part is _ANY and parts[-1:] == [_ANY]) and part != "":
            parts.append(part)
    return tuple(parts)


def _string(name: str, value: SigmaString) -> Leaf:
    cased = isinstance(value, SigmaCasedString)
    parts = _parts(value)
    if parts == (_ANY,):
        return _present(name)
    if all(isinstance(part, str) for part in parts):
        return _exact(name, "".join(map(str, parts)), cased)
    return _wildcards(name, parts, cased)


def _in_search(name: str, parts: Parts) -> tuple[str | None, bool]:
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


def _searched(name: str, parts: Parts, cased: bool) -> dict[str, str | Node | None]:
    field = search_field(name)
    value, exact = _in_search(name, parts)
    if field is None or value is None:
        return {}
    said = f"{field}={value}"
    if exact and not cased:
        return {"search": said, "field": field, "value": value}
    return {"weaker": Leaf(where="", where_not="", search=said, field=field, value=value)}


def _exact(name: str, text: str, cased: bool) -> Leaf:
    subject = eval_field(name)
    if not text:
        # Whether `search field=""` finds an empty value is not documented; a comparison is plain.
        return Leaf(where=f'{subject}=""', where_not=f'isnull({subject}) OR {subject}!=""')
    searched = _searched(name, (text,), cased)
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


def _wildcards(name: str, parts: Parts, cased: bool) -> Leaf:
    regex = "".join(
        ".*" if part is _ANY else "." if part is _ONE else literal(str(part))
        for part in (parts[1:] if parts[0] is _ANY else parts)
    )
    regex = regex if parts[0] is _ANY else "^" + regex
    regex = regex.removesuffix(".*") if parts[-1] is _ANY else regex + "\\z"
    dots = any(not isinstance(part, str) for part in parts[1:-1]) or _ONE in parts
    flags = ("" if cased else "i") + ("s" if dots else "")
    return _pattern(eval_field(name), regex, flags, _searched(name, parts, cased))


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
    field, subject = search_field(name), eval_field(name)
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
        return timeparts.leaf(name, value.number, operator)
    field, subject = search_field(name), eval_field(name)
    column = columns.get(name)
    written = _sayable(name, value.number)
    said = field and f"{field}{operator}{written}"
    test = f"tonumber({subject}){operator}{written}"
    leaf = Leaf(where=test, where_not=f"isnull(tonumber({subject})) OR NOT {test}", search=said)
    if said is None or (column is not None and column.type == "number" and not column.null):
        return leaf
    # `search` compares text that is no number as text: "-" would be less than 5.
    return Leaf(where=leaf.where, where_not=leaf.where_not, weaker=Leaf("", "", search=said))


def _regex(name: str, value: SigmaRegularExpression) -> Leaf:
    source = pcre(str(value.regexp))
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    subject = eval_field(name)
    test = match(subject, source, flags)
    field = search_field(name)
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        weaker=None if _matches_empty(source) or field is None else _present(name),
        regex=(field, pattern((f"(?{flags})" if flags else "") + source)) if field == name else None,
    )


def _matches_empty(source: str) -> bool:
    """Tell whether a pattern may match an empty text, which `field=*` may not find."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Of `[[` and the like.
            return re.search(_NAMED_CLASS.sub("a", source), "") is not None
    except re.error:
        return True


def _network(name: str, network: str) -> Leaf:
    field, subject = search_field(name), eval_field(name)
    test = f"cidrmatch({quoted(network)}, {subject})"
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT {test}",
        search=field and f"{field}={quoted(network)}",
        field=field,
        value=field and quoted(network),
    )


def _reference(name: str, value: SigmaFieldReference) -> Leaf:
    mine, other = eval_field(name), eval_field(value.field)
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
    both = [_present(one) for one in dict.fromkeys((name, value.field))]
    return Leaf(
        where=inside if value.starts_with else test,
        where_not=f"isnull({mine}) OR isnull({other}) OR NOT {inside}",
        weaker=join("and", both) if all(leaf.search for leaf in both) else None,
    )


def keyword(value: SigmaType) -> Node:
    """Return the node of a value without a field: it is sought in the raw text of the event.

    Raises:
        Refusal: SC201, SC206.
    """
    if isinstance(value, SigmaExpansion):
        return join("or", [keyword(one) for one in value.values])
    if isinstance(value, SigmaRegularExpression):
        flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
        source = pcre(str(value.regexp))
        test = match("_raw", source, flags)
        regex = pattern((f"(?{flags})" if flags else "") + source)
        return Leaf(test, f"NOT {test}", regex=("_raw", regex), atomic_not=True)
    cased = isinstance(value, SigmaCasedString)
    if isinstance(value, SigmaString):
        parts: Parts = _parts(value)
    elif isinstance(value, SigmaNumber) and not isinstance(value, SigmaTimestampPart):
        parts = (str(value),)
    elif isinstance(value, SigmaBool):
        parts = ("true" if value.boolean else "false",)
    else:
        raise Refusal("SC201", f"a keyword cannot be of type {type(value).__name__}: it needs a field")
    parts = parts[1:] if parts[:1] == (_ANY,) else parts
    parts = parts[:-1] if parts[-1:] == (_ANY,) else parts
    if not parts:
        return Leaf("isnotnull(_raw)", "isnull(_raw)", search="*", atomic_not=True)
    # Not dot-all: a star does not run from one line of the event's text into the next.
    regex = "".join(".*" if part is _ANY else "." if part is _ONE else literal(str(part)) for part in parts)
    test = match("_raw", regex, "" if cased else "i")
    words = [f"*{word}*" for part in parts if isinstance(part, str) for word in _WORDS.findall(part)]
    terms: list[Node] = [Leaf("", "", search=word) for word in dict.fromkeys(words)]
    whole = len(parts) == 1 and len(words) == 1 and words[0] == f"*{parts[0]}*" and not cased
    if whole:
        return Leaf(
            test,
            f"NOT {test}",
            search=words[0],
            atomic_not=True,
            subject="_raw",
            alternative=regex,
            flags="i",
        )
    return Leaf(
        test,
        f"NOT {test}",
        weaker=join("and", terms) if terms else None,
        atomic_not=True,
        subject="_raw",
        alternative=regex,
        flags="" if cased else "i",
    )
