"""The fields of a rule's cell, and how Elasticsearch's types compare with each kind of value."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Collection
from typing import Literal

from converter.backends.common.numbers import numeral, whole
from converter.backends.elastic import addresses, long_values
from converter.backends.elastic.networks import CANONICAL, v6_regex
from converter.backends.elastic.regex import ANYTHING, to_lucene, tree_of
from converter.backends.lucene import bound, limits, words
from converter.backends.lucene.expression import (
    ANY,
    IGNORED,
    Compare,
    Exists,
    Node,
    Part,
    Regex,
    Text,
    Value,
    both,
    either,
    has_letters,
)
from converter.errors import Refusal
from converter.plan import values
from converter.plan.columns import Column, Columns
from converter.plan.model import Fidelity, Reason

Case = Literal["exact", "as-is"]
_FAMILIES = {
    **dict.fromkeys(("keyword", "wildcard", "constant_keyword"), "string"),
    **dict.fromkeys(("text", "match_only_text"), "analysed"),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long"), "integer"),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), "float"),
    **{name: name for name in ("ip", "boolean", "date", "flattened")},
}
_NUMERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class Scope:
    """What a condition is converted in: the columns, the polarity, and the losses so far.

    Args:
        columns: of the cell.
        case: ``exact`` or ``as-is``.
        category: of the rule's log source.
        as_missing: fields whose long values count as missing, also where that misses records.
    """

    def __init__(
        self,
        columns: Columns,
        case: Case,
        category: str | None = None,
        as_missing: Collection[str] = (),
    ) -> None:
        self.as_missing = as_missing
        self.category = category
        self.columns = columns
        self.cut: dict[str, set[bool]] = {}
        """Fields whose long values a comparison did not see, with the polarities of such comparisons."""
        self.case: Case = case
        self.negated = False
        self.reasons: list[Reason] = []
        self.apart: dict[tuple[str, values.Text], Reason] = {}
        """By field and value whose words may be apart: what that means for a rule that demands no more."""

    def lose(self, fidelity: Fidelity, why: str, relaxation: str = "") -> None:
        """Note what a part of the condition loses; under ``not`` broader becomes narrower and the reverse."""
        other = {Fidelity.BROADER: Fidelity.NARROWER, Fidelity.NARROWER: Fidelity.BROADER}
        label = other.get(fidelity, fidelity) if self.negated else fidelity
        self.reasons.append(Reason(label, why, relaxation))

    def field(self, name: str) -> Target:
        """Return a field.

        Raises:
            Refusal: SC204 if it is not in the column list, or of a type that is not known.
        """
        column = self.columns.get(name)
        if column is None:
            raise Refusal("SC204", f"the field {name} is not in the column list")
        return Target(self, name, column)

    def text(self, name: str | None, parts: tuple[Part, ...], folds: bool) -> Node:
        """Return a comparison of text on an unanalysed field, or on any field."""
        folds = folds and has_letters(parts)
        if folds and self.case == "as-is":
            where = f"the field {name}" if name else "a field"
            self.lose(Fidelity.NARROWER, f"the case of the value must be that of {where}", "case as written")
            folds = False
        if len(parts) > 2:
            alike = tuple(_lower(p) if folds and isinstance(p, str) else p for p in parts)
            limits.check_text(alike, shown(parts))
        return Text(name, parts, folds)

    def regex(self, name: str | None, value: values.Regex) -> Node:
        """Return a regular expression on an unanalysed field, or on any field.

        Raises:
            Refusal: SC202 for what Lucene's flavour cannot say, SC203 if it is too complex, SC206 for a
                placeholder.
        """
        if value.has_placeholder:
            raise Refusal("SC206", f"the regex {value.pattern} has a placeholder that nothing expands")
        pattern, ignore_case = value.pattern, value.ignore_case
        multiline, dotall = value.multiline, value.dotall
        tree = tree_of(pattern, ignore_case=ignore_case, multiline=multiline, dotall=dotall, fold="classes")
        if name is not None and tree == ANYTHING:
            return Exists(name)
        limits.check(tree, pattern)
        written = to_lucene(
            pattern, ignore_case=ignore_case, multiline=multiline, dotall=dotall, fold="classes"
        )
        if not ignore_case:
            return Regex(name, written)
        flagged = to_lucene(pattern, ignore_case=True, multiline=multiline, dotall=dotall, fold="flag")
        return Regex(name, written, flagged)


class Target:
    """One field as a condition's left side."""

    def __init__(self, scope: Scope, name: str, column: Column) -> None:
        family = _FAMILIES.get(column.type)
        if family is None:
            raise Refusal("SC204", f"the field {name} is of type {column.type}, which Lucene cannot query")
        self.scope = scope
        self.name = name
        self.column = column
        self.family = family

    def refused(self, what: str) -> Refusal:
        """Return the refusal of a value that a field of this type cannot be compared with."""
        return Refusal(
            "SC204", f"the field {self.name} is of type {self.column.type}: it cannot be compared with {what}"
        )

    def exists(self) -> Node:
        """Return that the field has a value, indexed or not."""
        limit = self.column.cut(self.scope.category)
        return Exists(self.name) if limit is None else either([Exists(self.name), self._ignored()])

    def _ignored(self) -> Node:
        return Value(IGNORED, self.name)

    def _within_limit(self, node: Node) -> Node:
        """Return a comparison that a value beyond the field's limit could satisfy, with such values."""
        limit = self.column.cut(self.scope.category)
        if limit is None:
            return node
        negated = self.scope.negated
        self.scope.cut.setdefault(self.name, set()).add(negated)
        if negated or self.name in self.scope.as_missing:
            self.scope.lose(
                Fidelity.NARROWER,
                long_values.missing(self.name, limit),
                long_values.missing_as(self.name, limit),
            )
            return node
        self.scope.lose(
            Fidelity.BROADER,
            long_values.matching(self.name, limit),
            long_values.matching_as(self.name, limit),
        )
        return either([node, self._ignored()])

    def string(self, value: values.Text) -> Node:
        """Compare with a Sigma string."""
        parts, cased = parts_of(value), value.cased
        if parts and all(part is ANY for part in parts):
            return self.exists()
        match self.family:
            case "string":
                node = self._string(parts, cased)
                return (
                    self._within_limit(node)
                    if long_values.possible(value, self.column.ignore_above)
                    else node
                )
            case "flattened":
                return self._flattened(parts, cased)
            case "analysed":
                return self._analysed(value, parts, cased)
            case "ip":
                return self._addresses(parts)
            case "integer" | "float" if len(parts) == 1 and _NUMERAL.fullmatch(str(parts[0])):
                if self.family == "float" or "." not in str(parts[0]):
                    return Value(self.name, str(parts[0]))
            case "boolean" if len(parts) == 1 and str(parts[0]).lower() in ("true", "false"):
                return Value(self.name, str(parts[0]).lower())
        raise self.refused(f"the text {shown(parts)!r:.100}")

    def _string(self, parts: tuple[Part, ...], cased: bool) -> Node:
        caseless = self.column.caseless
        if caseless and not cased and has_letters(parts):
            # The server's normalizer folds the rest as it folds what is stored.
            lowered = tuple(_lower(part) if isinstance(part, str) else part for part in parts)
            return self.scope.text(caseless, lowered, folds=False)
        return self.scope.text(self.name, parts, folds=not cased)

    def _flattened(self, parts: tuple[Part, ...], cased: bool) -> Node:
        """Only whole values and prefixes, with their case."""
        wild = [part for part in parts if not isinstance(part, str)]
        if wild and (wild != [ANY] or parts[-1] is not ANY):
            raise self.refused(f"wildcards as in {shown(parts)!r:.100}")
        node = self.scope.text(self.name, parts, folds=not cased)
        if isinstance(node, Text) and node.folds:
            raise self.refused("letters of either case")
        return node

    def _analysed(self, value: values.Text, parts: tuple[Part, ...], cased: bool) -> Node:
        """Look for the words of the text, as phrases where they are whole."""
        analyser = words.ANALYSERS.get(self.column.analyzer)
        if analyser is None:
            raise self.refused(f"text, as its analyser {self.column.analyzer} is not known here")
        found = words.conditions(self.name, parts, analyser)
        if not found or words.longest(parts, analyser) > (analyser.longest or math.inf):
            raise self.refused(f"{shown(parts)!r:.100}, which has no words to look for")
        if cased or not words.is_exact(parts, analyser):
            why = f"the field {self.name} is analysed text: only the words of a value are looked for"
            kind = f"words: {'standard' if self.column.analyzer is None else 'pattern'}, {self.name}"
            self.scope.lose(Fidelity.BROADER, why, kind)
            if bound.apart(found) and not self.scope.negated:
                why = f"the words of {shown(parts)!r:.100} may be apart in {self.name}"
                self.scope.apart[self.name, value] = Reason(Fidelity.BROADER, why, kind, unbounded=True)
        return both(found)

    def _addresses(self, parts: tuple[Part, ...]) -> Node:
        pattern = "".join(part if isinstance(part, str) else "*" if part is ANY else "?" for part in parts)
        literal_signs = any(sign in part for part in parts if isinstance(part, str) for sign in "*?")
        found = None if literal_signs else addresses.networks(pattern)
        if not found or len(found) > addresses.MAX_NETWORKS:
            raise self.refused(f"the text {pattern!r:.100}")
        return either([self._network(ipaddress.ip_network(one)) for one in found])

    def _network(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Node:
        if network.num_addresses == 1:
            return Value(self.name, str(network.network_address))
        found = [network]
        if isinstance(network, ipaddress.IPv6Network) and network.overlaps(_MAPPED):
            # Elasticsearch keeps IPv4 as ::ffff:0:0/96; Sigma's networks of IPv6 hold IPv6 only.
            if network.subnet_of(_MAPPED):
                raise self.refused(f"the network {network}, as it cannot be told from IPv4")
            found = sorted(network.address_exclude(_MAPPED))
        return either([Value(self.name, str(one)) for one in found])

    def network(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Node:
        """Compare with a network: natively, or the text of its addresses by a regex."""
        if self.family == "ip":
            return self._network(network)
        if self.family != "string":
            raise self.refused(f"the network {network}")
        if isinstance(network, ipaddress.IPv4Network):
            return Regex(self.name, addresses.v4_regex(network))
        self.scope.reasons.append(Reason(Fidelity.EXACT, CANONICAL))
        if network.num_addresses == 1:
            return self._string((str(network.network_address),), cased=False)
        pattern = v6_regex(network)
        if pattern is None:
            raise self.refused(f"the network {network}, as zeros in its text may be left out")
        return Regex(self.name, pattern)

    def number(self, number: int | float) -> Node:
        """Compare with a number; text with the number's text."""
        text = numeral(number)
        if self.family == "float" or (self.family == "integer" and "." not in text):
            whole(number if self.family == "integer" else 0)
            return Value(self.name, text)
        if self.family in ("string", "flattened"):
            return Text(self.name, (text,), folds=False)
        raise self.refused(f"the number {text}")

    def compare(self, op: str, number: int | float) -> Node:
        """Compare by size; ``op`` is >, >=, < or <=."""
        if self.family not in ("integer", "float"):
            raise Refusal(
                "SC204",
                f"the field {self.name} is of type {self.column.type}: Elasticsearch would compare it with "
                f"{numeral(number)} as text; KQL and SPL convert it",
            )
        return Compare(self.name, op, numeral(whole(number) if self.family == "integer" else number))

    def boolean(self, value: bool) -> Node:
        """Compare with true or false; text with the word."""
        word = "true" if value else "false"
        if self.family == "boolean":
            return Value(self.name, word)
        if self.family == "string":
            return self._string((word,), cased=False)
        raise self.refused(word)

    def regex(self, value: values.Regex) -> Node:
        """Find a regular expression in text."""
        if self.family != "string":
            raise self.refused("a regular expression")
        node = self.scope.regex(self.name, value)
        return self._within_limit(node) if long_values.matched(value, self.column.ignore_above) else node


def parts_of(value: values.Text) -> tuple[Part, ...]:
    """Return a string's literal text and wildcards; repeated stars are one.

    Raises:
        Refusal: SC206 for a placeholder.
    """
    if value.placeholder:
        raise Refusal("SC206", f"the value {value} has a placeholder that nothing expands")
    return tuple(part for part in value.joined if not isinstance(part, values.Placeholder))


def shown(parts: tuple[Part, ...]) -> str:
    """Return text with wildcards for a message."""
    return "".join(part if isinstance(part, str) else "*" if part is ANY else "?" for part in parts)


def _lower(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(char.lower() if char.isascii() else char for char in text)
