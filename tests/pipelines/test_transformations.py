"""The value transformations that pipelines use beside pySigma's, one row per form of value."""

import pytest
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from converter.errors import Refusal
from converter.pipelines.lowering import lowered
from converter.pipelines.transformations import catalogue
from tests.pipelines.sysmon_samples import holds

catalogue.register()
HASH = {"MD5": "h.md5", "SHA256": "h.sha256", "IMPHASH": "pe.imphash"}
A32, B32, C64 = "A" * 32, "B" * 32, "C" * 64
STORED = {"h.md5": A32.lower(), "pe.imphash": B32.lower(), "h.sha256": C64.lower()}
ALICE = {"domain": "EXAMPLE", "name": "alice"}


def tree(item, selection):
    rule = SigmaRule.from_dict(
        {"title": "t", "logsource": {"category": "x"}, "detection": {"s": selection, "condition": "s"}}
    )
    items = item if isinstance(item, list) else [item]
    ProcessingPipeline.from_dict({"transformations": items}).apply(rule)
    found = lowered(rule.detection.parsed_condition[0].parsed)
    assert found is not None
    return found


def user():
    fields = [{"type": "include_fields", "fields": ["User"]}]
    return {"type": "split_user", "domain": "domain", "name": "name", "field_name_conditions": fields}


@pytest.mark.parametrize(
    ("selection", "hits", "misses"),
    [
        (
            {"User": "example\\ALICE"},
            [ALICE],
            [{"domain": "EXAMPLE", "name": "bob"}, {"domain": "B", "name": "alice"}],
        ),
        (
            {"User": ["A\\b", "EXAMPLE\\alice"]},
            [ALICE, {"domain": "A", "name": "b"}],
            [{"domain": "A", "name": "alice"}],
        ),
        (
            {"User|endswith": "\\alice"},
            [ALICE, {"domain": "Z", "name": "alice"}],
            [{"domain": "Z", "name": "xalice"}],
        ),
        ({"User|startswith": "EXAMPLE\\"}, [ALICE], [{"domain": "EXAMPLES", "name": "alice"}]),
        (
            {"User|contains": "E\\a"},
            [ALICE],
            [{"domain": "EXAMPLE", "name": "bob"}, {"domain": "X", "name": "alice"}],
        ),
        ({"User|startswith": "EXAM"}, [ALICE], [{"domain": "X", "name": "EXAM"}]),
        ({"User|endswith": "ice"}, [ALICE], [{"domain": "ice", "name": "bob"}]),
        (
            {"User|contains": ["AUTHORI", "AUTORI"]},
            [{"domain": "NT AUTHORITY", "name": "SYSTEM"}, {"domain": "X", "name": "authorized"}],
            [ALICE],
        ),
        (
            {"User|contains|all": ["EXAM", "lic"]},
            [ALICE],
            [{"domain": "EXAMPLE", "name": "bob"}, {"domain": "X", "name": "alice"}],
        ),
        ({"User": None}, [{}], [ALICE]),
        ({"User|exists": True}, [ALICE], [{}]),
        ({"User": "*"}, [ALICE], [{}]),
        (
            {"User|neq": "EXAMPLE\\alice"},
            [{"domain": "EXAMPLE", "name": "bob"}, {"domain": "B", "name": "alice"}],
            [ALICE],
        ),
        ({"User|contains": "lic", "Other": "x"}, [ALICE | {"Other": "x"}], [ALICE]),
    ],
)
def test_an_account_is_split(selection, hits, misses):
    parsed = tree(user(), selection)
    assert [one for one in hits if not holds(parsed, one)] == []
    assert [one for one in misses if holds(parsed, one)] == []


@pytest.mark.parametrize(
    "selection",
    [
        {"User": "S-1-5-32-544"},
        {"User": "a?b"},
        {"User": "a*b\\c\\d"},
        {"User|re": "x"},
        {"User": 4},
        {"User|fieldref": "B"},
    ],
)
def test_an_account_that_cannot_be_split_is_refused(selection):
    with pytest.raises(Refusal, match="field User compared with") as caught:
        tree(user(), selection)
    assert caught.value.code == "SC201"


def hashes(**more):
    fields = [{"type": "include_fields", "fields": ["Hashes"]}]
    return {"type": "split_hashes", "targets": HASH, "field_name_conditions": fields} | more


EXACT = [
    ({"Hashes|contains": f"MD5={A32}"}, True),
    ({"Hashes|contains": f"md5={A32.lower()}"}, True),
    ({"Hashes|contains": f"MD5={B32}"}, False),
    ({"Hashes|contains": [f"MD5={B32}", f"IMPHASH={B32}"]}, True),
    ({"Hashes|contains|all": [f"MD5={A32}", f"IMPHASH={B32}"]}, True),
    ({"Hashes|contains|all": [f"MD5={A32}", f"IMPHASH={A32}"]}, False),
    ({"Hashes|contains": "SHA256=CCCC"}, True),
    ({"Hashes|contains": "SHA256=CCCD"}, False),
    ({"Hashes|contains": B32}, True),
    ({"Hashes|contains": "D" * 32}, False),
]


@pytest.mark.parametrize(("selection", "expected"), EXACT)
def test_a_hash_anywhere_in_the_list(selection, expected):
    assert holds(tree(hashes(refuse_left=True), selection), STORED) is expected


@pytest.mark.parametrize(
    "selection",
    [{"Hashes|startswith": f"MD5={A32}"}, {"Hashes|endswith": f"MD5={A32}"}, {"Hashes": f"MD5={A32}"}],
)
def test_a_place_in_the_list_needs_the_broader_item(selection):
    with pytest.raises(Refusal):
        tree(hashes(refuse_left=True), selection)
    assert holds(tree([hashes(), hashes(id="place", anchored=True)], selection), STORED)


@pytest.mark.parametrize("digits", ["0" * 32, ""])
def test_zeros_need_the_narrower_item(digits):
    selection = {"Hashes|contains": f"IMPHASH={digits}"}
    with pytest.raises(Refusal):
        tree(hashes(refuse_left=True, anchored=True), selection)
    assert holds(tree(hashes(zeros=True), selection), STORED) is (digits == "")


@pytest.mark.parametrize("value", ["SHA1=" + "A" * 40, "MD5=xyz", None, "*A*B*", "MD5=", "ABC"])
def test_a_hash_that_is_not_stored_is_refused(value):
    with pytest.raises(Refusal, match="MD5, SHA256, IMPHASH"):
        tree(hashes(refuse_left=True), {"Hashes": value if value is None else f"*{value}*"})


MAP = {"type": "map_values", "mapping": {"true": "egress", "false": "ingress"}}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("true", "egress"),
        ("True", "egress"),
        (True, "egress"),
        ("false", "ingress"),
        (False, "ingress"),
        (None, None),
    ],
)
def test_values_are_mapped_whatever_their_type(value, stored):
    assert holds(tree(MAP, {"F": value}), {"F": stored} if stored else {})


@pytest.mark.parametrize("selection", [{"F": "tr*"}, {"F": "yes"}, {"F": 1}, {"F|re": "true"}])
def test_values_out_of_the_table_are_refused(selection):
    with pytest.raises(Refusal, match="only true, false can be compared"):
        tree(MAP, selection)


@pytest.mark.parametrize(
    ("prefix", "hits", "misses"),
    [
        ("10.", ["10.0.0.1", "10.255.255.255"], ["100.0.0.1", "11.0.0.0"]),
        ("192.168.", ["192.168.4.4"], ["192.169.0.0"]),
        ("192.168.1", ["192.168.1.9", "192.168.19.1", "192.168.100.1"], ["192.168.2.1", "192.168.21.1"]),
        ("172.16.5.1", ["172.16.5.1", "172.16.5.19", "172.16.5.100"], ["172.16.5.2"]),
        ("fe80:", ["fe80:0:0:0:1:2:3:4"], ["fe81:0:0:0:1:2:3:4", "10.0.0.1"]),
    ],
)
def test_an_address_prefix_is_networks(prefix, hits, misses):
    parsed = tree({"type": "address_ranges"}, {"F|startswith": prefix})
    assert [one for one in hits if not holds(parsed, {"F": one})] == []
    assert [one for one in misses if holds(parsed, {"F": one})] == []


@pytest.mark.parametrize("value", ["10.*.1", "*.1", "300.*", "fe8*", "host*"])
def test_what_is_no_prefix_is_left_to_the_columns_type(value):
    parsed = tree({"type": "address_ranges"}, {"F": value})
    assert str(parsed.value) == value
