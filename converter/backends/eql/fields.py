"""The fields of a rule's cell, and how EQL compares each type with each kind of value."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import Any

from converter.backends.common.numbers import numeral, whole
from converter.backends.elastic import addresses, long_values
from converter.backends.elastic.networks import v6_regex
from converter.backends.eql import text
from converter.backends.eql.expression import Leaf, Node, Values, either
from converter.errors import Refusal
from converter.plan.columns import Column, Columns
from converter.plan.model import Fidelity, Reason
from converter.plan.values import Regex, Text

_FAMILIES = {
    **dict.fromkeys(("keyword", "wildcard", "constant_keyword"), "string"),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long"), "number"),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), "number"),
    **dict.fromkeys(("date", "date_nanos"), "date"),
    "boolean": "boolean",
    "ip": "ip",
}


def family(kind: str) -> str:
    """Return what the values of a type are: string, number, date, boolean, ip; else the type itself."""
    return _FAMILIES.get(kind, kind)


_ISO = re.compile(r"\d{4}-\d\d-\d\d(T|$)", re.ASCII)
_NUMERAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


class Scope:
    """What a condition is converted in: the columns, the polarity, and the losses so far."""

    def __init__(self, columns: Columns, category: str | None = None, *, declared: bool = True) -> None:
        self.declared = declared
        """Whether the columns are those of an index, and not just the fields that the rule asks for."""
        self._category = category
        self._columns = columns
        self.negated = False
        self.reasons: list[Reason] = []

    def column(self, name: str) -> Target:
        """Return a field.

        Raises:
            Refusal: SC204 for a field that is not in the column list or of a type that EQL cannot query.
        """
        column = self._columns.get(name)
        if column is None:
            raise Refusal("SC204", f"the field {name} is not in the column list")
        return Target(name, column, self)

    def string_fields(self) -> list[str]:
        """Return the string fields as EQL writes them, in the order of the column list."""
        return [
            text.field(name, column.optional)
            for name, column in self._columns.items()
            if _FAMILIES.get(column.type) == "string"
        ]

    def limits(self) -> dict[str, int]:
        """Return the string fields that may hold longer values than are indexed, with that length."""
        found = {name: column.cut(self._category) for name, column in self._columns.items()}
        return {
            name: limit
            for name, limit in found.items()
            if limit is not None and _FAMILIES.get(self._columns[name].type) == "string"
        }

    def lose(self, fidelity: Fidelity, why: str, relaxation: str = "") -> None:
        """Note a loss."""
        self.reasons.append(Reason(fidelity, why, relaxation))

    def cut(self, name: str, column: Column) -> None:
        """Note that long values of a field are not found, if there are any."""
        limit = column.cut(self._category)
        if limit is not None:
            fidelity = Fidelity.BROADER if self.negated else Fidelity.NARROWER
            self.lose(
                fidelity, long_values.missing(name, limit), long_values.missing_as(name, limit, absent=True)
            )


class Target:
    """One field as a condition's left side.

    Raises:
        Refusal: SC204 for a type that EQL cannot query (text, flattened and others).
    """

    def __init__(self, name: str, column: Column, scope: Scope | None = None) -> None:
        family = _FAMILIES.get(column.type)
        if family is None:
            hint = "Lucene can query it" if "text" in column.type or column.type == "flattened" else None
            raise Refusal("SC204", f"EQL cannot query the field {name} of type {column.type}", hint=hint)
        self._scope, self._column = scope, column
        self.name = name
        self.type = column.type
        self.family = family
        self.text = text.field(name, column.optional)

    @property
    def as_text(self) -> str:
        """The field where a string is needed; numbers have a function for it."""
        return self.text if self.family == "string" else f"string({self.text})"

    def refused(self, what: str, hint: str | None = None) -> Refusal:
        """Return the refusal of a value that the field's type cannot hold."""
        return Refusal(
            "SC204",
            f"the field {self.name} is of type {self.type}: EQL cannot compare it with {what}",
            hint=hint,
        )

    def exists(self) -> Node:
        """Return ``field != null``."""
        self.cut()
        return Leaf(f"{self.text} != null", f"{self.text} == null")

    def compared(self, value: Text) -> None:
        """Note what a comparison with a string does not find."""
        if long_values.possible(value, self._column.ignore_above):
            self.cut()

    def found(self, value: Regex) -> None:
        """Note what a search for a regular expression does not find."""
        if self._column.long and long_values.matched(value, self._column.ignore_above):
            self.cut()

    def cut(self) -> None:
        """Note that a value beyond the field's limit would satisfy the comparison and is not found."""
        if self._scope is not None:
            self._scope.cut(self.name, self._column)

    def number(self, value: int | float) -> Node:
        """Compare with a number; a string field with its text."""
        if self.family == "number":
            return Values(self.text, "==", (str(whole(value)),))
        if self.family == "string":
            return Values(self.text, ":", (text.string(numeral(value)),), True)
        raise self.refused(f"the number {value}")

    def boolean(self, value: bool) -> Node:
        """Compare with true or false; a string field with the word."""
        word = "true" if value else "false"
        if self.family == "boolean":
            return Values(self.text, "==", (word,))
        if self.family == "string":
            return Values(self.text, ":", (text.string(word),))
        raise self.refused(word)

    def network(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Node:
        """Compare with a network."""
        if self.family == "ip":
            return Values(self.text, "cidrMatch", tuple(map(str, self._without_v4(network))))
        if self.family != "string":
            raise self.refused(f"the network {network}", "cidrMatch needs a field of type ip")
        if isinstance(network, ipaddress.IPv4Network):
            return Values(self.text, "regex", (text.pattern(addresses.v4_regex(network)),))
        if network.num_addresses == 1:
            return Values(self.text, ":", (text.string(str(network.network_address)),))
        pattern = v6_regex(network)
        if pattern is None:
            raise self.refused(f"the network {network}, as zeros in its text may be left out")
        return Values(self.text, "regex", (text.pattern(pattern),))

    def _without_v4(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[Any]:
        """Return networks without Elasticsearch's form of IPv4 (::ffff:0:0/96): Sigma's of IPv6 hold none."""
        if isinstance(network, ipaddress.IPv4Network) or not network.overlaps(addresses.MAPPED):
            return [network]
        if network.subnet_of(addresses.MAPPED):
            raise self.refused(f"the network {network}, as it cannot be told from IPv4")
        return sorted(network.address_exclude(addresses.MAPPED))

    def other(self, value: Text) -> Node:
        """Compare a field that is no string with a Sigma string."""
        plain, shown = value.plain, str(value)
        if self.family == "number":
            if plain is not None:
                return Values(self.text, "==", (self._numeral(plain),))
            pattern = text.wildcards(value)
            if pattern is None or pattern.strip("0123456789*?.-"):
                raise self.refused(f"the text {shown!r}")
            return Values(self.as_text, ":", (text.string(pattern),))
        if self.family == "boolean" and plain is not None and plain.lower() in {"true", "false"}:
            return Values(self.text, "==", (plain.lower(),))
        if self.family == "ip":
            pattern = text.wildcards(value)
            found = addresses.networks(pattern) if pattern is not None else None
            if found and len(found) <= addresses.MAX_NETWORKS:
                return either([Values(self.text, "cidrMatch", (network,)) for network in found])
        if self.family == "date" and plain is not None and _is_moment(plain):
            return Values(self.text, "==", (text.string(plain),))
        raise self.refused(f"the text {shown!r}")

    def _numeral(self, plain: str) -> str:
        # A number's own text only: "007" is not the text of 7.
        if _NUMERAL.fullmatch(plain):
            return plain
        raise self.refused(f"the text {plain!r}")


def _is_moment(plain: str) -> bool:
    """Tell whether a text is a date: Elasticsearch rejects a query that compares a date with other text."""
    try:
        return _ISO.match(plain) is not None and bool(datetime.fromisoformat(plain))
    except ValueError:
        return False
