"""The contract of the steps that rewrite a rule's values: which forms of value each is proven for.

A step that rewrites values (`transformations`, `path_transformations`, ...) derives from `Rewriting` and
declares ``proven``. A value of any other form is refused here, in one place, so nothing that a step does
not know passes it unchanged. ``tests/proof/rewritten_forms.py`` tries every form on every such field in every
cell, negated too: what a step makes of a value holds for just the same events, so that it may be under
``not``; what does not is labelled in the pipeline (``vars.lossy``), and the label turns under ``not``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
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
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaType,
)

from converter.errors import Refusal
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.patterns import MANY, ONE

Part = SigmaDetection | SigmaDetectionItem


class Form(StrEnum):
    """What a value of a rule looks like. A value can be of several forms: a cased prefix, say."""

    EQUAL = "a whole text"
    PREFIX = "a begin"
    SUFFIX = "an end"
    PART = "a part"
    INSIDE = "a pattern with '*' inside"
    SINGLE = "a pattern with '?'"
    ANY = "any text"
    EMPTY = "an empty text"
    CASED = "a text as written (cased)"
    REGEX = "a regular expression"
    REGEX_ANY_CASE = "a regular expression in any case"
    NULL = "null"
    EXISTS = "a question for its presence"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NETWORK = "a network"
    COMPARISON = "a comparison of size"
    FIELD = "another field"
    NEGATED = "a negation"
    OTHER = "another kind of value"


WHOLE = frozenset({Form.EQUAL, Form.NEGATED})
"""Whole texts."""
PATTERNS = WHOLE | {Form.PREFIX, Form.SUFFIX, Form.PART, Form.INSIDE, Form.SINGLE, Form.ANY}
"""Texts, and patterns of every form."""
ABSENCE = frozenset({Form.NULL, Form.EXISTS})
SCALARS = frozenset({Form.NUMBER, Form.BOOLEAN})
REGEXES: frozenset[Form] = frozenset({Form.REGEX, Form.REGEX_ANY_CASE})


def forms(value: SigmaType) -> frozenset[Form]:
    """Return the forms of a value; those of a value that stands for several are those of all of them."""
    match value:
        case SigmaExpansion():
            return frozenset[Form]().union(*map(forms, value.values))
        case SigmaString():
            return frozenset(_text_forms(value))
        case SigmaRegularExpression():
            any_case = SigmaRegularExpressionFlag.IGNORECASE in value.flags
            return frozenset({Form.REGEX_ANY_CASE if any_case else Form.REGEX})
    for kind, form in _KINDS:
        if isinstance(value, kind):
            return frozenset({form})
    return frozenset({Form.OTHER})


_KINDS: tuple[tuple[type[SigmaType], Form], ...] = (
    (SigmaNull, Form.NULL),
    (SigmaExists, Form.EXISTS),
    (SigmaBool, Form.BOOLEAN),
    (SigmaCompareExpression, Form.COMPARISON),
    (SigmaNumber, Form.NUMBER),
    (SigmaCIDRExpression, Form.NETWORK),
    (SigmaFieldReference, Form.FIELD),
)


def _text_forms(value: SigmaString) -> Iterator[Form]:
    parts = common.parts(value)
    if isinstance(value, SigmaCasedString):
        yield Form.CASED
    if ONE in parts:
        yield Form.SINGLE
    if not parts:
        yield Form.EMPTY
    elif all(part is MANY for part in parts):
        yield Form.ANY
    elif MANY in parts[1:-1]:
        yield Form.INSIDE
    elif parts[0] is MANY:
        yield Form.PART if parts[-1] is MANY else Form.SUFFIX
    else:
        yield Form.PREFIX if parts[-1] is MANY else Form.EQUAL


class Rewriting(DetectionItemTransformation):
    """A step that rewrites the values of an item, of the forms that it declares; it refuses all others.

    Subclasses give ``proven`` and `rewrite`. ``advice`` ends the message of a refusal: what to write instead.
    """

    proven: ClassVar[frozenset[Form]]
    advice: ClassVar[str] = "compare whole texts"

    def __init_subclass__(cls) -> None:
        """Check that the step declares its forms.

        Raises:
            TypeError: if it does not.
        """
        super().__init_subclass__()
        if not hasattr(cls, "proven"):
            raise TypeError(f"{cls.__name__} does not say for which forms of value it is proven")

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Rewrite an item whose values are all of proven forms.

        Raises:
            Refusal: SC201 for a value of another form.
        """
        if not self._concerns(detection_item):
            return None
        if not self.last and next(self._unknown(detection_item), None):
            return None
        self.check(detection_item)
        return self.rewrite(detection_item)

    @property
    def last(self) -> bool:
        """Whether no later step of the pipeline takes what this one does not know; steps in a row say so."""
        return True

    @abstractmethod
    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Return what the item becomes, or None if it stays (its values then mean the same as stored).

        Raises:
            Refusal: SC201 for a value that cannot be rewritten although its form is a proven one.
        """

    def check(self, item: SigmaDetectionItem) -> None:
        """Refuse an item with a value whose form is not a proven one.

        Raises:
            Refusal: SC201.
        """
        for value, form in self._unknown(item):
            raise self.refusal(item, value, form)

    def _unknown(self, item: SigmaDetectionItem) -> Iterator[tuple[SigmaType, Form]]:
        negation = {Form.NEGATED} if item.negated else set()
        for value in item.value:
            yield from ((value, form) for form in sorted((forms(value) | negation) - self.proven))

    def refusal(self, item: SigmaDetectionItem, value: SigmaType, form: Form) -> Refusal:
        """Return the refusal of a value, which says what can be written instead."""
        return common.refuse(
            item, value, f"{self.advice} ({form} cannot be rewritten as the platform writes it)"
        )

    def _concerns(self, item: SigmaDetectionItem) -> bool:
        if not isinstance(self, FieldMappingTransformationBase):
            return True
        # pySigma asks a mapping of fields for each item, whatever its field.
        return self.processing_item is None or self.processing_item.match_field_name(item.field)
