"""PowerShell's and the System log's records beside Sysmon's: each field, and what is refused."""

import pytest
import yaml

from converter.errors import Refusal
from converter.shapes import shape_for
from tests.pipelines.sysmon_samples import HEADER, ROOT, TARGETS, holds, readable
from tests.pipelines.test_sysmon_fields import base

POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell")
# Log source, channel, provider, event id.
LOGS = {
    "ps_script": ({"category": "ps_script"}, *POWERSHELL, 4104),
    "ps_module": ({"category": "ps_module"}, *POWERSHELL, 4103),
    "system": ({"service": "system"}, "System", "Service Control Manager", 7045),
}
NUMBERS = {"MessageNumber", "MessageTotal"}


def fields(name):
    """Return log -> fields that the pipeline lets pass."""
    items = yaml.safe_load((ROOT / f"{name}.yml").read_text())["transformations"]
    found = {}
    for item in items:
        logsource = item.get("rule_conditions", [{}])[0]
        log = logsource.get("category") or logsource.get("service")
        if item["type"] == "require_fields" and log in LOGS:
            found[log] = [field for field in item["fields"] if field not in HEADER]
    return found


CASES = [(name, log, field) for name in TARGETS for log, every in fields(name).items() for field in every]


def record(log, **data):
    _, channel, provider, event_id = LOGS[log]
    return {"Channel": channel, "Provider_Name": provider, "EventID": event_id, "Computer": "h", **data}


@pytest.mark.parametrize(("name", "log", "field"), CASES)
def test_a_rule_on_a_field_selects_the_stored_record_with_that_value(name, log, field):
    held, changed = (3, 4) if field in NUMBERS else (f"value of {field}", "something else")
    mapped, reasons = base(name, LOGS[log][0], {field: held})
    assert reasons == []
    shape = shape_for("sysmon", name)
    assert holds(mapped.condition, readable(name, shape.store(record(log, **{field: held}), 0).doc))
    wrong = [
        record(log, **{field: changed}),
        record(log, **{field: held}) | {"Channel": "Application", "Provider_Name": "Other"},
    ]
    if log != "system":  # A rule on the System log says which event it means.
        wrong.append(record(log, **{field: held}) | {"EventID": 4105})
    for one in wrong:
        assert not holds(mapped.condition, readable(name, shape.store(one, 0).doc))


@pytest.mark.parametrize("name", TARGETS)
def test_the_headers_fields(name):
    shape = shape_for("sysmon", name)
    stored = readable(name, shape.store(record("system"), 0).doc)
    for field in ("Provider_Name", "Channel", "EventID", "Computer"):
        if (field, name) == ("Channel", "splunk"):
            # Event 104 has an element of that name beside the header's, and Splunk makes one field of both.
            with pytest.raises(Refusal, match="Channel"):
                base(name, {"service": "system"}, {field: record("system")[field]})
            continue
        mapped, _ = base(name, {"service": "system"}, {field: record("system")[field]})
        assert holds(mapped.condition, stored)
        if field == "Channel":  # The log source names the channel: a rule on another can select nothing.
            with pytest.raises(Refusal) as raised:
                base(name, {"service": "system"}, {field: "77"})
            assert raised.value.code == "SC211"
            continue
        mapped, _ = base(name, {"service": "system"}, {field: "77"})
        assert not holds(mapped.condition, stored)


def test_powershell_7_logs_elsewhere():
    for name in TARGETS:
        mapped, _ = base(name, {"category": "ps_script"}, {"ScriptBlockId": "x"})
        other = {"Channel": "PowerShellCore/Operational", "Provider_Name": "PowerShellCore"}
        stored = shape_for("sysmon", name).store(record("ps_script", ScriptBlockId="x") | other, 0)
        assert holds(mapped.condition, readable(name, stored.doc))


def test_the_time_is_the_records():
    times = {"elastic": "@timestamp", "splunk": None, "kusto": "TimeGenerated"}
    for name, time in times.items():
        mapped, _ = base(name, {"category": "ps_script"}, {"ScriptBlockId": "x"})
        assert mapped.state.get("time_field") == time


def test_module_logging_is_cut_up_by_elastic():
    with pytest.raises(Refusal) as caught:
        base("elastic", {"category": "ps_module"}, {"Payload": "x"})
    assert caught.value.code == "SC207"


@pytest.mark.parametrize("name", ["splunk", "kusto", "kusto-windowsevent"])
def test_binary_is_no_data_element(name):
    with pytest.raises(Refusal, match="'Binary' is not part of records of the System log"):
        base(name, {"service": "system"}, {"Binary": "x"})
