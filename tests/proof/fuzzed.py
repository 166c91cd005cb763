"""Random rules: for `pinned`, and ``python -m tests.proof.fuzzed LANGUAGE [--count N] [--from N]``.

A token is ``fuzz/NUMBER``: a detection of one to three selections over a few fields, with any modifiers and
values that some language gives a meaning, under a random condition. Its events hold the rule's own values,
these with something around them, and others. Run as a program it prints every rule whose query does not
select what the matcher does.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from random import Random
from typing import Any

from converter.backends import backend_for
from converter.engines import engine_for
from converter.errors import EngineError, Refusal
from converter.matcher import compile_detection
from converter.plan.model import BaseRule, Draft
from converter.shapes import inferred as none_shape
from tests.proof.judged import disagreement, label_lines
from tests.support import none_base

COUNT = 1500
_NETWORKS = ["10.0.0.0/8", "10.0.0.0/30", "192.168.0.0/16", "fe80::/10"]
"""No event holds one: whether Kusto takes a network in a field for an address, nobody says."""
FIELDS = ("F", "G", "a.b", "Process Name")
SIGNS = "-./\\\"'|`$%&()[{}^+~#@<:=,éß日😀*?* \t"
WORDS = ("cmd", "Exe", "a", "B", "x1", "7", "05", "\\\\", "\\*", "\\?", "and", "NOT ", "10.0.0.1")
PIECES = (*SIGNS, *WORDS)
REGEXES = {
    **{"a+b?": "aab", "^cmd": "cmd1", "exe$": "x.exe", "^a.c$": "abc", "[a-c]{2,3}x": "abx", r"\d+": "1"},
    **{"(cmd|exe)[^x]": "exe1", r"\\x": "\\x", "a|b|^$": "b", r"\bcmd\b": "a cmd", r"\w\s\S": "a b"},
    **{"(?i)Cmd": "CMD", "x{2}": "xx", r"\.exe": ".exe", r"[^\\]+$": "\\a", '"a"': '"a"', "a/b": "a/b"},
    **{r"\x41": "A", "(a(b)?)+": "aba", "[[:digit:]]": "5", "é": "é", "^.*$": "z"},
}
"""Each with a text that it finds."""
NUMBERS = (0, 1, 5, -5, 7, 1.5, 2**53, 443)
TEXTS = ("", "contains", "startswith", "endswith")
SINGLE = (
    *("exists", "cidr", "fieldref", "lt", "gte", "null", "number", "windash", "base64"),
    "wide|base64offset|contains",
)


def tokens() -> Iterator[str]:
    """Yield everything there is."""
    for number in range(COUNT):
        yield f"fuzz/{number}"


@cache
def detection(token: str) -> dict[str, Any]:
    """Return what a token stands for."""
    choose = Random(token)
    names = ["one", "two", "three"][: choose.randint(1, 3)]
    found: dict[str, Any] = {name: _selection(choose) for name in names}
    return found | {"condition": _condition(choose, names)}


def _condition(choose: Random, names: Sequence[str]) -> str:
    if len(names) > 1 and choose.random() < 0.3:
        return choose.choice(["all of them", "1 of them", "not 1 of them", "not all of them"])
    terms = [choose.choice(["", "", "not "]) + name for name in names]
    joined = terms[0]
    for term in terms[1:]:
        joined = f"{joined} {choose.choice(['and', 'or'])} {term}"
        joined = choose.choice([joined, f"({joined})", f"not ({joined})"])
    return joined


def _selection(choose: Random) -> Any:
    if choose.random() < 0.06:
        return choose.choice(["cmd", ["cmd", "Exe a"], 7, ["*cmd?", "b"]])
    if choose.random() < 0.2:
        return [_map(choose) for _ in range(choose.randint(1, 2))]
    return _map(choose)


def _map(choose: Random) -> dict[str, Any]:
    return dict(_item(choose, field) for field in choose.sample(FIELDS, choose.randint(1, 2)))


def _item(choose: Random, field: str) -> tuple[str, Any]:
    kind = choose.random()
    if kind < 0.15:
        flags = choose.choice(["", "", "|i", "|s", "|m", "|i|m"])
        return f"{field}|re{flags}", _some(choose, lambda: choose.choice([*REGEXES]))
    if kind < 0.3:
        return _single(choose, field, choose.choice(SINGLE))
    modifiers = [choose.choice(TEXTS)] if choose.random() < 0.7 else []
    if choose.random() < 0.15:
        modifiers.append("cased")
    several = choose.random() < 0.4
    if several and choose.random() < 0.25:
        modifiers.append("all")
    if choose.random() < 0.1:
        modifiers.append("neq")
    key = "|".join([field, *filter(None, modifiers)])
    return key, [_text(choose) for _ in range(choose.randint(2, 3))] if several else _text(choose)


def _some(choose: Random, one: Any) -> Any:
    return one() if choose.random() < 0.7 else [one() for _ in range(choose.randint(2, 3))]


def _single(choose: Random, field: str, kind: str) -> tuple[str, Any]:
    if kind == "exists":
        return f"{field}|exists", choose.choice([True, False])
    if kind == "cidr":
        return f"{field}|cidr", choose.choice([_NETWORKS[0], _NETWORKS[1], _NETWORKS[2:]])
    if kind == "fieldref":
        return f"{field}|fieldref{choose.choice(['', '|startswith', '|endswith', '|contains'])}", "H"
    if kind in ("lt", "gte"):
        return f"{field}|{choose.choice(['lt', 'lte', 'gt', 'gte'])}", choose.choice(NUMBERS)
    if kind == "null":
        return field, choose.choice([None, "", [None, "cmd"]])
    if kind == "number":
        return field, _some(choose, lambda: choose.choice((*NUMBERS, True, "cmd")))
    text = choose.choice(["cmd -a /b", "Exe", "-x –y"])
    return (f"{field}|windash|contains" if kind == "windash" else f"{field}|{kind}"), text


def _text(choose: Random) -> str:
    return "".join(choose.choice(PIECES) for _ in range(choose.randint(1, 4)))


@cache
def base(token: str, language: str) -> BaseRule:
    """Return the rule as a backend takes it.

    Raises:
        Refusal: if it is refused before that.
    """
    return none_base(detection(token), language)


def outcome(token: str, language: str, backends: Any = backend_for) -> tuple[str, list[Draft] | None]:
    """Convert a rule; return what is compared, and the drafts if it is not refused."""
    try:
        drafts = backends(language).event(base(token, language))
    except Refusal as refusal:
        return f"refused {refusal.code}", None
    return "\n".join([*label_lines(drafts), *(draft.text.rstrip("\n") for draft in drafts)]), drafts


def events(token: str) -> list[dict[str, Any]]:
    """Return events that the rule may select, or nearly."""
    choose = Random(f"events/{token}")
    rule = detection(token)
    values = list(dict.fromkeys(_values([part for name, part in rule.items() if name != "condition"])))
    plain = [text.replace("\\*", "*").replace("\\?", "?").replace("\\\\", "\\") for text in values]
    filled = [text.replace("*", choose.choice(["", "zz"])).replace("?", "q") for text in values]
    texts = [*values, *plain, *filled, *(text.swapcase() for text in plain if text.isascii())]
    texts += ["cmd.exe", "CMD", "abc", "7", "05", "1.5", "-5", "10.0.0.2", "x", "aab\n", "a\nb", 'a"b', "\\x"]
    found: list[dict[str, Any]] = [{}]
    maps = [one for part in rule.values() for one in (part if isinstance(part, list) else [part])]
    likely = [_likely(choose, one) for one in maps if isinstance(one, dict)]
    found += likely
    found += [{**choose.choice(likely), **choose.choice(likely)} for _ in likely]
    found += [{**one, choose.choice(FIELDS): choose.choice(texts)} for one in likely]
    for _ in range(40):
        event: dict[str, Any] = {}
        for field in (*FIELDS, "H"):
            if choose.random() < 0.6:
                text = choose.choice(texts)
                event[field] = choose.choice([text, text, f"q{text}", f"{text}q", f"q{text}q"])
        found.append(event)
    return found


def _likely(choose: Random, items: dict[str, Any]) -> dict[str, Any]:
    """Return an event that may satisfy all of the items."""
    event = {}
    for key, value in items.items():
        field, *modifiers = key.split("|")
        one = choose.choice(value) if isinstance(value, list) else value
        if one is None or one is False:
            continue
        text = REGEXES.get(one, "") if "re" in modifiers else str(one)
        if "cidr" in modifiers:
            text = "10.0.0.2"
        text = text.replace("\\*", "\0").replace("*", "").replace("\0", "*").replace("\\?", "?")
        event[field] = text.replace("\\\\", "\\")
    return event


def _values(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _values(one)
    elif part is not None and part not in _NETWORKS:
        yield str(part)


def _fits(kind: str, value: str) -> bool:
    """Tell whether a column takes a text: Elasticsearch stores no other document in a field of type ip."""
    if kind != "ip":
        return True
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def problems(token: str, language: str, drafts: Sequence[Draft]) -> list[str]:
    """Run the query; return where it does not select what the rule means, as its label says."""
    columns = base(token, language).columns
    given = [
        {name: one for name, one in event.items() if name in columns and _fits(columns[name].type, one)}
        for event in events(token)
    ]
    seen = none_shape.view(given, language, columns)
    engine = engine_for(language)
    tables = {none_shape.INDEX: columns}
    try:
        for draft in drafts:
            engine.validate(draft.text, tables)
        session = engine.load(none_shape.store(given, columns, language), tables)
        got = {number for draft in drafts for number in session.run(draft.text).events}
    except EngineError as error:
        return [str(error)]
    matches = compile_detection(detection(token), empty_is_missing=language == "kql")
    wanted = {number for number, event in enumerate(seen) if matches(event)}
    return [f"{detection(token)}: {one}" for one in disagreement(drafts, given, wanted, got)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("language", choices=("eql", "kql", "lucene", "spl"))
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--from", type=int, default=0, dest="first")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    for number in range(arguments.first, arguments.first + arguments.count):
        token = f"fuzz/{number}"
        try:
            text, drafts = outcome(token, arguments.language)
        except Exception as error:  # A defect; the other rules are still tried.
            counts["error"] += 1
            print(f"{token}: {error!r}: {detection(token)}")
            continue
        found = problems(token, arguments.language, drafts) if drafts is not None else []
        counts["disagrees" if found else text.split("\n")[0]] += 1
        for problem in found:
            print(f"{token}: {problem}")
    print(f"{arguments.language}: {dict(counts)}")


if __name__ == "__main__":
    main()
