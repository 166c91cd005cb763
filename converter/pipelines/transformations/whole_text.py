"""Value transformations for what Elastic's ingest keeps beside the record's own elements.

- ``whole_text``: values that the ingest keeps unchanged in another field, without a limit on their length.
"""

from __future__ import annotations

from dataclasses import dataclass

from sigma.processing.transformations.base import DetectionItemTransformation
from sigma.rule import SigmaDetectionItem
from sigma.types import SigmaExists, SigmaNull, SigmaString, SigmaType

from converter.pipelines.transformations import patterns
from converter.pipelines.transformations.items import Part, group, item, parts

# Sysmon's texts of numbers. Of these the ingest makes decimals (elastic/integrations packages/windows/
# data_stream/sysmon_operational/elasticsearch/ingest_pipeline/default.yml, "Set registry fields"). It keeps
# other texts.
_HEX = ["0123456789abcdef"] * 8
_NUMBERS = ([*"DWORD (0x", *_HEX, ")"], [*"QWORD (0x", *_HEX, *"-0x", *_HEX, ")"])


@dataclass
class WholeText(DetectionItemTransformation):
    """Look for texts of registry data in the field that has them whole, whatever their length.

    ``field``: that field, which has numbers in another notation. Values that can only be texts, and null and
    `exists`, go there; a value that could be a number's, and regular expressions, stay.
    """

    field: str

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Move the values of one item; None if none is moved."""
        fields = [self.field if _is_text(one) else str(detection_item.field) for one in detection_item.value]
        if self.field not in fields:
            return None
        return group(
            detection_item,
            [item(detection_item, name, one) for name, one in zip(fields, detection_item.value, strict=True)],
        )


def _is_text(value: SigmaType) -> bool:
    if isinstance(value, SigmaNull | SigmaExists):
        return True
    if not isinstance(value, SigmaString) or value.contains_placeholder():
        return False
    pattern = patterns.tokens(parts(value))
    if all(not isinstance(token, str) for token in pattern):
        # A lone star asks whether there is a value.
        return pattern == (patterns.MANY,)
    decimal = all(not isinstance(token, str) or token in "0123456789" for token in pattern)
    return not decimal and not any(patterns.possible(pattern, number) for number in _NUMBERS)
