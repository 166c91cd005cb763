"""Addresses: text patterns as networks for fields of the type ip, and networks as patterns for text."""

from __future__ import annotations

import ipaddress
import re

MAX_NETWORKS = 256
"""More than this is no longer a readable query."""
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""Where Elasticsearch keeps addresses of IPv4."""


def networks(pattern: str) -> list[str] | None:
    """Return the networks that hold exactly the addresses whose usual text the pattern matches.

    Args:
        pattern: an address, a network, or an address's text whose end is ``*``.

    Returns:
        Networks, or None if no list of networks says the same.
    """
    if "*" not in pattern and "?" not in pattern:
        try:
            return [str(ipaddress.ip_network(pattern, strict=False))]
        except ValueError:
            return None
    head = pattern[:-1]
    if not pattern.endswith("*") or "*" in head or "?" in head:
        return None
    if re.fullmatch(r"[0-9.]+", head):
        return _v4(head)
    return _v6(head) if re.fullmatch(r"[0-9a-fA-F:]+", head) else None


def _v4(head: str) -> list[str] | None:
    *octets, last = head.split(".")
    if len(octets) > 3 or not all(_is_octet(octet) for octet in octets):
        return None
    if len(octets) == 0:
        # "1*" is also the beginning of "1234:...", an address of IPv6.
        return None
    ends = [[str(number)] for number in range(256) if str(number).startswith(last)] if last else [[]]
    found = [octets + end for end in ends]
    if not found:
        return None
    nets = [ipaddress.IPv4Network((".".join(o + ["0"] * (4 - len(o))), 8 * len(o))) for o in found]
    return [str(net) for net in ipaddress.collapse_addresses(nets)]


def _is_octet(text: str) -> bool:
    return text.isdigit() and str(int(text)) == text and int(text) < 256


def _v6(head: str) -> list[str] | None:
    """Only ``abcd:*``: whole groups from the left; further right `::` may stand for groups of zeros."""
    match = re.fullmatch(r"([0-9a-fA-F]{1,4}):", head)
    if not match or match[1].startswith("0"):
        return None
    return [str(ipaddress.IPv6Network((f"{match[1]}::", 16)))]


def v4_regex(network: ipaddress.IPv4Network) -> str:
    """Return a regular expression of Lucene for the dotted text of the addresses of a network."""
    first, last = network.network_address.packed, network.broadcast_address.packed
    return r"\.".join(_range(low, high) for low, high in zip(first, last, strict=True))


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    if (low, high) == (0, 255):
        return _OCTET
    return "(" + "|".join(str(number) for number in range(low, high + 1)) + ")"
