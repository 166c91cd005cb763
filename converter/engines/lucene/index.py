"""An in-memory Lucene index of stored events, fields typed as Elasticsearch's mappers type them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from converter.engines import lucene_jvm
from converter.events.stored import Stored
from converter.plan.columns import Columns

WHOLE = frozenset({"keyword", "wildcard", "constant_keyword", "flattened"})
ANALYSED = frozenset({"text", "match_only_text"})
INTEGERS = frozenset({"long", "integer", "short", "byte", "unsigned_long"})
FLOATS = frozenset({"double", "float", "half_float", "scaled_float"})
EXISTS = " exists"
"""A field of our own that holds the names of a document's fields, as Elasticsearch's `_field_names`."""
TIME = "@timestamp"
"""A date in all data streams (Elasticsearch reference, "Data streams")."""
IGNORED = "_ignored"
"""Elasticsearch's own field: the names of a document's fields with values that are not indexed because of
``ignore_above`` or ``ignore_malformed`` (Elasticsearch reference, "_ignored field"), searched by term."""
MAX_TERM_BYTES = 32_766
"""Lucene's limit; Elasticsearch's wildcard fields have none."""


def lowercase(text: str) -> str:
    """Lower-case as Lucene's LowerCaseFilter: character by character (Java's Character.toLowerCase)."""
    return "".join("i" if char == "İ" else char.lower() for char in text)


def milliseconds(value: Any) -> int:
    """Return the epoch milliseconds of a date as Elasticsearch's default format takes it.

    Raises:
        ValueError: if it is neither ISO 8601 nor epoch milliseconds.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, int | float) or str(value).lstrip("-").isdigit():
        return int(value)
    else:
        moment = datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


class Fields:
    """The fields of an index: names to types, sub-fields among them."""

    def __init__(self, columns: Columns, events: Iterable[Stored]) -> None:
        self.types: dict[str, str] = {IGNORED: "keyword"}
        self.caseless: set[str] = set()
        self.copies: dict[str, str] = {}
        self.separators: dict[str, str] = {}
        self.limits: dict[str, int] = {}
        for event in events:
            # What no column declares is mapped dynamically, as a keyword; a document's time is a date.
            self.types.update(dict.fromkeys(event.doc, "keyword"))
        if TIME in self.types:
            self.types[TIME] = "date"
        for name, column in columns.items():
            self.types[name] = column.type
            if column.analyzer:
                self.separators[name] = column.analyzer
            if column.ignore_above and column.type == "keyword":
                self.limits[name] = column.ignore_above
            if column.caseless and column.caseless != name:
                self.types[column.caseless] = "keyword"
                self.caseless.add(column.caseless)
                self.copies[name] = column.caseless

    def analyzer(self) -> Any:
        """Return the Lucene analyzer of the text fields, each with its own."""
        return analyzer(tuple(sorted(self.separators.items())))

    def normalized(self, field: str, text: str) -> str:
        """Return query text as the field's normalizer changes it."""
        return lowercase(text) if field in self.caseless else text


@cache
def analyzer(separators: tuple[tuple[str, str], ...]) -> Any:
    """Return Elasticsearch's standard analyzer, and its pattern analyzer for the fields that are named.

    Its PatternAnalyzer is Lucene's PatternTokenizer and LowerCaseFilter, without stop words unless they are
    configured (elastic/elasticsearch modules/analysis-common, PatternAnalyzer.java).

    Args:
        separators: field and Java regular expression of what stands between its tokens.
    """
    import jpype

    lucene_jvm.start()
    package = "org.apache.lucene.analysis."
    standard = jpype.JClass(package + "standard.StandardAnalyzer")()
    own = jpype.JClass("java.util.HashMap")()
    for name, pattern in separators:
        settings = jpype.JClass("java.util.HashMap")()
        settings.put(lucene_jvm.java_string("pattern"), lucene_jvm.java_string(pattern))
        settings.put(lucene_jvm.java_string("group"), lucene_jvm.java_string("-1"))
        builder = jpype.JClass(package + "custom.CustomAnalyzer").builder()
        builder = builder.withTokenizer(lucene_jvm.java_string("pattern"), settings)
        made = builder.addTokenFilter(
            lucene_jvm.java_string("lowercase"), jpype.JClass("java.util.HashMap")()
        )
        own.put(lucene_jvm.java_string(name), made.build())
    return jpype.JClass(package + "miscellaneous.PerFieldAnalyzerWrapper")(standard, own)


def values(value: Any) -> list[Any]:
    """Return a field's values; nulls are no values."""
    many = value if isinstance(value, list | tuple) else [value]
    return [one for one in many if one is not None]


def build(events: Sequence[Stored], fields: Fields, ignore_above: int | None) -> Any:
    """Return a Lucene IndexSearcher over the events; a value that its field cannot hold is left out.

    Args:
        events: of one Elasticsearch index.
        fields: its fields.
        ignore_above: characters beyond which a keyword of no limit of its own is not indexed.
    """
    import jpype

    lucene_jvm.start()
    java = jpype.JClass
    directory = java("org.apache.lucene.store.ByteBuffersDirectory")()
    config = java("org.apache.lucene.index.IndexWriterConfig")(fields.analyzer())
    # Without merges Lucene's numbers of the documents are the positions of the events.
    config.setMergePolicy(java("org.apache.lucene.index.NoMergePolicy").INSTANCE)
    writer = java("org.apache.lucene.index.IndexWriter")(directory, config)
    make = _Maker(fields.limits, ignore_above)
    # A document is what yields its fields: one list goes over to Java in one call.
    fields_of = jpype.JArray(java("org.apache.lucene.index.IndexableField"))
    as_list = java("java.util.Arrays").asList
    for event in events:
        document: list[Any] = []
        for name, value in event.doc.items():
            _add(document, make, fields, name, values(value))
        writer.addDocument(as_list(fields_of(document)))
    writer.commit()
    reader = java("org.apache.lucene.index.DirectoryReader").open(writer)
    writer.close()
    searcher = java("org.apache.lucene.search.IndexSearcher")(reader)
    searcher.setQueryCache(None)
    return searcher


def _add(document: list[Any], make: _Maker, fields: Fields, name: str, given: list[Any]) -> None:
    kind = fields.types[name]
    present = False
    for value in given:
        try:
            field = make.field(name, kind, value)
        except (ValueError, OverflowError, TypeError):
            # logs@settings, of all data streams logs-*: ignore_malformed, so the field is not indexed.
            document.append(make.ignored(name))
            continue
        if field is None:
            document.append(make.ignored(name))
            continue
        present = True
        document.append(field)
        copy = fields.copies.get(name)
        if copy:
            document.append(make.field(copy, "keyword", lowercase(text_of(value))))
            document.append(make.name(copy))
    if present:
        document.append(make.name(name))


def text_of(value: Any) -> str:
    """Return the text that Elasticsearch indexes of a JSON scalar."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Maker:
    """Makes Lucene fields."""

    def __init__(self, limits: Mapping[str, int], ignore_above: int | None) -> None:
        import jpype

        document = "org.apache.lucene.document."
        self.limits = limits
        self.ignore_above = ignore_above
        self.string = jpype.JClass(document + "StringField")
        self.text = jpype.JClass(document + "TextField")
        self.long = jpype.JClass(document + "LongPoint")
        self.double = jpype.JClass(document + "DoublePoint")
        self.ip = jpype.JClass(document + "InetAddressPoint")
        self.no = jpype.JClass("org.apache.lucene.document.Field$Store").NO
        self.jlong = jpype.JLong
        # Most events share most values, and making a Java object costs more than all else.
        self.names: dict[str, Any] = {}
        self.fields: dict[tuple[str, str, type, Any], Any] = {}

    def name(self, name: str) -> Any:
        if name not in self.names:
            self.names[name] = self.string(EXISTS, lucene_jvm.java_string(name), self.no)
        return self.names[name]

    def ignored(self, name: str) -> Any:
        """Return the entry of a field whose value is not indexed."""
        return self.string(IGNORED, lucene_jvm.java_string(name), self.no)

    def field(self, name: str, kind: str, value: Any) -> Any:
        if not isinstance(value, (str, int, float)):
            return self._made(name, kind, value)
        key = (name, kind, type(value), value)
        if key not in self.fields:
            self.fields[key] = self._made(name, kind, value)
        return self.fields[key]

    def _made(self, name: str, kind: str, value: Any) -> Any:
        java_name = lucene_jvm.java_string(name)
        if kind in WHOLE:
            text = text_of(value)
            limit = self.limits.get(name, self.ignore_above)
            if kind == "keyword" and limit and len(text) > limit:
                return None
            if len(text.encode("utf-8", "replace")) > MAX_TERM_BYTES:
                raise ValueError("longer than a term can be")
            return self.string(java_name, lucene_jvm.java_string(text), self.no)
        if kind in ANALYSED:
            return self.text(java_name, lucene_jvm.java_string(text_of(value)), self.no)
        if kind in INTEGERS:
            return self.long(java_name, [self.jlong(whole_number(value))])
        if kind in FLOATS:
            return self.double(java_name, [float(value)])
        if kind == "date":
            return self.long(java_name, [self.jlong(milliseconds(value))])
        if kind == "boolean":
            return self.string(java_name, lucene_jvm.java_string(boolean(value)), self.no)
        if kind == "ip":
            return self.ip(java_name, address(value))
        raise ValueError(f"no type {kind}")


def whole_number(value: Any) -> int:
    """Return an integer field's value: Elasticsearch coerces text and drops a fraction."""
    if isinstance(value, bool):
        raise ValueError("a boolean is no number")
    number = int(value) if isinstance(value, int) or str(value).lstrip("-").isdigit() else int(float(value))
    if not -(2**63) <= number < 2**63:
        raise ValueError("out of range")
    return number


def boolean(value: Any) -> str:
    """Return "true" or "false".

    Raises:
        ValueError: for anything else; an empty string is false, as in Elasticsearch.
    """
    text = text_of(value)
    if text not in ("true", "false", ""):
        raise ValueError(f"{text!r} is no boolean")
    return text or "false"


def address(value: Any) -> Any:
    """Return a java.net.InetAddress.

    Raises:
        ValueError: if the text is no address; names are never resolved.
    """
    import ipaddress

    import jpype

    found = ipaddress.ip_address(str(value))
    signed = [byte - 256 if byte > 127 else byte for byte in found.packed]
    return jpype.JClass("java.net.InetAddress").getByAddress(jpype.JArray(jpype.JByte)(signed))


Tables = Mapping[str, Columns]
