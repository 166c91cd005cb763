"""What a pipeline's mapping of values loses, and what of it counts in a rule's condition."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaCasedString, SigmaFieldReference, SigmaString, SigmaType

from converter.pipelines.lowering import Lowering
from converter.plan import fidelity
from converter.plan.conditions import Condition
from converter.plan.model import Fidelity, Reason

OwnText = tuple[SigmaString, str, Sequence[object]]
"""A text that a rule compares, with its field and its parts. The value is kept: no other gets its `id()`."""
Losses = list[tuple[SigmaType, tuple[Reason, ...]]]
"""Values after a pipeline, with what their mapping loses."""


def own_texts(sigma: SigmaRule) -> list[OwnText]:
    """Return each text that a rule compares, as it is before a pipeline changes it."""

    def walk(detection: SigmaDetection) -> Iterator[OwnText]:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetection):
                yield from walk(item)
            elif item.field is not None:
                for value in item.value:
                    if isinstance(value, SigmaString):
                        yield value, item.field, value.s

    return [text for detection in sigma.detection.detections.values() for text in walk(detection)]


def _written(value: SigmaString, parts: Sequence[object]) -> str:
    """Return how a text is written, the case aside where it does not count."""
    text = repr(parts)
    return f"as written {text}" if isinstance(value, SigmaCasedString) else text.lower()


def of_pipeline(sigma: SigmaRule, pipeline: ProcessingPipeline) -> Losses:
    """Return values with what their pipeline items lose.

    pySigma keeps the history on detection items and not on the leaves of the parsed condition; both
    hold the same value objects.
    """
    lossy = pipeline.vars.get("lossy") or {}
    renaming = {
        item.identifier
        for item in pipeline.items
        if isinstance(item.transformation, FieldMappingTransformation)
    }
    found: Losses = []

    def applied(item: SigmaDetectionItem) -> Iterator[str]:
        # What compares two fields counts as renamed by every renaming that looked at it.
        references = [one.field for one in item.value if isinstance(one, SigmaFieldReference)]
        names = [str(item.field), *references] if references else []
        renamed = {key for name in names for key in pipeline.field_name_applied_ids[name]}
        for key in item.applied_processing_items:
            if not references or key not in renaming or key in renamed:
                yield key

    def walk(detection: SigmaDetection) -> None:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetectionItem):
                reasons = tuple(
                    Reason(
                        Fidelity(lossy[key]["fidelity"]),
                        lossy[key]["reason"],
                        lossy[key].get("relaxation", ""),
                    )
                    for key in applied(item)
                    if key in lossy
                )
                if reasons:
                    found.extend((value, reasons) for value in item.value)
            else:
                walk(item)

    if lossy:
        for detection in sigma.detection.detections.values():
            walk(detection)
    return found


def reasons(
    condition: Condition,
    lowering: Lowering,
    losses: Losses,
    own: Sequence[OwnText],
    several: Collection[str] = (),
) -> list[Reason]:
    """Return what a condition loses by the mapping of its values, with polarity.

    Args:
        condition: of the rule, after the pipeline.
        lowering: by which it came about.
        losses: `of_pipeline`.
        own: `own_texts` of the rule before the pipeline.
        several: fields that can hold several values.
    """
    written = {
        origin: (field, _written(value, parts))
        for value, field, parts in own
        if (origin := lowering.origin_of(value)) is not None
    }
    lost = {origin: found for value, found in losses if (origin := lowering.origin_of(value)) is not None}
    return fidelity.of_condition(condition, lost, several, written)
