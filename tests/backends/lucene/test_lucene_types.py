"""Typed columns on the engine: what is emitted for each type selects what the rule means."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from converter.backends.lucene import LuceneBackend
from converter.engines.lucene import LuceneEngine
from converter.events.stored import Stored
from converter.plan.columns import Column
from converter.plan.model import Fidelity
from tests.support import none_base

COLUMNS = {
    "n": Column("long"),
    "d": Column("double"),
    "ip": Column("ip", multi=True),
    "b": Column("boolean"),
    "t": Column("match_only_text"),
    "flat.x": Column("flattened"),
    "p": Column("keyword", caseless="p.caseless"),
    "w": Column("wildcard"),
}
DOCS: list[dict[str, Any]] = [
    {"n": 5, "d": 1.5, "ip": "10.1.2.3", "b": True, "p": "C:\\Cmd.EXE", "t": "Run Invoke-Mimikatz now"},
    {"n": -5, "d": -2, "ip": "::1", "b": False, "p": "c:\\cmd.exe", "t": "mimikatz then invoke"},
    {"n": 50, "d": 15, "ip": ["172.20.0.1", "fe80::1"], "p": "x", "flat.x": "Ab", "w": "A*b"},
    {"n": 0, "ip": "11.0.0.1", "p": "ÄB", "flat.x": "Abc", "w": "Axb"},
    {"ip": "0:0:0:0:0:ffff:a01:203", "flat.x": "ab", "w": "a\nb"},
    {"t": "xinvokex.mimikatzes"},
]


@pytest.mark.parametrize(
    ("selection", "match"),
    [
        ({"n": 5}, [0]),
        ({"n": "5"}, [0]),
        ({"n": [-5, 0]}, [1, 3]),
        ({"n|gt": -5}, [0, 2, 3]),
        ({"n|gte": -5}, [0, 1, 2, 3]),
        ({"n|lt": 5}, [1, 3]),
        ({"n|lte": 4.5}, [1, 3]),
        ({"n|gt": 4.5, "n|lt": 50}, [0]),
        ({"d": 1.5}, [0]),
        ({"d|gte": 1.5}, [0, 2]),
        ({"d|lt": -1.5}, [1]),
        ({"d|gt": 1.5}, [2]),
        ({"b": True}, [0]),
        ({"b": "false"}, [1]),
        ({"ip": "10.1.2.3"}, [0, 4]),
        ({"ip|cidr": "10.0.0.0/8"}, [0, 4]),
        ({"ip": "172.2*"}, [2]),
        ({"ip": "fe80:*"}, [2]),
        ({"ip|cidr": "::1/128"}, [1]),
        ({"ip|cidr": "::/0"}, [1, 2]),
        ({"ip": "*"}, [0, 1, 2, 3, 4]),
        ({"p": "C:\\cmd.exe"}, [0, 1]),
        ({"p|endswith": "CMD.exe"}, [0, 1]),
        ({"p|cased": "c:\\cmd.exe"}, [1]),
        ({"p|re": "Cmd"}, [0]),
        ({"p|re|i": "cMD"}, [0, 1]),
        ({"p": "Äb"}, [3]),
        ({"flat.x|cased": "Ab"}, [2]),
        ({"flat.x|startswith|cased": "Ab"}, [2, 3]),
        ({"w": "a\\*b"}, [2]),
        ({"w": "a?b"}, [2, 3, 4]),
        ({"w|startswith": "a"}, [2, 3, 4]),
        ({"t": None}, [2, 3, 4]),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["event", "event_dsl"])
def test_types(selection: dict[str, Any], match: list[int], form: str) -> None:
    assert selected(selection, form) == (match, set())


@pytest.mark.parametrize("form", ["event", "event_dsl"])
def test_analysed_text_selects_more(form: str) -> None:
    # 0 alone has the text; 1 has the words too, 5 has them inside of others.
    found = selected({"t|contains": "invoke-mimikatz"}, form)
    assert found == ([0, 1], {Fidelity.BROADER})


def selected(selection: dict[str, Any], form: str) -> tuple[list[int], set[Fidelity]]:
    base = none_base({"s": selection, "condition": "s"}, "lucene")
    base = replace(base, columns=COLUMNS)
    [draft] = getattr(LuceneBackend(), form)(base)
    engine = LuceneEngine()
    engine.validate(draft.text, {"i": COLUMNS})
    session = engine.load([Stored(number, "i", doc) for number, doc in enumerate(DOCS)], {"i": COLUMNS})
    return list(session.run(draft.text).events), {reason.fidelity for reason in draft.reasons}


@pytest.mark.parametrize(
    "network",
    [
        "fe80::/10",
        "fc00::/7",
        "2001:db8::/32",
        "ff00::/8",
        "2000::/3",
        "::1/128",
        "2001:db8:a:b::/64",
        "fe80::/15",
    ],
)
def test_networks_of_ipv6_on_text(network: str) -> None:
    addresses = "fe80::1 FE80::1 fe80::1%4 fec0::1 feb0::1 fd00::5 fc::1 fcff::1 2001:db8::1 2001:db8:a:b::1 "
    addresses += (
        "2001:db80::1 2001:d8::1 ff02::1 2fff::1 3fff:1::1 4000::1 ::1 ::2 1.2.3.4 fe81::1 - fe80 fe80:x"
    )
    texts = addresses.split()
    wanted = ipaddress.ip_network(network)
    within = [n for n, text in enumerate(texts) if _address(text) and _address(text) in wanted]
    base = none_base({"s": {"w|cidr": network}, "condition": "s"}, "lucene")
    base = replace(base, columns=COLUMNS)
    [draft] = LuceneBackend().event(base)
    stored = [Stored(number, "i", {"w": text}) for number, text in enumerate(texts)]
    assert within
    assert list(LuceneEngine().load(stored, {"i": COLUMNS}).run(draft.text).events) == within


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
