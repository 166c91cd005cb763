"""Transformations of network addresses: address_ranges, mapped_addresses, address_families and url_host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCIDRExpression,
    SigmaExpansion,
    SigmaString,
    SigmaType,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.fields import in_any
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.patterns import MANY
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, Form, Rewriting


@dataclass
class AddressRanges(Rewriting):
    """Turn the prefix of an address (``10.*``, ``192.168.1*``, ``fe80:*``) into the networks it covers.

    For fields of type ip, which have no wildcards. IPv6 as Sysmon writes it: groups without leading
    zeros, nothing abbreviated. Other values pass; the column's type decides about them.
    """

    # The field is of type ip, which has no other patterns: the backend refuses them by the column's type.
    proven: ClassVar = frozenset(Form)

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Replace the prefixes among an item's values; None if there are none."""
        detection_item = item
        found = [list(_networks(value)) for value in item.value]
        # Several networks are alternatives: under `all` they would be demanded together.
        together = detection_item.value_linking is ConditionAND and len(found) > 1
        if not any(found) or (together and any(len(networks) > 1 for networks in found)):
            return None
        pairs = zip(found, detection_item.value, strict=True)
        detection_item.value = [one for networks, value in pairs for one in (networks or [value])]
        return detection_item


def _networks(value: SigmaType) -> Iterator[SigmaType]:
    if not isinstance(value, SigmaString) or len(value.s) != 2 or value.s[1] != MANY:
        return
    prefix = str(value.s[0])
    if re.fullmatch(r"(\d{1,3}\.){0,3}\d{0,3}", prefix):
        *fixed, last = prefix.split(".")
        octets = [octet for octet in range(256) if str(octet).startswith(last)]
        texts = [".".join([*fixed, *([str(octet)] if last else [])]) for octet in (octets if last else [0])]
        bits = 8 * len([*fixed, *([last] if last else [])])
        addresses = [f"{text}{'.0' * (3 - text.count('.'))}/{bits}" for text in texts]
    elif re.fullmatch(r"([0-9a-f]{1,4}:){1,7}", prefix.lower()):
        groups = prefix.lower().rstrip(":").split(":")
        addresses = [f"{':'.join(groups)}::/{16 * len(groups)}"]
    else:
        return
    try:
        found = [ipaddress.ip_network(address) for address in addresses]
    except ValueError:
        return
    four = [one for one in found if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in found if isinstance(one, ipaddress.IPv6Network)]
    for network in (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)):
        yield SigmaCIDRExpression(str(network))


_MAPPED = "::ffff:"


@dataclass
class MappedAddresses(Rewriting):
    """Add to each IPv4 address, prefix and network its IPv4-mapped IPv6 notation.

    For text fields of platforms that store the address of a dual-stack socket as ``::ffff:10.1.2.3``.
    An IPv6 address is written in its short form.
    """

    proven: ClassVar = PATTERNS | ABSENCE | {Form.NETWORK, Form.EMPTY, Form.CASED, Form.FIELD}
    advice: ClassVar = (
        "an IPv4 address may be stored as ::ffff:10.1.2.3: compare it with '*', or give a network"
    )

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Add the notations to the values of one item."""
        detection_item = item
        found = [self._ways(value) for value in detection_item.value]
        pairs = zip(found, detection_item.value, strict=True)
        if all(len(one) == 1 and one[0] is value for one, value in pairs):
            return None
        return common.group(detection_item, [common.any_of(detection_item, one) for one in found])

    @staticmethod
    def _ways(value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaCIDRExpression):
            network = value.network
            if network.version == 6:
                return [value]
            mapped = f"{_MAPPED}{network.network_address}/{96 + network.prefixlen}"
            return [value, SigmaCIDRExpression(mapped)]
        if not isinstance(value, SigmaString) or not value.s or not isinstance(value.s[0], str):
            return [value]
        text = str(value.s[0])
        if re.match(r"[0-9]{1,3}(\.|\Z)", text):
            return [value, common.string(value, [_MAPPED + text, *value.s[1:]])]
        if len(value.s) == 1 and ":" in text:
            try:
                address = ipaddress.IPv6Address(text)
            except ValueError:
                return [value]
            four = address.ipv4_mapped
            return [common.string(value, [f"{_MAPPED}{four}" if four else str(address)])]
        return [value]


@dataclass
class UrlHost(Rewriting):
    """Compare a host name with a field that holds a host name or a URL of that host.

    After a name's end may come a port or a path, before its begin a scheme.
    """

    # Where the platform has no name, the connection may still have one.
    proven: ClassVar = PATTERNS | {Form.CASED}
    advice: ClassVar = "a name or a URL is stored, if it was seen: compare it with a text"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Add the URLs to the values of one item."""
        detection_item = item
        return common.group(
            detection_item,
            [common.any_of(detection_item, self._ways(value)) for value in detection_item.value],
        )

    @staticmethod
    def _ways(value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in UrlHost._ways(one)]
        if not isinstance(value, SigmaString) or not value.s:
            return [value]
        parts = list(value.s)
        begins = [parts] if parts[0] is MANY else [parts, [MANY, "://", *parts]]
        ways = [
            way
            for begin in begins
            for way in ([begin] if parts[-1] is MANY else [begin, [*begin, "/", MANY], [*begin, ":", MANY]])
        ]
        return [common.string(value, way) for way in ways]


@dataclass
class AddressFamilies(Rewriting):
    """Map an address to the field of its version: ``v4`` or ``v6``; what says neither may be in either.

    A whole IPv6 address is looked for in its short form and in the one without ``::``: samples show both.
    """

    v4: str
    v6: str

    proven: ClassVar = PATTERNS | ABSENCE | {Form.NETWORK, Form.EMPTY, Form.CASED, Form.FIELD}
    advice: ClassVar = "each version's addresses have a field of their own: use '*', or give a network"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of an IPv6 address that the short form may not have.
        """
        return common.group(item, [self._one(item, one) for one in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaCIDRExpression):
            return common.item(item, self.v4 if value.network.version == 4 else self.v6, value)
        if not isinstance(value, SigmaString):
            return in_any(item, value, [self.v4, self.v6])
        texts = [str(part) for part in value.s if isinstance(part, str)]
        joined = "".join(texts)
        if ":" not in joined:
            in_six = not texts or (value.s[0] is MANY and "." not in joined)
            return in_any(item, value, [self.v4, self.v6]) if in_six else common.item(item, self.v4, value)
        if len(value.s) == 1:
            try:
                address = ipaddress.IPv6Address(joined)
            except ValueError:
                return common.item(item, self.v6, value)
            long = ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))
            forms: list[SigmaType] = [
                common.string(value, [form]) for form in dict.fromkeys((str(address), long))
            ]
            return common.any_of(common.item(item, self.v6, value), forms)
        if (
            len(value.s) == 2
            and value.s[1] is MANY
            and re.fullmatch(r"([1-9a-f][0-9a-f]{0,3}:)+", joined.lower())
        ):
            return common.item(item, self.v6, value)
        raise common.refuse(item, value, "IPv6 addresses may be stored in their short form")
