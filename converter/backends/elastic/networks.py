"""Networks of IPv6 on fields that hold addresses as text: for EQL and Lucene, whose regexes are Lucene's."""

from __future__ import annotations

import ipaddress

CANONICAL = "IPv6 addresses are compared in their canonical text"
"""The note on a query that does so."""
_REST = "[0-9A-Fa-f:.]*(%.+)?"


def v6_regex(network: ipaddress.IPv6Network) -> str | None:
    """Return a regex of Lucene for the texts of a network's addresses, in their canonical form (RFC 5952).

    Canonical text shortens the longest run of zeros, so only groups from the left that are not zero are
    always there. What is left of the text is not checked further than its characters; an address of a
    link may end in a zone (``%eth0``).

    Returns:
        The regex, or None if the network's fixed part has a group of zeros.
    """
    groups = [int(group, 16) for group in network.network_address.exploded.split(":")]
    whole, bits = divmod(network.prefixlen, 16)
    if network.prefixlen == 0 or 0 in groups[:whole] or network.prefixlen == 128:
        return None
    parts = [_either_case(f"{group:x}") for group in groups[:whole]]
    if bits:
        low = groups[whole]
        if low < 0x1000:
            return None  # Leading zeros of a group are not written.
        parts.append(_group(low, bits))
    return ":".join(parts) + ":" + _REST


def _group(low: int, bits: int) -> str:
    """Return the four digits of a group whose first bits are fixed."""
    digits, loose = divmod(bits, 4)
    text = f"{low:04x}"
    found = _either_case(text[:digits])
    if loose:
        first = int(text[digits], 16)
        found += _digits(range(first, first + (1 << (4 - loose))))
        digits += 1
    rest = 4 - digits
    return found + (f"[0-9A-Fa-f]{{{rest}}}" if rest > 1 else "[0-9A-Fa-f]" if rest else "")


def _digits(values: range) -> str:
    return "[" + "".join(dict.fromkeys(c for value in values for c in (f"{value:X}", f"{value:x}"))) + "]"


def _either_case(text: str) -> str:
    return "".join(f"[{char.upper()}{char}]" if char.isalpha() else char for char in text)
