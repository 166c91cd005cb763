"""Scheduled alerts of Splunk: what is in savedsearches.conf, that each alert is raised once, and the app.

Sources: savedsearches.conf.spec of Splunk Enterprise (the settings below); for those of Enterprise Security,
which no public spec has, the savedsearches.conf that splunk/contentctl and Splunk's ES Content Update write.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from splunk_appinspect.configuration_parser import configuration_lexer

from converter.errors import Refusal
from converter.exports.base import Part
from converter.exports.item import ExportItem
from converter.exports.splunk.formats import APP, CONF
from tests.exports.making import base, correlation, items, shipped, simple
from tests.exports.running import Case, cases, runs

SPEC = {
    "search": None,
    "description": None,
    "disabled": r"[01]",
    "enableSched": r"[01]",
    "cron_schedule": r"[0-4]-59/5 \* \* \* \*",
    "realtime_schedule": r"[01]",
    "dispatch.earliest_time": r"-\d+m@m",
    "dispatch.latest_time": r"(-\d+m)?@m",
    "counttype": r"number of (events|results|hosts|sources)|custom|always",
    "relation": r"greater than|less than|equal to|not equal to|drops by|rises by",
    "quantity": r"\d+",
    "alert.track": r"[01]|auto|true|false",
    "alert.severity": r"[1-6]",
    "alert.digest_mode": r"[01]",
    "alert.suppress": r"[01]",
    "alert.suppress.period": r"\d+[smhd]",
    "alert.suppress.fields": r"[\w.]+(,[\w.]+)*",
}
ENTERPRISE_SECURITY = {
    "action.correlationsearch.enabled": r"1",
    "action.correlationsearch.label": None,
    "action.correlationsearch.annotations": r"\{.*\}",
    "action.notable": r"1",
    "action.notable.param.rule_title": None,
    "action.notable.param.rule_description": None,
    "action.notable.param.severity": r"informational|low|medium|high|critical",
    "action.notable.param.security_domain": r"access|endpoint|network|threat|identity|audit",
    "action.notable.param.nes_fields": r"[\w.]+(,[\w.]+)*",
    "action.risk": r"1",
    "action.risk.param._risk": r"\[.*\]",
    "action.risk.param._risk_message": None,
    "action.risk.param._risk_score": r"0",
    "action.risk.param.verbose": r"0",
}


def read(text: str) -> dict[str, dict[str, str]]:
    """Read a .conf file as Splunk documents it: comments, stanzas, and lines that a backslash continues.

    The lexer of Splunk's own AppInspect must read the same.
    """
    found: dict[str, dict[str, str]] = {}
    rows = iter(text.split("\n"))
    for row in rows:
        if not row.strip() or row.startswith("#"):
            continue
        if row.startswith("["):
            assert row.endswith("]")
            name = row[1:-1]
            assert name not in found, name
            found[name] = {}
            continue
        while row.endswith("\\"):
            row = row[:-1] + "\n" + next(rows)
        key, equals, value = row.partition("=")
        assert equals, row
        assert key.strip() not in found[name]
        found[name][key.strip()] = value.strip()
    assert found == read_by_appinspect(text)
    return found


def read_by_appinspect(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    name = ""
    for kind, item, _, error in configuration_lexer(text.split("\n")):
        assert error is None
        assert kind in ("STANZA", "KEYVAL", "COMMENT", "WHITESPACE"), item
        if kind == "STANZA":
            name = str(item)
            found[name] = {}
        elif kind == "KEYVAL":
            found[name][item[0]] = item[1]
    return found


def stanzas(made: list[ExportItem]) -> dict[str, dict[str, str]]:
    return read(str(CONF.part(made)))


def one(item: ExportItem) -> dict[str, str]:
    (settings,) = stanzas([item]).values()
    return settings


@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike"])
def test_shipped_rules_have_settings_of_the_spec(source: str) -> None:
    found = shipped(source, "spl")
    assert found
    parts = [Part(i[0].id, "r.yml", f"{n}.conf", str(CONF.part(i))) for n, i in enumerate(found)]
    assert CONF.whole is not None
    whole = read(CONF.whole(source, parts)["savedsearches.conf"])
    assert len(whole) == len(found)
    for (item,), (name, settings) in zip(found, whole.items(), strict=True):
        assert len(name) < 100
        known = SPEC | ENTERPRISE_SECURITY
        assert set(settings) <= set(known)
        for key, value in settings.items():
            assert known[key] is None or re.fullmatch(str(known[key]), value), (key, value)
        assert settings["search"].startswith(item.queries[0].body)
        json.loads(settings["action.correlationsearch.annotations"])
        for risk in json.loads(settings.get("action.risk.param._risk", "[]")):
            assert set(risk) == {"risk_object_field", "risk_object_type", "risk_score"}
            assert risk["risk_object_type"] in ("system", "user", "other")
            assert 1 <= risk["risk_score"] <= 100


def seconds(span: str) -> int:
    found = re.fullmatch(r"(?:-(\d+)m)?@m", span)
    assert found
    return int(found[1] or 0) * 60


@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_each_alert_is_raised_in_one_run(source: str) -> None:
    """Run after run over what each reads: all alerts of one run over everything, and each once."""
    per_rule: dict[str, Case] = {}
    for case in cases(source, "spl"):
        before = per_rule.get(case.item.id)
        if before is None or len(case.stored) > len(before.stored):
            per_rule[case.item.id] = case
    assert len(per_rule) > 5
    for case in per_rule.values():
        settings = one(case.item)
        expected = case.marks(case.run(case.item.queries[0].body, case.stored))
        assert expected
        raised: Counter[Any] = Counter()
        back, until = (seconds(settings[f"dispatch.{key}_time"]) for key in ("earliest", "latest"))
        search = settings["search"]

        def at(now: Any, search: str = search, until: int = until) -> str:
            # What addinfo adds, as the documentation of the command says: the range of the search.
            latest = now.timestamp() - until
            return search.replace("\n| addinfo\n", f"\n| eval info_max_time={latest:.0f}\n")

        for _, result in runs(case, case.item.interval, back, until, at):
            raised += case.marks(result)
        assert raised == expected, case.name


def test_an_event_rule() -> None:
    settings = one(simple(target="spl", level="high", fields=["Image", "User"], tags=["attack.t1021.002"]))
    expected = {
        "disabled": "1",
        "enableSched": "1",
        "dispatch.earliest_time": "-10m@m",
        "dispatch.latest_time": "-5m@m",
        "alert.severity": "4",
        "alert.suppress": "0",
        "action.correlationsearch.annotations": '{"mitre_attack": ["T1021.002"]}',
        "action.notable.param.severity": "high",
        "action.notable.param.security_domain": "endpoint",
        "action.notable.param.nes_fields": "Image,User",
    }
    assert {key: settings[key] for key in expected} == expected
    assert json.loads(settings["action.risk.param._risk"]) == [
        {"risk_object_field": "Computer", "risk_object_type": "system", "risk_score": 73},
        {"risk_object_field": "User", "risk_object_type": "user", "risk_score": 73},
    ]


def test_a_correlation_is_suppressed_by_its_group() -> None:
    counted = correlation("event_count", ["first"], "1h", condition={"gte": 3})
    settings = one(items(base("first", Image="a"), counted, targets=("spl",))[0])
    expected = {
        "dispatch.earliest_time": "-70m@m",
        "dispatch.latest_time": "@m",
        "alert.digest_mode": "0",
        "alert.suppress": "1",
        "alert.suppress.fields": "Computer",
        "alert.suppress.period": "3600s",
    }
    assert {key: settings[key] for key in expected} == expected
    ungrouped = correlation("event_count", ["first"], "1h", condition={"gte": 3}, **{"group-by": []})
    settings = one(items(base("first", Image="a"), ungrouped, targets=("spl",))[0])
    assert "alert.suppress.fields" not in settings
    assert (settings["alert.digest_mode"], settings["alert.suppress"]) == ("1", "1")


def test_a_risk_needs_an_object() -> None:
    assert "action.risk" in one(simple(target="spl"))
    assert "action.risk" not in one(simple(source="none", target="spl"))


def test_schedules_are_spread_and_stay() -> None:
    found = Counter(
        one(simple(target="spl", id=f"{n:08x}-2222-4333-8444-{n:012x}"))["cron_schedule"] for n in range(50)
    )
    assert set(found) == {f"{n}-59/5 * * * *" for n in range(5)}
    assert one(simple(target="spl"))["cron_schedule"] == one(simple(target="spl"))["cron_schedule"]


HOSTILE = [
    "ends in a backslash \\",
    "[a] /b\\c",
    "# no comment",
    "a = b %x% \"q\" 'q' ```c``` |",
    "two\nlines \\\n[x]\n# y",
    "ü 日本 \U0001f600",
    "tab\tand\x85\u2028x",
    '{"a": 1}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_back(text: str) -> None:
    first = simple(target="spl", title=text, description=text)
    second = simple(target="spl", id="22222222-2222-4333-8444-555555555555")
    found = list(stanzas([first, second]).items())
    assert len(found) == 2
    name, settings = found[0]
    prose = " ".join(re.sub(r"[\x00-\x1f\x85\u2028]+", " ", text).split())
    assert settings["description"].startswith(f"{prose} Made by sigconv from Sigma rule ")
    assert settings["action.correlationsearch.label"] == (f"{prose}." if prose.endswith("\\") else prose)
    assert settings["search"] == first.queries[0].body
    assert not re.search(r"[\[\]/\\\n]", name)
    assert found[1][1] == one(second)


def test_nothing_in_a_notable_is_a_token() -> None:
    settings = one(simple(target="spl", title="uses $env:x$", description="$a$ and $b$"))
    for key in ("rule_title", "rule_description"):
        assert "$" not in settings[f"action.notable.param.{key}"]
    assert settings["description"].startswith("$a$ and $b$ Made by sigconv")


@pytest.mark.parametrize("value", ["a\\", '$x$ %y% "q" [z] # ü', "```c```", "a;b =c", "{{x}}"])
def test_hostile_values_come_back(value: str) -> None:
    item = simple(target="spl", detection={"s": {"CommandLine|contains": value}, "condition": "s"})
    assert one(item)["search"] == item.queries[0].body


@pytest.mark.parametrize("body", ["a\\\n| b", "a\n\n| b", "a\n  \n| b", "a\x00", "a\\"])
def test_searches_that_a_conf_file_cannot_hold_are_refused(body: str) -> None:
    item = simple(target="spl")
    query = replace(item.queries[0], body=body)
    with pytest.raises(Refusal) as refused:
        CONF.part([replace(item, queries=(query,))])
    assert refused.value.code == "SC210"


def test_long_titles_have_names_of_their_own() -> None:
    names = [
        next(
            iter(
                stanzas([simple(target="spl", title="x" * 200, id=f"{n}1111111-2222-4333-8444-555555555555")])
            )
        )
        for n in (1, 2)
    ]
    assert len(set(names)) == 2
    assert all(len(name) == 99 for name in names)


def test_ids_that_begin_alike_have_stanzas_of_their_own() -> None:
    """Of two stanzas of one name Splunk would make one."""
    made = [simple(target="spl", id=f"11111111-2222-4333-8444-{n:012}") for n in range(3)]
    made[2:] = [simple(target="spl", title="Another", id="11111111-2222-4333-8444-000000000009")]
    parts = [Part(one.id, "r.yml", f"{one.id}.conf", str(CONF.part([one]))) for one in made]
    assert CONF.whole is not None
    found = read(CONF.whole("sysmon", parts)["savedsearches.conf"])
    assert list(found) == [*(f"A title ({one.id})" for one in made[:2]), "Another (11111111)"]
    assert found["A title (11111111-2222-4333-8444-000000000001)"] == one(made[1])


def app(source: str) -> dict[str, str]:
    assert APP.whole is not None
    found = shipped(source, "spl")
    parts = [Part(i[0].id, "r.yml", f"{n}.conf", str(APP.part(i))) for n, i in enumerate(found)]
    return dict(APP.whole(source, parts))


def test_an_app_is_the_same_in_every_build_and_its_version_rises() -> None:
    files = app("sysmon")
    assert files == app("sysmon")
    assert set(files) == {
        f"sigconv_sysmon/{name}"
        for name in (
            "README.md",
            "README/savedsearches.conf.spec",
            "app.manifest",
            "default/app.conf",
            "default/savedsearches.conf",
            "metadata/default.meta",
        )
    }
    conf = read(files["sigconv_sysmon/default/app.conf"])
    manifest = json.loads(files["sigconv_sysmon/app.manifest"])
    assert conf["launcher"]["version"] == manifest["info"]["id"]["version"] == "1.0.20261121"
    assert conf["package"]["id"] == manifest["info"]["id"]["name"] == "sigconv_sysmon"
    declared = read(files["sigconv_sysmon/README/savedsearches.conf.spec"])["<name>"]
    assert set(declared) == set(ENTERPRISE_SECURITY)
    assert APP.whole is not None
    part = Part("r", "r.yml", "r.conf", str(APP.part([simple(target="spl", date="2030-01-02")])))
    assert '"1.0.20300102"' in APP.whole("sysmon", [part])["sigconv_sysmon/app.manifest"]


@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_appinspect_accepts_the_app(tmp_path: Path, source: str) -> None:
    for path, text in app(source).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    report = tmp_path / "report.json"
    command = [
        str(Path(sys.executable).with_name("splunk-appinspect")),
        "inspect",
        str(tmp_path / f"sigconv_{source}"),
    ]
    options = ["--mode", "precert", "--data-format", "json", "--output-file", str(report)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=600)
    assert report.exists(), done.stderr
    summary = json.loads(report.read_text())["summary"]
    assert summary["success"] > 50
    assert {key: summary[key] for key in ("error", "failure", "warning")} == {
        "error": 0,
        "failure": 0,
        "warning": 0,
    }, done.stdout
