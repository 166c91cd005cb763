"""A wrong field, value or event id in a pipeline makes `verify` disagree: edits tried one at a time.

The events are stored without knowing the pipelines, so a rule on a wrong field misses its own witnesses.
"""

from __future__ import annotations

import re
from functools import cache

import pytest
import yaml

from converter.pipelines import cells, prepare
from tests.pipelines import crowdstrike_samples, wrong_fields
from tests.pipelines.sysmon_samples import ROOT
from tests.pipelines.wrong_fields import Mutant, mutants, noticed

SOURCES = ("sysmon", "defender", "crowdstrike")
CELLS = tuple(f"{source}/{target}" for source in SOURCES for target in ("eql", "spl", "kql"))
# The edits tried in `make test`: item and field (or condition) that is made wrong.
TRIED = {
    "sysmon/eql": (
        *("fields: Image:", "fields: ParentImage:", "fields: CommandLine:", "fields: ProcessGuid:"),
        *("fields: ProcessId:", "fields: TargetObject:", "fields: TargetFilename:", "fields: QueryName:"),
        *(
            "fields: DestinationPort:",
            "fields: Computer:",
            "user: domain and name",
            "initiated: true and false",
        ),
        *("process_creation_events: event.code:", "registry_add_events: winlog.event_data.EventType:"),
    ),
    "sysmon/spl": (
        *("process_creation_events: EventCode:", "network_connection_events: EventCode dropped"),
        *("file_event_events: source:", "image_load_events: source dropped", "dns_query_events: EventCode:"),
        *("registry_delete_events: EventType:", "registry_add_events: EventType dropped"),
        *("ps_script_events: EventCode:", "ps_module_events: EventCode dropped", "fields: EventID:"),
    ),
    "sysmon/kql": (
        *("process_creation_events: EventID:", "network_connection_events: EventID dropped"),
        *("file_event_events: Source|cased:", "image_load_events: Source|cased dropped"),
        *("dns_query_events: EventID:", "registry_delete_events: EventType:"),
        *("registry_add_events: EventType dropped", "ps_script_events: EventID:"),
        *("ps_module_events: EventID dropped", "driver_load_events: EventID:"),
    ),
    "defender/eql": (
        *("fields: Image:", "fields: CommandLine:", "fields: TargetFilename:", "fields: Protocol:"),
        *("loaded_file: ImageLoaded:", "process_fields: ParentCommandLine:", "fields: Computer:"),
        *("user: domain and name", "integrity_level: Untrusted and Low"),
        *("process_creation_events: event.action|cased:", "file_event_events: event.action|cased dropped"),
    ),
    "defender/spl": (
        *("process_fields: Image:", "fields: Image:", "fields: TargetFilename:", "common_fields: Computer:"),
        *(
            "registry_key: TargetObject:",
            "image_fields: ImageLoaded:",
            "network_connection_events: category:",
        ),
        *("process_creation_events: properties.ActionType:", "file_delete_events: category:"),
        *("file_event_events: properties.ActionType dropped", "image_load_events: category:"),
    ),
    "defender/kql": (
        *("process_fields: Image:", "fields: Image:", "fields: TargetFilename:", "common_fields: Computer:"),
        *("registry_key: TargetObject:", "image_fields: ImageLoaded:", "initiating_user: domain and name"),
        *("process_creation_events: ActionType|cased:", "file_event_events: ActionType|cased dropped"),
        *("driver_load_events: ActionType|cased:", "registry_delete_events: ActionType|cased:"),
    ),
}
TRIED |= {
    "crowdstrike/eql": (
        *("fields: Image:", "fields: CommandLine:", "fields: TargetFilename:", "fields: QueryName:"),
        *(
            "parent_name: ParentImage:",
            "image_name: Image:",
            "hashes: Hashes:",
            "registry_path: TargetObject: key",
        ),
        *("fields: Signed:", "fields: User:", "ips: DestinationIp:", "registry_data: Details: text"),
    ),
    "crowdstrike/spl": (
        *("parent_path: ParentImage:", "local_ip: SourceIp: v4", "remote_ip: DestinationIp: v6"),
        *("query_results: QueryResults:", "registry_data: Details: number", "hashes_position: Hashes:"),
        *("process_creation_events: event_simpleName:", "driver_load_events: sourcetype:"),
        *("registry_set_events: RegOperationType:", "parent_name: ParentImage:"),
    ),
    "crowdstrike/kql": (
        *("fields: LogonId:", "fields: ImageLoaded:", "fields: EventType:", "operator: User:"),
        *("destination_port: DestinationPort:", "connection: SourceIsIpv6:", "process: Image:"),
        *("original_file_name: OriginalFileName:", "driver_load_events: event_simpleName|cased:"),
        "integrity_level: Untrusted and Low",
    ),
}
# Edits that no rule on one field can tell apart, each with its reason.
EQUIVALENT = {
    "ms:defender:eventhubx": "one of two sourcetypes, of two add-ons; the shape stores the other's",
    "registry_deleted: TargetObject: PreviousRegistryPath -> AnyRegistryPath": "coalesces the same column",
    # Process starts have the whole path. For other events a witness has a parent without a folder, which no
    # platform stores, so that no rule on the name agrees there to begin with.
    "process.parent.name -> process.parent.group_leader.name": "not asked where it counts",
    "m365_defender.event.process.id -> process.pid": "only of process accesses, whose queries are narrower",
    "SourcePort: cases true: LocalPort -> SourcePort": "a column that computes just that",
    "crowdstrike.event_simpleName -> event.action": "the same in the documents of one version of the ingest",
    "registry.path -> registry.key": "only whether there is one: the ingest writes both",
    # Of several events the witnesses' is another: `test_the_platforms_name_the_same_events`.
    "-> ['ExecutableDeletedx'": "of deletions the witnesses' files are no executables",
    "-> ['NewExecutableRenamedx'": "of renames the same",
    "registry_set_events: crowdstrike.event_simpleName|cased: ['AsepKeyUpdate'": "of keys",
    "registry_set_events: event_simpleName|cased: ['AsepKeyUpdate'": "of keys",
    "registry_set_events: event_simpleName: ['AsepKeyUpdate'": "of keys",
    # Of keys, and of a default value that is deleted, neither is there.
    "TargetObject: name: registry.value -> registry.data.type": "neither is there",
    "TargetObject: name: RegValueName -> RemoteAddressIP4": "neither is there",
}
# What takes a rule's values comes before these; they name the column that is shown: `test_shown_fields`.
SHOWN = {
    "context_image: Image: process.name": "process.name",
    "context_image: Image: ContextBaseFileName": "ContextBaseFileName",
    "fields: ParentImage: process.parent.name": "process.parent.name",
    "fields: ParentImage: ParentBaseFileName": "ParentBaseFileName",
    "fields: Details: registry.data.strings": "registry.data.strings",
    "fields: Details: RegStringValue": "RegStringValue",
}


@cache
def every(cell: str) -> tuple[cells.Cell, tuple[Mutant, ...]]:
    found = cells.cell(*cell.split("/"))
    return found, tuple(mutants(found))


CASES = [(cell, edit) for cell, edits in TRIED.items() for edit in edits]


@pytest.mark.parametrize(("cell", "edit"), CASES)
def test_a_wrong_edit_is_noticed(cell: str, edit: str) -> None:
    where, made = every(cell)
    chosen = [mutant for mutant in made if mutant.edit.startswith(edit)]
    assert chosen, sorted(mutant.edit for mutant in made)
    for mutant in chosen:
        assert noticed(where.source, where, mutant, {})


def test_ten_in_each_pipeline() -> None:
    assert set(TRIED) == set(CELLS)
    assert min(map(len, TRIED.values())) >= 10


@pytest.mark.proof
@pytest.mark.parametrize("cell", CELLS)
def test_every_edit_is_noticed(cell: str) -> None:
    where, made = every(cell)
    sound: dict[str, bool] = {}
    found = [(mutant, noticed(where.source, where, mutant, sound)) for mutant in made]
    # Dropped conditions: see the test below. On Elastic the fields alone tell most events apart.
    survived = [
        str(mutant) for mutant, result in found if result is False and not mutant.edit.endswith("dropped")
    ]
    assert [one for one in survived if not any(known in one for known in (*EQUIVALENT, *SHOWN))] == []
    assert sum(result is True for _, result in found) > 30


def test_the_platforms_name_the_same_events() -> None:
    """FDR's events are the same wherever they go: a name that is wrong in one pipeline differs."""
    named: dict[str, set[str]] = {}
    for platform in ("elastic", "splunk", "kusto"):
        text = (ROOT.parent / "crowdstrike" / f"{platform}.yml").read_text()
        for item in yaml.safe_load(text)["transformations"]:
            for key, names in item.get("conditions", {}).items():
                if "event_simpleName" in key:
                    named.setdefault(item["id"], set()).add(str(names))
    assert len(named) >= 13
    assert {name: found for name, found in named.items() if len(found) > 1} == {}


@pytest.mark.parametrize("target", ["eql", "spl", "kql"])
def test_shown_fields(target: str) -> None:
    """The columns of a rule's `fields` that no query of it names."""
    where = cells.cell("crowdstrike", target)
    shown = [("process_creation", "ParentImage"), ("registry_set", "Details")]
    shown += [("network_connection", "Image")] if target != "kql" else []
    found = {
        column
        for category, field in shown
        for column in prepare.map_field(crowdstrike_samples.rule(category, {"EventID": 1}), where, field)
    }
    assert found <= set(SHOWN.values())
    assert len(found) == len(shown)


# Every item that says which events: provider or table, and event id or action.
FILTERS = {
    ("sysmon", "elastic"): ["event.provider|cased", "event.code"],
    ("sysmon", "splunk"): ["source", "EventCode"],
    ("sysmon", "kusto"): ["Source|cased", "EventID"],
    ("sysmon", "kusto-windowsevent"): ["Provider|cased", "EventID"],
    ("defender", "elastic"): ["m365_defender.event.category|cased", "event.action|cased"],
    ("defender", "splunk"): ["sourcetype", "category", "properties.ActionType"],
    ("defender", "kusto"): ["ActionType|cased"],
    ("crowdstrike", "elastic"): [
        *("event.category|cased", "host.os.type|cased", "crowdstrike.event_simpleName|cased"),
    ],
    ("crowdstrike", "splunk"): ["sourcetype", "event_platform", "event_simpleName"],
    ("crowdstrike", "kusto"): ["event_platform|cased", "event_simpleName|cased"],
}
# Services name the log alone: their rules say which event they mean.
ONE = ("sysmon_service_events", "system_events")
MORE = {
    "registry_add_events": "EventType",
    "registry_delete_events": "EventType",
    "driver_load_events": "event.category",
}
OPERATION = "RegOperationType"
"""Of CrowdStrike's registry events."""


@pytest.mark.parametrize(("source", "platform"), FILTERS)
def test_every_category_has_its_filters(source: str, platform: str) -> None:
    items = yaml.safe_load((ROOT.parent / source / f"{platform}.yml").read_text())["transformations"]
    filters = {item["id"]: list(item["conditions"]) for item in items if item["type"] == "add_condition"}
    assert len(filters) >= (13 if source == "crowdstrike" else 14)
    for name, conditions in filters.items():
        if name not in ONE:
            # Columns named Whole... hold the same element of an event, read beyond the end of extraction.
            conditions = [re.sub("^WholePlatform$", "event_platform", one) for one in conditions]
            conditions = [re.sub("^WholeSimpleName$", "event_simpleName", one) for one in conditions]
            wanted = FILTERS[source, platform]
            assert conditions[: len(wanted)] == wanted, name
            more = OPERATION if source == "crowdstrike" else MORE.get(name, "nothing")
            assert all(more in one for one in conditions[len(wanted) :])
            assert len(conditions) == len(wanted) + 1 or source != "crowdstrike" or "registry" not in name
            assert len(conditions) > len(wanted) or source != "sysmon" or not name.startswith(tuple(_TWO))


_TWO = ("registry_add", "registry_delete")


def test_the_rules_that_ask_agree_in_the_pipelines_as_they_are() -> None:
    where, made = every("sysmon/spl")
    asked = [wrong_fields.status("sysmon", where, one) for mutant in made for one in mutant.questions[:1]]
    assert sum(one == "agrees" for one in asked) > 0.9 * len(asked)
