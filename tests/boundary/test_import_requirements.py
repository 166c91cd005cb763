"""Findings I4 and S3: integrations, connectors and names that the target has; what a description says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.build.import_files import make
from converter.errors import UsageError
from converter.exports.elastic.formats import NDJSON
from converter.exports.sentinel.formats import ARM, YAML
from converter.plan.model import Fidelity, Reason
from tests.boundary.importing import analytic
from tests.exports.making import base, correlation, items, simple


@pytest.mark.parametrize(
    ("source", "package", "current"),
    [
        # elastic/detection-rules, etc/integration-manifests.json.gz, 21 August 2026; the finding of November
        # names 3.3.0 (crowdstrike) and 5.12.3 (m365_defender).
        ("sysmon", "windows", ("3.4.0",)),
        ("defender", "m365_defender", ("5.5.0", "5.12.3")),
        ("crowdstrike", "crowdstrike", ("3.3.0",)),
        ("windows-security", "system", ("2.12.0",)),
    ],
)
def test_i4_related_integrations_fit_todays_packages(
    source: str, package: str, current: tuple[str, ...]
) -> None:
    more: dict[str, Any] = {}
    if source == "windows-security":
        more = {
            "logsource": {"product": "windows", "service": "security"},
            "detection": {"selection": {"EventID": 4624}, "condition": "selection"},
        }
    rule = json.loads(str(NDJSON.part([simple(source, **more)])))
    (version,) = [one["version"] for one in rule["related_integrations"] if one["package"] == package]
    for one in current:  # ^x.y.z: the same major, not below.
        parts, least = ([int(n) for n in text.split(".")] for text in (one, version.removeprefix("^")))
        assert version.startswith("^")
        assert parts[0] == least[0]
        assert parts >= least


@pytest.mark.parametrize(
    ("source", "connectors"),
    [
        # DumpingLSASSProcessIntoaFile.yaml, a rule of Azure-Sentinel about Sysmon in the table Event.
        ("sysmon", {"SecurityEvents": ["SecurityEvent"], "WindowsSecurityEvents": ["SecurityEvent"]}),
        ("defender", {"MicrosoftThreatProtection": ["DeviceProcessEvents"]}),
        # CrowdStrikeS3FDR_ccp/DataConnectorDefinition.json: connectorUiConfig.id, dataTypes.
        ("crowdstrike", {"CrowdStrikeFalconS3CCPDefinition": ["CrowdStrike_Process_Events_CL"]}),
    ],
)
def test_i4_required_connectors_of_each_table(source: str, connectors: dict[str, list[str]]) -> None:
    (text,) = dict(YAML.part([simple(source, "kql")])).values()
    required = yaml.safe_load(text)["requiredDataConnectors"]
    assert {one["connectorId"]: one["dataTypes"] for one in required} == connectors


NRT = """
alertDetailsOverride alertRuleTemplateName customDetails description displayName enabled entityMappings
eventGroupingSettings incidentConfiguration query sentinelEntitiesMappings severity subTechniques
suppressionDuration suppressionEnabled tactics techniques templateVersion
"""
"""Microsoft's SDK, NrtAlertRuleProperties (@azure/arm-securityinsight): no frequency, period and trigger."""


def test_i4_near_real_time_rules_of_sentinel() -> None:
    item = replace(simple(target="kql"), near_real_time=True)
    (resource,) = json.loads(str(ARM.part([item])))["resources"]
    assert resource["kind"] == "NRT"
    rule = resource["properties"]
    assert set(rule) <= set(NRT.split())
    # The service looks at each event as it comes in, and takes no joins and unions (near-real-time-rules).
    assert "ingestion_time" not in rule["query"]
    assert not re.search(r"\b(join|union)\b", rule["query"])
    (text,) = dict(YAML.part([item])).values()
    document = yaml.safe_load(text)
    assert document["kind"] == "NRT"
    # NrtTemplateInternalModel.cs is QueryBasedTemplateInternalModel, which has none of these.
    assert not {"queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"} & set(document)


def test_i4_a_correlation_stays_a_scheduled_rule() -> None:
    counted = correlation("event_count", ["first"], condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, targets=("kql",))
    (resource,) = json.loads(str(ARM.part([replace(item, near_real_time=True)])))["resources"]
    assert resource["kind"] == "Scheduled"


def test_i4_the_configuration_chooses_near_real_time(tmp_path: Path) -> None:
    from converter.project.config import load

    (tmp_path / "sigconv.toml").write_text("[export]\nsentinel-nrt = true\n")
    made = make(["sentinel-arm"], [("sysmon", "kql")], [simple(target="kql")], wishes=load(tmp_path).export)
    (part,) = made.parts["sentinel-arm", "sysmon"]
    assert json.loads(part.text)["resources"][0]["kind"] == "NRT"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[export]\nelastic-attack = "17"\n', "'export.elastic-attack' is one of 18, 19"),
        ("[export]\nsentinel-nrt = 1\n", "'export.sentinel-nrt' is true or false"),
        ("[export]\nnrt = true\n", "'export.nrt' is unknown"),
        ("export = 1\n", "'export' is a table"),
    ],
)
def test_i4_a_wrong_wish_is_told(tmp_path: Path, text: str, message: str) -> None:
    from converter.project.config import load

    (tmp_path / "sigconv.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load(tmp_path)


def test_i4_the_rules_of_one_temporal_are_told_to_belong_together() -> None:
    """EQL has no sequence without an order: three rules give six, which one tag holds together."""
    names = ["first", "second", "third"]
    bases = [base(name, Image=rf"c:\\{name}.exe") for name in names]
    (item,) = items(*bases, correlation("temporal", names))
    made = [json.loads(line) for line in str(NDJSON.part([item])).splitlines()]
    assert len(made) == len(item.queries) == 6
    assert all("Sigma Rule: 99999999-2222-4333-8444-555555555555" in rule["tags"] for rule in made)
    assert len({rule["rule_id"] for rule in made}) == 6
    for rule, query in zip(made, item.queries, strict=True):
        assert f"this rule is for `{query.name}`" in rule["note"]
    assert "One of" not in json.loads(str(NDJSON.part([simple()])))["note"]


@pytest.mark.parametrize("target", ["kql", "spl", "eql"])
def test_exported_descriptions_say_what_is_assumed(target: str) -> None:
    item = replace(
        simple(target=target),
        fidelity=Fidelity.ASSUMED,
        reasons=(Reason(Fidelity.ASSUMED, "sysmon-x-1: a claim about a column"),),
    )
    if target == "kql":
        text = analytic(item)["description"]
    elif target == "spl":
        from converter.exports.splunk.rule import stanzas

        text = stanzas([item])
    else:
        text = json.loads(str(NDJSON.part([item])))["note"]
    assert "if the assumptions below hold" in text
    assert "assumed: sysmon-x-1: a claim about a column" in text
    assert item.id in text


@pytest.mark.parametrize(
    "form", ["sentinel-arm", "sentinel-yaml", "elastic-ndjson", "elastic-toml", "splunk-conf"]
)
def test_s3_no_made_up_index_or_table_is_deployed(form: str) -> None:
    """Index names are lower case in Elasticsearch and Splunk, and no workspace has a table `Events`."""
    target = {"sentinel": "kql", "elastic": "eql", "splunk": "spl"}[form.partition("-")[0]]
    item = simple("none", target, detection={"s": {"a": "x"}, "condition": "s"})
    made = make([form], [("none", target)], [item])
    if target == "kql":
        (error,) = made.errors
        assert (error.code, "no table is configured" in error.message) == ("SC210", True)
        return
    (part,) = made.parts[form, "none"]
    assert "Events" not in part.text
    if form == "elastic-ndjson":
        assert "index" not in json.loads(
            part.text
        )  # Kibana's API: defaults to securitySolution:defaultIndex.
