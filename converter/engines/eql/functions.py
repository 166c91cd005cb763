"""The functions of EQL that emitted queries use, and two that Elasticsearch's own tests need."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from converter.engines.eql.nodes import Call, Literal, Node
from converter.engines.eql.syntax import invalid

_TESTS = frozenset({"cidrMatch"})


def is_test(node: Node) -> bool:
    """Return whether this is a call of a function that answers true or false."""
    return isinstance(node, Call) and node.name in _TESTS


def scalar(node: Call, family: str | None) -> tuple[str, Callable[[Any], Any]]:
    """Return the family of a function's answer and the function of one value.

    Raises:
        EngineError: SC402 for a function that this engine does not have.
    """
    if len(node.args) == 1 and not node.insensitive:
        if node.name == "string":
            return "string", _string
        if node.name == "length" and family in {"string", None}:
            return "number", len
    raise invalid(f"the function {node.name}() is not executed by this engine on type {family}")


def condition(node: Call, family: str | None) -> Callable[[Any], bool]:
    """Return the test of one value by a function that answers true or false.

    Raises:
        EngineError: SC402 for wrong arguments.
    """
    texts = [arg.value for arg in node.args[1:] if isinstance(arg, Literal) and isinstance(arg.value, str)]
    if not texts or len(texts) != len(node.args) - 1:
        raise invalid(f"{node.name}() takes a field and strings")
    if family not in {"ip", None}:
        raise invalid(f"1st argument of [cidrMatch] must be [ip], found type {family}")
    try:
        # An ip field holds IPv4 addresses as ::ffff:0:0/96, so that a network of IPv6 can hold them.
        networks = [_mapped(ipaddress.ip_network(text, strict=False)) for text in texts]
    except ValueError as error:
        raise invalid(str(error)) from error
    return lambda value: any(_mapped_address(value) in network for network in networks)


def _string(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv6Network:
    if isinstance(network, ipaddress.IPv6Network):
        return network
    return ipaddress.IPv6Network((_mapped_address(network.network_address), network.prefixlen + 96))


def _mapped_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(int(address) | 0xFFFF << 32)
