"""The columns of a cell: names and types, from the column list beside its pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column or field of a cell, from the column list beside its pipeline.

    ``type`` is the platform's own name: Elastic ``keyword``, ``wildcard``, ``text``, ``match_only_text``,
    ``long``, ``ip``, ``boolean``, ``date``, ``flattened``; Kusto ``string``, ``int``, ``long``, ``real``,
    ``bool``, ``datetime``, ``dynamic``, ``guid``; Splunk ``string`` or ``number``.
    """

    type: str
    caseless: str | None = None
    """Elastic: the sub-field with a lowercase normalizer, if every index of the cell has it."""
    optional: bool = False
    """Elastic: not mapped in every index of the cell, so EQL must write ``?field``."""
    multi: bool = False
    """The field can hold several values."""
    via: str | None = None
    """Splunk: the expression that reads the value, where it is no field of its own. Kusto: how the value is
    got out of other columns: a key of the backend's accessors, or ``=`` and an expression in KQL that has the
    column's type, such as ``=tostring(parse_json(AdditionalFields).X)``."""
    analyzer: str | None = None
    """Elastic: of a text field that Elasticsearch's ``pattern`` analyzer takes apart, the Java regular
    expression of what is between its tokens, which are lower-cased; None: the standard analyzer."""
    ignore_above: int | None = None
    """Elastic: the longest value, in characters, that a keyword field indexes; ``_source`` keeps all."""
    long: bool | tuple[str, ...] = False
    """Elastic: whether the source writes values that are longer than ``ignore_above``; or the categories of
    the log sources whose events have such values there."""
    key: bool = True
    """Whether the value stands for the rule's: false where it is a part of it, such as the name of a file
    without its folder. Events cannot be grouped, nor values counted, by a part."""
    field: str | None = None
    """Splunk: the field that ``via`` reads, for `search` to look at."""
    stored: str = ""
    """Splunk: how the text is stored, where not as it is (``plain`` or nothing): ``xml`` (`&`, `<` and `>` as
    entities), ``quoted`` (that, and in apostrophes), ``json`` (inside the JSON text of ``field``), ``word``
    (in an event that is read as a whole: a term of it)."""
    null: str | None = None
    """Splunk: the text that is stored where there is no value (JSON null is extracted as ``null``)."""

    def cut(self, category: str | None) -> int | None:
        """Return the length beyond which values of a category's events are not indexed, if there are any."""
        long = self.long if isinstance(self.long, bool) else category in self.long
        return self.ignore_above if long and self.type == "keyword" else None


Columns = Mapping[str, Column]
