"""Change the text of emitted queries, one place at a time, and ask whether `verify` notices.

``python -m tests.proof.mutated_queries --rules 100`` takes so many rules (shipped ones and public ones, if
there are) in each language and source, changes each query in up to ``--each`` places, and prints how many
changes were caught, how many the engine rejected and which survived. A survivor that means the same is listed
with the reason why; exits with 1 if less than 98 of 100 changes of meaning are caught.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from converter import pipelines, rules
from converter.convert import Conversion, Emitted, Options, convert
from converter.engines import engine_for
from converter.errors import SigconvError
from converter.plan import CorrelationPlan
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify import run
from converter.verify.judge import Verdict
from converter.verify.stored import tables_of

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT.parent / "shared" / "sigmahq"
LANGUAGES = ("eql", "lucene", "spl", "kql")
SOURCES = ("sysmon", "defender", "crowdstrike", "windows-security", "none")
WANTED = 0.98
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_LINE = re.compile(r"[^\n]+")


@dataclass(frozen=True)
class Change:
    """One change of a query's text."""

    kind: str
    text: str
    shown: str
    between: bool = False
    """An OR of Lucene between two ANDs of one level."""


# Kind, a pattern of what is changed, and what it is changed to.
_SWAPS: tuple[tuple[str, str, str], ...] = (
    ("operator", r"\bAND\b", "OR"),
    ("operator", r"\bOR\b", "AND"),
    ("operator", r"\band\b", "or"),
    ("operator", r"\bor\b", "and"),
    ("negation", r"\bNOT ", ""),
    ("negation", r"\bnot ", ""),
    ("negation", r"!~", "=~"),
    ("negation", r"!in~", "in~"),
    ("negation", r"!contains\b", "contains"),
    ("negation", r"!endswith\b", "endswith"),
    ("negation", r"!startswith\b", "startswith"),
    ("operator", r"=~", "=="),
    ("operator", r"\bin~", "in"),
    ("operator", r"(?<!!)\bendswith\b", "contains"),
    ("operator", r"(?<!!)\bstartswith\b", "contains"),
    ("operator", r"(?<!!)\bcontains\b", "startswith"),
    ("operator", r"!endswith\b", "!contains"),
    ("operator", r"!startswith\b", "!contains"),
    ("operator", r">=", ">"),
    ("operator", r"<=", "<"),
    ("flag", r"\(\?i\)", ""),
    ("flag", r"\(\?s\)", ""),
    ("anchor", r"\^", ""),
    ("anchor", r"\\z", ""),
    ("anchor", r"\$(?=[\"'])", ""),
    ("regex", r"\\\.", "."),
    ("number", r"(?<![\w.\\{])\d+(?![\w.])", "+1"),
    ("stage", r"(?m)^\| .*\n", ""),
    ("regex", r"\{(\d+),(\d+)\}", "+repeat"),
)


def changes(text: str) -> Iterator[Change]:
    """Yield changes of a query, each in one place."""
    for kind, pattern, new in _SWAPS:
        for found in re.finditer(pattern, text):
            what = found[0]
            made = new
            if new == "+1":
                made = str(int(what) + 1)
            elif new == "+repeat":
                made = f"{{{found[1]},{int(found[2]) + 1}}}"
            yield _made(text, kind, found.start(), found.end(), made)
    for quoted in _QUOTED.finditer(text):
        inner = quoted[0][1:-1]
        start = quoted.start() + 1
        for at, char in enumerate(inner):
            if char.isalpha() and (not at or inner[at - 1] != "\\"):
                yield _made(text, "letter", start + at, start + at + 1, "j" if char.lower() != "j" else "k")
            if char == "*" and (not at or inner[at - 1] != "\\"):
                yield _made(text, "star", start + at, start + at + 1, "")
        if re.match(r",\s*", text[quoted.end() :]):
            gap = re.match(r",\s*", text[quoted.end() :])
            assert gap
            yield _made(text, "item", quoted.start(), quoted.end() + gap.end(), "")
    for found in re.finditer(r"(?<=[\w:(* ])\*|\*(?=\w)", text):
        yield _made(text, "star", found.start(), found.end(), "")
    for found in re.finditer(r" OR [\w.]+:\S+", text):
        yield _made(text, "item", found.start(), found.end(), "")
    for found in re.finditer(
        r"\b[A-Za-z_][A-Za-z_.]*[a-z](?=\s*(?:[:=!<>]|in~|in \(|contains|startswith|endswith))", text
    ):
        yield _made(text, "column", found.end() - 1, found.end(), "q")


def _made(text: str, kind: str, start: int, end: int, new: str) -> Change:
    between = kind == "operator" and (text[start:end], new) == ("AND", "OR") and _between(text, start, end)
    around = f"{text[max(start - 25, 0) : start]}[{text[start:end]!s:.40} -> {new}]{text[end : end + 25]}"
    shown = around.replace("\n", "\\n")
    return Change(kind, text[:start] + new + text[end:], shown, between)


def _between(text: str, start: int, end: int) -> bool:
    """Tell whether an AND stands before and behind a place, with no parenthesis of its level between."""
    return _operator(text[:start][::-1], "DNA", ")(") and _operator(text[end:], "AND", "()")


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


def chosen(text: str, each: int, chance: random.Random) -> list[Change]:
    """Return so many changes, of each kind as many as can be."""
    by_kind: dict[str, list[Change]] = {}
    for one in changes(text):
        if one.text != text:
            by_kind.setdefault(one.kind, []).append(one)
    for group in by_kind.values():
        chance.shuffle(group)
    found: list[Change] = []
    while len(found) < each and any(by_kind.values()):
        for group in by_kind.values():
            if group and len(found) < each:
                found.append(group.pop())
    return found


class Judge:
    """A rule in a cell, with its streams stored once."""

    def __init__(self, found: RuleSet, conversion: Conversion, options: Options) -> None:
        self.found, self.conversion, self.options = found, conversion, options
        self.streams = run.streams_of(found, conversion.rule, Path("/nonexistent"), options)

    def verdict(self, query: Emitted) -> str | None:
        """Return what `verify` says of the conversion with one query replaced.

        Raises:
            SigconvError: if the engine rejects the query.
        """
        number = next(i for i, one in enumerate(self.conversion.queries) if one.name == query.name)
        queries = list(self.conversion.queries)
        queries[number] = query
        changed = replace(self.conversion, queries=tuple(queries))
        engine_for(changed.cell.target).validate(query.text, tables_of(changed))
        verdict = Verdict()
        for stream in self.streams:
            run.compare(self.found, changed, stream.name, stream.events, self.options, verdict)
            if verdict.missed or verdict.extra:
                break
        return verdict.problem(changed.fidelity)


# Why a change that survives means the same, by kind, language and what is changed.
SAME: tuple[tuple[str, str, str], ...] = (
    (
        "number",
        r"&#\[\d+ ->",
        "decimal entities: the log writes tabs and line ends as they are or in hexadecimal",
    ),
    (
        "operator",
        r"\[AND -> OR\] NOT",
        "Lucene: NOT is prohibited whether AND or OR stands before it",
    ),
    (
        "number",
        r"take_any|head |limit|maxspan|_us|1000|join kind",
        "a bound that no search of this size reaches",
    ),
)


def why_same(change: Change) -> str | None:
    """Return the reason why a change means the same, if it is known."""
    if change.between:
        return "Lucene: AND requires what stands on both of its sides, and there is one on either side"
    for kind, pattern, reason in SAME:
        if change.kind == kind and re.search(pattern, change.shown):
            return reason
    return None


def sampled(count: int) -> Iterator[tuple[RuleSet, Rule]]:
    """Yield shipped rules and public ones, evenly."""
    shipped = rules.load([ROOT / "sigma"], ROOT / "sigma")
    emitted = shipped.emitted()
    yield from ((shipped, rule) for rule in emitted[: count // 2])
    if PUBLIC.is_dir():
        public = rules.load([PUBLIC], PUBLIC)
        others = public.emitted()
        left = max(count - len(emitted[: count // 2]), 1)
        step = max(len(others) // (left * 2), 1)
        yield from ((public, rule) for rule in others[::step])


def main(arguments: list[str] | None = None) -> int:
    """Run, print and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rules", type=int, default=100, help="rules in each language and source")
    parser.add_argument("--each", type=int, default=12, help="changes of each rule")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--sources", default=",".join(SOURCES))
    given = parser.parse_args(arguments)
    options = Options("broader")
    tally: Counter[tuple[str, str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    survivors: list[str] = []
    for source in given.sources.split(","):
        for language in given.languages.split(","):
            cell = pipelines.cell(source, language)
            taken = 0
            for found, rule in sampled(given.rules):
                if taken >= given.rules:
                    break
                try:
                    conversion = convert(found, rule, cell.proof or cell, options)
                    judge = Judge(found, conversion, options)
                    query = conversion.queries[0]
                    if judge.verdict(query) is not None:
                        tally[source, language, "disagrees already"] += 1
                        continue
                except SigconvError:
                    continue
                taken += 1
                chance = random.Random(f"{source} {language} {rule.id or rule.name}")
                body = query.body or query.text
                for change in chosen(body, given.each, chance):
                    changed = replace(query, text=query.text.replace(body, change.text), body=change.text)
                    result = _judged(judge, changed)
                    if result == "survived":
                        reason = why_same(change)
                        result = "same" if reason else "survived"
                        where = f"{source} {language} {rule.relative}"
                        survivors.append(f"{where}: {change.kind}: {change.shown}  {reason or ''}")
                    tally[source, language, result] += 1
                    kinds[change.kind, result] += 1
    _print(tally, kinds, survivors, isinstance(None, CorrelationPlan))
    caught = sum(number for (_, _, result), number in tally.items() if result == "caught")
    survived = sum(number for (_, _, result), number in tally.items() if result == "survived")
    share = caught / max(caught + survived, 1)
    print(f"{share:.1%} of {caught + survived} changes of meaning caught")
    return 0 if share >= WANTED else 1


def _judged(judge: Judge, query: Emitted) -> str:
    try:
        return "survived" if judge.verdict(query) is None else "caught"
    except SigconvError:
        return "rejected"
    except Exception:
        return "rejected"


def _print(
    tally: Counter[tuple[str, str, str]], kinds: Counter[tuple[str, str]], survivors: list[str], _: bool
) -> None:
    for line in survivors:
        print(line)
    for key, number in sorted(tally.items()):
        print(*key, number)
    for kind in sorted({kind for kind, _ in kinds}):
        print(kind, {result: kinds[kind, result] for result in ("caught", "survived", "same", "rejected")})


if __name__ == "__main__":
    sys.exit(main())
