"""Values that a pipeline rewrites: findings E2, E3, E7, K1 to K4, K7, V1 and V3, each as a kind.

Sources: what Sysmon writes is in the public logs counted in `tests/proof/ordinary.py`; what Defender and FDR
store is in the shapes (`converter/shapes`), which name the vendors' files and samples.
"""

from __future__ import annotations

from functools import cache

import pytest

from converter.errors import Refusal
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.pipelines.transformations.catalogue import register
from converter.pipelines.transformations.rewriting import Form, Rewriting, forms
from tests.boundary.rewriting import (
    BOTH,
    DATA,
    PATHS,
    TARGETS,
    against_the_rule,
    agrees,
    converted,
    differences,
    events,
    negated,
)

register()


NAMES = (
    *("System", "Registry", r"C:\Windows\System32\lsass.exe", r"C:\Temp\System", "<unknown process>"),
    *("MemCompression", r"C:\Registry\a.exe"),
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "selection",
    [
        {"TargetImage": "System"},
        {"TargetImage|endswith": r"\System"},
        {"TargetImage|endswith": "System"},
        {"TargetImage|startswith": "Sys"},
        {"TargetImage": ["Registry", r"C:\Windows\System32\lsass.exe"]},
        {"TargetImage|contains": "Comp"},
        {"TargetImage|endswith": r"\lsass.exe"},
        {"TargetImage": "?ystem"},
        {"TargetImage": "*"},
    ],
)
def test_e3_k3_names_without_a_folder(target, selection):
    """rules/r3_target_system_defender.yml: the kernel's processes have no folder and no backslash."""
    agrees("defender", target, "create_remote_thread", "TargetImage", selection, NAMES)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    ("category", "selection"),
    [
        ("process_creation", {"Hashes|contains|cased": "MD5=0123456789ABCDEF0123456789ABCDEF"}),
        ("process_creation", {"IntegrityLevel|cased": "High"}),
        ("process_creation", {"IntegrityLevel|re": "^(High|System)$"}),
        ("process_creation", {"LogonId|cased": "0x3e7"}),
        ("process_creation", {"LogonId|startswith": "0x3"}),
        ("registry_event", {"EventType|cased": "SetValue"}),
        # Sysmon writes CurrentControlSet for every numbered one (Microsoft Learn, Sysmon, "Event ID 12").
        ("registry_event", {"TargetObject|contains": r"\ControlSet001\Services"}),
        ("network_connection", {"Initiated|cased": "true"}),
    ],
)
def test_v1_forms_that_no_step_is_proven_for_are_refused(source, target, category, selection):
    """rules/rewritten_values_cased.yml: the platforms write these in another case, or as numbers."""
    with pytest.raises(Refusal):
        converted(source, target, category, selection)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "selection",
    [
        {"TargetFilename|contains": r"\\127.0.0"},
        {"TargetFilename|contains|all": [r"\\127.0.0", r"\ADMIN$" + "\\"]},
        {"TargetFilename|startswith": r"\\server" + "\\"},
        {"TargetFilename": r"\\\\*\ADMIN$\*"},
        {"TargetFilename": "\\\\\\\\*"},
        {"TargetFilename|contains": r"\\server\share"},
        {"TargetFilename|re": r"^\\\\[a-z]+\\share"},
        {"TargetFilename|re": r"\\share\\[a-z]\.exe$"},
        {"TargetFilename|re": r"\.e[a-z]{2}$"},
        {"TargetFilename|re": r"\\[A-Za-z0-9]+\\cmd\.exe$"},
        {"TargetFilename": r"?:\Windows\System32\cmd.exe"},
        {"TargetFilename|endswith": r":\Windows\System32\cmd.exe"},
    ],
)
def test_e2_k4_shares_and_any_drive_in_fdr(target, selection):
    """rules/r2_admin_share_crowdstrike.yml: FDR writes `\\Device\\Mup\\127.0.0.1\\...` for a share."""
    try:
        agrees("crowdstrike", target, "file_event", "TargetFilename", selection, tuple(PATHS))
    except Refusal:
        assert selection == {"TargetFilename|re": r"^\\\\[a-z]+\\share"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", [r"C*\System32\cmd.exe", r"?*\cmd.exe", r"C?\cmd.exe", r"C:*cmd.exe"])
def test_v1_drives_under_wildcards_in_fdr_lose_the_letter_only(target, value):
    """rules/rewritten_values.yml: `C*\\Temp\\x.exe` was left, and never matched."""
    records = events("process_creation", "Image", tuple(PATHS))
    missed, _ = differences("crowdstrike", target, "process_creation", {"Image": value}, records)
    assert missed == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", [r" C:\Program Files\\*", r"C\Windows\\*"])
def test_v1_what_begins_no_path_stays_in_fdr(target, value):
    """Slips of public rules (image_load_side_load_robform, _edputil): Sysmon has no such path."""
    records = events("process_creation", "Image", tuple(PATHS))
    assert differences("crowdstrike", target, "process_creation", negated({"Image": value}), records) == (
        [],
        [],
    )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("number", [1, 12, 123])
def test_k7_volumes_with_three_digits(target, number):
    """K7: `HarddiskVolume` with three digits was missed; a folder of one letter is no part of a number."""
    from converter.engines import engine_for
    from converter.events.stored import Stored
    from converter.shapes import shape_for

    conversion = converted("crowdstrike", target, "process_creation", {"Image": r"?:\Windows\x.exe"})
    where = conversion.cell
    shape = shape_for(where.source, where.stem)
    (record,) = events("process_creation", "Image", (r"C:\Windows\x.exe",))
    stored = shape.store(record, 0)
    docs = [
        {
            name: text.replace("HarddiskVolume3\\", f"HarddiskVolume{number}\\{folder}")
            if isinstance(text, str)
            else text
            for name, text in stored.doc.items()
        }
        for folder in ("", "A\\")
    ]
    held = [Stored(position, stored.index, doc) for position, doc in enumerate(docs)]
    session = engine_for(target).load(held, {stored.index: where.columns})
    assert session.run(conversion.queries[0].text).events == (0,)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "value",
    [
        r"*:\Windows\System32*",
        r"*\System32\cmd*",
        r"C:\Windows\\*",
        r"*\Temp\\*",
        r"cmd*",
        r"*\System32\\*\cmd*",
    ],
)
def test_e7_k7_a_folder_of_the_parent_is_refused_in_fdr(target, value):
    """K7: `ParentImage|contains ':\\Windows\\System32'` became a begin of the file's name."""
    with pytest.raises(Refusal, match="only the name of the file is stored"):
        converted("crowdstrike", target, "process_creation", {"ParentImage": value})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", [r"*\cmd.exe*", "*cmd*", r"*\cmd*"])
def test_e7_parts_of_the_parents_path_miss_only_folders(target, value):
    """E7: under `not` such a query is broader, and misses nothing."""
    records = events(
        "process_creation", "ParentImage", (*PATHS, r"C:\cmd.exe\x.exe", r"C:\cmd\y.exe", "System")
    )
    missed, extra = against_the_rule(target, {"ParentImage": value}, records)
    assert (bool(missed), extra) == (True, [])
    missed, extra = against_the_rule(target, negated({"ParentImage": value}), records)
    assert (missed, bool(extra)) == ([], True)


ANSWERS = ("10.9.8.7;", "type:  5 a.example.org;::ffff:10.9.8.7;", "2001:db8::7;", "::ffff:8.8.8.8;")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", ["", None])
def test_v3_no_answers_excluded(target, value):
    """rules/query_results_empty.yml: it asked for answers of all three kinds."""
    records = events("dns_query", "QueryResults", ANSWERS)
    assert differences("crowdstrike", target, "dns_query", negated({"QueryResults": value}), records) == (
        [],
        [],
    )


def test_v1_every_step_declares_its_forms_and_refuses_all_others():
    """The contract is in one place: `converter.pipelines.transformations.rewriting.Rewriting`."""
    from sigma.rule import SigmaDetectionItem
    from sigma.types import SigmaFieldReference, SigmaRegularExpression, SigmaString

    class Step(Rewriting):
        proven = frozenset({Form.EQUAL, Form.PREFIX})

        def rewrite(self, item):
            return item

    def item(value):
        return SigmaDetectionItem("f", [], [value], auto_modifiers=False)

    for text in ("abc", "abc*"):
        assert Step().apply_detection_item(item(SigmaString(text))) is not None
    values = [
        *map(SigmaString, ("*abc", "a*c", "a?c", "", "*")),
        SigmaRegularExpression("a"),
        SigmaFieldReference("g"),
    ]
    for value in values:
        assert forms(value) - Step.proven
        with pytest.raises(Refusal, match="SC201"):
            Step().apply_detection_item(item(value))
    with pytest.raises(TypeError, match="does not say"):
        type("Undeclared", (Rewriting,), {})


@cache
def _steps() -> frozenset[str]:
    from sigma.processing.transformations import transformations

    return frozenset(name for name, kind in transformations.items() if issubclass(kind, Rewriting))


@pytest.mark.parametrize("source", ["crowdstrike", "defender", "sysmon", "windows-security"])
@pytest.mark.parametrize("target", TARGETS)
def test_v1_pipelines_rewrite_values_with_steps_under_the_contract_only(source, target):
    """A step that leaves what it does not know has a later one for the same field that refuses it."""
    known = {
        *("require_fields", "set_state", "add_condition", "field_name_mapping", "convert_type"),
        *(
            "detection_item_failure",
            "by_case",
            "by_event",
            "whole_text",
            "null_text",
            "strict_field_mapping_failure",
        ),
    }
    items = cells.cell(source, target).pipeline["transformations"]
    for number, one in enumerate(items):
        assert one["type"] in known | _steps(), one["id"]
        if one["type"] in ("split_hashes", "well_known_accounts", "base_name") and not one.get("refuse_left"):
            fields = one["field_name_conditions"]
            assert any(
                later["type"] == one["type"] and later.get("field_name_conditions") == fields
                for later in items[number + 1 :]
            ), one["id"]


def test_v1_the_matcher_is_what_is_compared_with():
    """The oracle of these tests, shown on one value: a part of Sysmon's text is a part of a text."""
    matches = compile_detection({"s": {"Details|startswith": "DWORD"}, "condition": "s"})
    assert [matches({"Details": one}) for one in DATA[:3]] == [True, True, False]
