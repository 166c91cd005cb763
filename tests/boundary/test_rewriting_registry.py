"""Registry paths and data that Defender and FDR write otherwise than Sysmon."""

from __future__ import annotations

import pytest

from converter.errors import Refusal
from tests.boundary.rewriting import (
    BOTH,
    DATA,
    TARGETS,
    agrees,
    converted,
    differences,
    events,
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    "selection",
    [
        {"Details|startswith": "DWORD"},
        {"Details|startswith": "QWORD (0x"},
        {"Details|contains": "word"},
        {"Details|endswith": "ary Data"},
        {"Details|contains": "Empty"},
        {"Details": "DWORD (0x00000001)"},
        {"Details|cased": "DWORD (0x00000001)"},
        {"Details": "DWORD (0x0000000?)"},
        {"Details": "*"},
        {"Details": ["DWORD (0x00000000)", "(Empty)", "1"]},
    ],
)
def test_k1_parts_of_texts_for_data_that_is_no_text(source, target, selection):
    """rules/kql_details_dword_filter.yml: Defender stores 'Dword' and a decimal number, FDR RegType 4."""
    agrees(source, target, "registry_set", "Details", selection, tuple(DATA))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    "selection",
    [{"Details": "DWORD (0x0000*"}, {"Details|contains": "0x00000001"}, {"Details|re": "0x[0-9]+"}],
)
def test_k1_what_some_numbers_have_and_others_not_is_refused(source, target, selection):
    """A number is stored in decimal: `0x0000` is no part of it."""
    with pytest.raises(Refusal, match="compare the"):
        converted(source, target, "registry_set", selection)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize("value", ["", None])
def test_k2_no_data_excluded_keeps_every_other_kind(source, target, value):
    """rules/kql_details_empty.yml: a filter of `Details: ''` dropped every DWORD that was written."""
    records = events("registry_set", "Details", tuple(DATA))
    detection = {
        "a": {"TargetObject|contains": "Depot"},
        "f": {"Details": value},
        "condition": "a and not f",
    }
    assert differences(source, target, "registry_set", detection, records) == ([], [])


KEYS = (
    *(r"HKLM\SYSTEM\CurrentControlSet\Services\Acme\ImagePath", r"HKLM\SOFTWARE\Acme\(Default)"),
    *(r"HKU\S-1-5-21-1-2-3-1001\Software\Acme\x", r"HKU\.DEFAULT\Software\Acme\x", r"HKLM\SOFTWARE\HKLM\x"),
    *(r"\REGISTRY\A\{637b53f9-4d89-6fa1-6c98-3a1f52acff48}\Root\x", r"HKLM\SOFTWARE\Machine\User\x"),
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    "selection",
    [
        {"TargetObject|startswith": r"\REGISTRY\A" + "\\"},
        {"TargetObject|contains": r"REGISTRY\A" + "\\"},
        {"TargetObject|contains": "HKLM"},
        {"TargetObject|contains": "HKU\\"},
        {"TargetObject": r"HK*\Software\Acme\x"},
        {"TargetObject": r"HK??\Software\*"},
        {"TargetObject|contains": r"ControlSet\Services"},
        {"TargetObject|contains": r"rentControlSet"},
        {"TargetObject": r"*Current*Set\Services\Acme\ImagePath"},
        {"TargetObject|contains|cased": r"\CurrentControlSet\Services\Acme"},
        {"TargetObject|contains": r"\Machine" + "\\"},
        {"TargetObject|contains": "User"},
        {"TargetObject|startswith": "H"},
    ],
)
def test_v1_registry_paths_in_any_form(source, target, selection):
    """rules/rewritten_values.yml; E3: `\\REGISTRY\\A\\` never matched. K7: `contains 'HKU\\'` is no root."""
    agrees(source, target, "registry_set", "TargetObject", selection, KEYS)


REGEXES = [
    r"\\CurrentControlSet\\Services\\[A-Z][a-z]+\\ImagePath$",
    r"^HKLM\\SOFTWARE\\[A-Za-z]+\\\(Default\)$",
    r"^HKU\\S-1-5-21-[0-9-]+\\",
    r"\\Acme\\[^\\]+$",
    r"Machine|USER",
]


@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize("expression", REGEXES)
def test_v1_regular_expressions_on_registry_paths_are_exact_in_kql(source, expression):
    """rules/rewritten_values.yml, 're ccs', 're del': KQL tries them on the path in Sysmon's spelling."""
    agrees(source, "kql", "registry_set", "TargetObject", {"TargetObject|re": expression}, KEYS)


@pytest.mark.parametrize("target", ["eql", "lucene", "spl"])
@pytest.mark.parametrize("source", BOTH)
def test_v1_regular_expressions_on_registry_paths_are_refused_elsewhere(source, target):
    """No column there has Sysmon's spelling."""
    with pytest.raises(Refusal, match=r"write it with|use '\*'"):
        converted(source, target, "registry_set", {"TargetObject|re": REGEXES[0]})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    ("values", "broader"),
    [
        (["HKLM\\SOFTWARE\\"], True),
        (["HKLM\\SOFTWARE\\Classes\\.txt\\"], True),
        (["HKLM\\SOFTWARE\\", "HKCR\\"], False),
        (["HKCR\\.txt\\"], False),
        (["HKLM\\SYSTEM\\"], False),
    ],
)
def test_v1_keys_that_sysmon_calls_hkcr_are_found_by_the_other_name_too(source, target, values, broader):
    """Microsoft Learn, Sysmon, "Event ID 12": HKCR is HKLM\\SOFTWARE\\Classes, which both platforms write."""
    conversion = converted(source, target, "registry_event", {"TargetObject|startswith": values})
    named = [reason for reason in conversion.reasons if reason.relaxation == "keys of HKCR by both names"]
    assert [str(reason.fidelity) for reason in named] == ["broader"] * broader
