"""Side by side: upstream's queries and ours, for the same rules, on the same engines and events.

``python -m benchmarks.correctness [--every N | --no-corpus] [--list]`` takes the table of the language
(`tests/cases`, ids worked out by hand) and, where ``../shared/sigmahq`` is, every N-th public rule with
events made from it. No pipeline: fields keep the rule's names. Upstream is given what its user would add,
and the most favourable reading: the table's name in front of KQL, every field mapped in every index for EQL;
what an engine here lacks is counted apart, never as wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from sigma.exceptions import SigmaError

from benchmarks.questions import Question, ask_upstream, of_corpus, of_table
from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.pipelines import prepare as pipelines
from converter.plan.columns import Columns
from converter.plan.model import BaseRule
from converter.rules.ruleset import RuleSet
from converter.shapes import inferred as none_shape
from converter.upstream.ask import Answer
from converter.upstream.judge import Hit, Judgement, Outcome, Sample, check, judge

LANGUAGES = ("eql", "lucene", "spl", "kql")
UPSTREAM, OURS = "upstream", "sigconv"

AGREES = "agrees"
LABELLED = "labelled"
CASE = "case"
WRONG = "wrong"
LOST = "lost"
INVALID = "invalid"
REFUSED = "refused"
NOT_HERE = "not here"
OUTCOMES = {
    AGREES: "selects exactly what the rule means",
    LABELLED: "says that it returns more than the rule means, and misses nothing",
    CASE: "wrong by letter case alone: selects what the rule would mean if every value were `cased`",
    WRONG: "selects other events, and does not say so",
    LOST: "no query and no error",
    INVALID: "the language's parser or analyser rejects the query",
    REFUSED: "an error instead of a query",
    NOT_HERE: "uses what the engine here does not execute",
}

_OUTCOMES = {
    Outcome.AGREES: AGREES,
    Outcome.INVALID: INVALID,
    Outcome.LOST: LOST,
    Outcome.NOT_HERE: NOT_HERE,
}


@dataclass(frozen=True)
class Found:
    """What one converter's queries for one rule did in one language."""

    question: str
    language: str
    who: str
    outcome: str
    why: str = ""


def compare(questions: Sequence[Question]) -> tuple[dict[str, str], Iterator[Found]]:
    """Return upstream's versions and the findings, upstream's and ours for each rule and language."""
    versions, answers = ask_upstream(questions)

    def found() -> Iterator[Found]:
        for question, answer in zip(questions, answers, strict=True):
            for language in LANGUAGES:
                if question.storable(language):
                    yield from _both(question, language, answer[language])

    return versions, found()


def _both(question: Question, language: str, answer: Answer) -> Iterator[Found]:
    ours, columns = _ours(question, language)
    yield Found(question.name, language, UPSTREAM, *_upstream(question, language, answer, columns))
    yield Found(question.name, language, OURS, *ours)


def _ours(question: Question, language: str) -> tuple[tuple[str, str], Columns]:
    cell = cells.cell(cells.NONE, language)
    options = Options("broader", placeholders=question.placeholders)
    columns: Columns = {}
    try:
        base, _ = pipelines.prepare(question.rule, cell, question.placeholders)
        columns = base.columns
        made = convert(RuleSet([question.rule]), question.rule, cell, options)
    except (Refusal, SigmaError) as refusal:
        return (REFUSED, str(refusal)), columns
    assert isinstance(made.plan, BaseRule)
    texts = [query.text for query in made.queries]
    outcome, why = _judged(question, language, texts, made.plan.columns)
    if made.fidelity == "broader" and outcome in (CASE, WRONG) and not why.startswith("misses"):
        outcome = LABELLED
    return (outcome, why), columns


def _upstream(question: Question, language: str, answer: Answer, columns: Columns) -> tuple[str, str]:
    if answer.raised is not None:
        return REFUSED, answer.raised
    mapped = {name: replace(column, optional=False) for name, column in columns.items()}
    return _judged(question, language, answer.queries, mapped)


def _judged(question: Question, language: str, texts: Sequence[str], columns: Columns) -> tuple[str, str]:
    means = question.means(language, columns)
    sample = Sample(
        language,
        (tuple(none_shape.store(question.events, columns, language)),),
        {none_shape.INDEX: columns},
        frozenset(Hit(0, event) for event in means),
    )
    judgement = check(language, texts, sample.tables) or judge(sample, texts)
    if judgement.outcome is not Outcome.DIFFERS:
        return _OUTCOMES[judgement.outcome], judgement.why
    got = {hit.event for hit in (sample.meant - judgement.missed) | judgement.added}
    return CASE if got == question.cased(language, columns) else WRONG, _difference(question, judgement)


def _difference(question: Question, judgement: Judgement) -> str:
    verb, hits = ("misses", judgement.missed) if judgement.missed else ("returns", judgement.added)
    event = question.events[min(hits).event]
    shown = {key: value for key, value in event.items() if key in str(question.rule.doc["detection"])}
    return f"{verb} {len(hits)} of {len(question.events)} events, such as {shown or event!s:.160}"


def table(found: Sequence[Found]) -> str:
    """Return the counts as Markdown."""
    counted = Counter((one.language, one.who, one.outcome) for one in found)
    lines = [f"| | | rules | {' | '.join(OUTCOMES)} |", f"|---|---|{'---|' * (len(OUTCOMES) + 1)}"]
    for language in LANGUAGES:
        for who in (UPSTREAM, OURS):
            row = [counted[language, who, outcome] for outcome in OUTCOMES]
            lines.append(f"| {language} | {who} | {sum(row)} | {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 if one of our own queries is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.correctness", description=__doc__)
    parser.add_argument("--every", type=int, default=10, help="every N-th public rule (default 10)")
    parser.add_argument("--no-corpus", action="store_true", help="the table of the language alone")
    parser.add_argument("--list", action="store_true", help="the rules that upstream gets wrong, and why")
    options = parser.parse_args(arguments)
    bad = 0
    sets = {"tests/cases": of_table()}
    if not options.no_corpus:
        sets[f"sigmahq, every {options.every}."] = of_corpus(options.every)
    for name, questions in sets.items():
        if not questions:
            print(f"{name}: not here", file=sys.stderr)
            continue
        versions, findings = compare(questions)
        found = list(findings)
        named = ", ".join(f"{package} {number}" for package, number in versions.items())
        print(f"## {name}: {len(questions)} rules; {named}; sigconv {version('sigconv')}\n")
        print(table(found) + "\n")
        for one in found:
            wrong = one.outcome in (CASE, WRONG, LOST, INVALID)
            if wrong and (options.list or one.who == OURS):
                bad += one.who == OURS
                print(f"{one.who} {one.language} {one.question}: {one.outcome}: {' '.join(one.why.split())}")
    print("\n".join(f"- {outcome}: {text}" for outcome, text in OUTCOMES.items()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
