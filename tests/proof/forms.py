"""The cases of the table in Lucene's other forms, for `pinned`.

A token is ``form/FORM/CASE``, CASE as in tests/cases, with ``/not`` at the end for its negation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from converter.backends import backend_for
from converter.engines import engine_for
from converter.errors import EngineError, Refusal
from converter.plan.fidelity import combine
from converter.plan.model import BaseRule, Draft, Fidelity
from converter.shapes import inferred as none_shape
from tests.language_expected import selects
from tests.language_table import Case, cases
from tests.proof.judged import label_lines
from tests.support import none_base

FORMS: Mapping[str, Mapping[str, str]] = {
    "dsl": {"form": "dsl"},
    "as-is": {"case": "as-is"},
    "as-is dsl": {"case": "as-is", "form": "dsl"},
}


@cache
def _cases() -> dict[str, Case]:
    return {case.id: case for case in cases()}


def tokens(language: str) -> Iterator[str]:
    """Yield everything there is for a language."""
    if language == "lucene":
        for form in FORMS:
            for case in _cases():
                yield f"form/{form}/{case}"


def _case(token: str) -> Case:
    return _cases()[token.split("/", 2)[2]]


@cache
def base(token: str, language: str) -> BaseRule:
    """Return the rule as a backend takes it.

    Raises:
        Refusal: if it is refused before that.
    """
    return none_base(_case(token).detection, language, _case(token).placeholders)


def outcome(token: str, language: str, backends: Any = backend_for) -> tuple[str, list[Draft] | None]:
    """Convert a case; return what is compared, and the drafts if it is not refused."""
    try:
        drafts = backends(language, **FORMS[token.split("/")[1]]).event(base(token, language))
    except Refusal as refusal:
        return f"refused {refusal.code}", None
    return "\n".join([*label_lines(drafts), *(draft.text.rstrip("\n") for draft in drafts)]), drafts


def problems(token: str, language: str, drafts: Sequence[Draft]) -> list[str]:
    """Run the query over the case's events; return where it does not select what its label says."""
    tables = {none_shape.INDEX: base(token, language).columns}
    label = combine(reason for draft in drafts for reason in draft.reasons)
    (draft,) = drafts
    try:
        engine_for(language).validate(draft.text, tables)
        got, wanted = map(set, selects(_case(token), language, draft.text))
    except EngineError as error:
        return [str(error)]
    right = {
        Fidelity.EXACT: got == wanted,
        Fidelity.BROADER: got >= wanted,
        Fidelity.NARROWER: got <= wanted,
    }
    return [] if right[label] else [f"{label}: selects {sorted(got)}, means {sorted(wanted)}: {draft.text}"]
