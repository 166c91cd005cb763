"""Texts that are known to be right, of correlations and of typed columns: tests/proof/texts.

``python -m tests.proof.pinned [LANGUAGE ...]`` writes the files anew, ``--add TOKEN ...`` with more. A text
is written only if an engine bears it out: a correlation's alerts over random streams are the matcher's
(`streams.compare`), a rule selects of all values what the matcher selects (`typed.problems`). Read the diff
before you commit it. `test_pinned.py` compares: a change of what is emitted shows in a second.

A token names a correlation, ``random/TYPE/NUMBER`` of `stream_rules` or ``table/TYPE/CONDITION/BASES`` of the
table of docs/correlations.md; or a rule of `typed`, `keyed`, `forms`, `fuzzed`, `sourced` or `configured`.
They are chosen so that together they reach what all of these reach in the backends (``--choose``) and notice
what mutants change.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from random import Random
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.errors import Refusal
from converter.pipelines.cells import Cell
from converter.plan.model import Draft
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify_rule
from tests.proof import configured, forms, fuzzed, keyed, sourced, table, typed
from tests.proof.stream_cells import LANGUAGES
from tests.proof.stream_rules import TYPES, Chain, random_chain
from tests.proof.streams import batch, compare, converted
from tests.support import ROOT

FOLDER = ROOT / "tests" / "proof" / "texts"
STREAMS = 6
RANDOM = 90
"""Random correlations of each type that there are to choose from."""
_HEAD, _NEXT = "=== ", "--- "
DRAFTS: dict[str, Any] = {"typed": typed, "form": forms, "fuzz": fuzzed}
_IN_CELLS = {"sourced": sourced.rules, "configured": configured.rules}
_ANY = Options("any")


@cache
def _table() -> dict[str, Chain]:
    return {
        f"table/{kind}/{condition}/{chain.bases}": chain
        for kind, condition, chains in table.rows()
        for chain in chains
    }


def candidates(language: str) -> list[str]:
    """Return all tokens."""
    correlations = [*_table(), *(f"random/{kind}/{number}" for kind in TYPES for number in range(RANDOM))]
    events = [*typed.tokens(language), *forms.tokens(language), *sourced.tokens()]
    events += [*configured.tokens(language), *fuzzed.tokens()]
    return [*correlations, *keyed.tokens(language), *events]


def chain(token: str) -> Chain:
    """Return the rules of a token.

    Raises:
        KeyError: if nothing has the name.
    """
    if token.startswith("table/"):
        return _table()[token]
    _, kind, number = token.split("/")
    return random_chain(Random(f"mutants/{kind}/{number}"), kind)


@cache
def texts(language: str) -> dict[str, str]:
    """Return what the file says: token -> everything that is emitted, or the code of the refusal."""
    path = FOLDER / f"{language}.txt"
    if not path.exists():
        return {}
    found = {}
    for section in path.read_bytes().decode("utf-8").split(f"\n{_HEAD}")[1:]:
        token, _, text = section.partition("\n")
        found[token] = text.rstrip("\n")
    return found


def tokens(language: str) -> list[str]:
    """Return which correlations the file has."""
    return list(texts(language))


def outcome(token: str, language: str) -> tuple[str, Conversion | list[Draft] | None]:
    """Convert a rule; return what is compared, and the conversion if it is not refused."""
    family = token.partition("/")[0]
    if family in DRAFTS:
        return DRAFTS[family].outcome(token, language)
    try:
        if family in _IN_CELLS:
            made = convert(*_IN_CELLS[family](token, language), _ANY)
        elif family == "keyed":
            made = keyed.converted(token, language)
        else:
            made = converted(chain(token), language)
    except Refusal as refusal:
        return f"refused {refusal.code}", None
    return emitted(made), made


def emitted(made: Conversion) -> str:
    """Return everything that is emitted for a correlation, as the files hold it."""
    lines = [str(made.fidelity)]
    if made.cell.target == "lucene":  # Others have them in their header.
        lines += [f"{reason.fidelity}: {reason.text}" for reason in made.reasons]
    for query in made.queries:
        lines.append(f"{_NEXT}{query.name or ''}.{query.extension}")
        if query.alert is not None:
            columns = asdict(query.alert).items()
            lines.append(json.dumps({key: value for key, value in columns if value is not None}))
        if query.extra:
            lines.append(json.dumps(dict(query.extra)))
        lines.append(query.text.rstrip("\n"))
    return "\n".join(lines)


def problems(token: str, language: str, made: Conversion | list[Draft]) -> list[str]:
    """Run a conversion; return where it does not select what the matcher does."""
    family = token.partition("/")[0]
    if not isinstance(made, Conversion):
        return DRAFTS[family].problems(token, language, made)
    if family == "keyed":
        return keyed.problems(token, language, made)
    if family in _IN_CELLS:
        return _verified(*_IN_CELLS[family](token, language))
    rules = chain(token)
    streams = batch(Random(f"pinned/{token}"), rules, STREAMS, ties=made.cell.target != "eql")
    return compare(rules, made, streams)[0]


def _verified(every: RuleSet, rule: Rule, cell: Cell) -> list[str]:
    """Run a rule's query over its witnesses; return where it does not select what the rule means."""
    (found,) = verify_rule(every, rule, [cell], ROOT / "tests" / "rules", _ANY)
    if found.status != "agrees":
        return [f"{found.status}: {found.reason}", *found.detail]
    return [] if found.hits else ["no witness is selected"]


def write(language: str, wanted: Sequence[str]) -> int:
    """Write a language's file; return how many texts the engine contradicts. Those are left out."""
    sections, wrong = [], 0
    before = texts(language)
    for token in wanted:
        text, made = outcome(token, language)
        # What did not change was borne out before.
        found = problems(token, language, made) if made is not None and before.get(token) != text else []
        if found:
            wrong += 1
            print(f"{language} {token}: {found[0]}", file=sys.stderr, flush=True)
            continue
        sections.append(f"\n{_HEAD}{token}\n{text}\n")
    FOLDER.mkdir(exist_ok=True)
    head = f"Written by `python -m tests.proof.pinned {language}`; each was run over random streams.\n"
    # Bytes: a carriage return in a text stays one.
    (FOLDER / f"{language}.txt").write_bytes((head + "".join(sections)).encode("utf-8"))
    texts.cache_clear()
    return wrong


def chosen(language: str) -> Iterator[str]:
    """Yield correlations, each of which takes a way through the backend that none before it took."""
    folder = str(ROOT / "converter" / "backends")
    seen: set[tuple[object, int, int]] = set()
    steps: set[tuple[object, int, int]] = set()

    def begin(frame, event, argument):  # type: ignore[no-untyped-def]
        if not frame.f_code.co_filename.startswith(folder):
            return None
        code, last = (frame.f_code.co_filename, frame.f_code.co_name), frame.f_lineno

        def local(frame, event, argument):  # type: ignore[no-untyped-def]
            nonlocal last
            if event == "line":
                steps.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return local

        return local

    for token in candidates(language):
        steps.clear()
        sys.settrace(begin)
        try:
            outcome(token, language)
        finally:
            sys.settrace(None)
        if steps - seen:
            seen |= steps
            yield token


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; return 1 if an engine contradicts a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", choices=[*LANGUAGES, []])
    parser.add_argument("--add", nargs="+", default=[], metavar="TOKEN")
    parser.add_argument("--choose", action="store_true", help="add those that reach new code")
    given = parser.parse_args(arguments)
    wrong = 0
    for language in given.languages or LANGUAGES:
        more = list(chosen(language)) if given.choose else []
        there = set(candidates(language))
        wanted = dict.fromkeys([*tokens(language), *more, *given.add])
        wrong += write(language, [token for token in wanted if token in there])
        print(f"{language}: {len(tokens(language))} texts", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
