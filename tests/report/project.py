"""A small project for the tests of the report, with rules that try to break out of the page."""

from __future__ import annotations

import json
from pathlib import Path

SCRIPT = "</script><script>document.title='broken out'</script>"
IMAGE = "\"'><img src=https://example.org/x onerror=\"document.title='broken out'\">"
_VALUES = [SCRIPT, IMAGE, "`${7*7}`", "a\\*b"]
HOSTILE = f"""\
title: {json.dumps("<b>Bold</b> & " + SCRIPT)}
id: 11111111-1111-4111-8111-111111111111
status: experimental
# {SCRIPT} {IMAGE}
description: {json.dumps(SCRIPT + IMAGE + "<!-- {{ 7*7 }} {% raw %}")}
author: {json.dumps(IMAGE)}
references:
    - javascript:document.title='broken'
    - {json.dumps('https://example.org/"onmouseover="alert(1)')}
    - https://example.org/fine
tags: [attack.execution, attack.t1059.001, attack.t1569.002]
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        CommandLine|contains: {json.dumps(_VALUES)}
    condition: selection
falsepositives: [{json.dumps(IMAGE)}]
level: high
"""
COUNT = """\
title: Many Starts
id: 22222222-2222-4222-8222-222222222222
status: test
tags: [attack.lateral-movement, attack.t1021.002]
correlation: {type: event_count, rules: [base], group-by: [Computer], timespan: 5m, condition: {gte: 3}}
level: medium
---
title: Base
name: base
id: 33333333-3333-4333-8333-333333333333
logsource: {category: process_creation, product: windows}
detection: {selection: {Image|endswith: '\\three.exe'}, condition: selection}
"""
UNKNOWN = """\
title: Of Another Log
id: 44444444-4444-4444-8444-444444444444
tags: [attack.discovery, attack.t1046]
logsource: {product: zeek, service: conn}
detection: {selection: {id.resp_p: 22}, condition: selection}
level: low
"""
TESTS = f"""\
rule: hostile.yml
id: 11111111-1111-4111-8111-111111111111
events:
  start:
    EventID: 1
    UtcTime: '2026-11-21 10:00:00.000'
    Computer: {json.dumps(IMAGE)}
    Image: 'C:\\x.exe'
    CommandLine: {json.dumps(SCRIPT)}
tests:
  - name: {json.dumps("fires " + SCRIPT)}
    events: [{{use: start}}, {{use: start, set: {{CommandLine: quiet}}, drop: [Image]}}]
    alerts: [0]
  - name: a near miss
    events: [{{use: start, set: {{CommandLine: quiet}}}}]
    alerts: []
"""
COUNT_TESTS = """\
rule: many.yml
id: 22222222-2222-4222-8222-222222222222
events:
  start: {EventID: 1, UtcTime: '2026-11-21 10:00:00.000', Computer: ws1, Image: 'C:\\three.exe'}
tests:
  - name: three
    events: [{use: start}, {use: start}, {use: start}]
    alerts: [{time: '2026-11-21T10:00:00.000Z', group: {Computer: ws1}, events: [0, 1, 2]}]
"""
RESULTS = [
    {
        "rule": "11111111-1111-4111-8111-111111111111",
        "source": "sysmon",
        "target": "kql",
        "fidelity": "exact",
        "status": "agrees",
        "events": 7,
        "hits": 4,
        "reason": None,
        "disagreements": [],
    },
    {
        "rule": "11111111-1111-4111-8111-111111111111",
        "source": "sysmon",
        "target": "spl",
        "fidelity": "exact",
        "status": "disagrees",
        "events": 7,
        "hits": 4,
        "reason": SCRIPT,
        "disagreements": [f"all: {IMAGE}"],
    },
    {
        "rule": "22222222-2222-4222-8222-222222222222",
        "source": "sysmon",
        "target": "kql",
        "fidelity": "narrower",
        "status": "agrees",
        "events": 7,
        "hits": 4,
        "reason": "",
        "disagreements": [],
    },
    {
        "rule": "44444444-4444-4444-8444-444444444444",
        "source": "sysmon",
        "target": "kql",
        "fidelity": None,
        "status": "refused",
        "events": 0,
        "hits": 0,
        "reason": "SC207",
        "disagreements": [],
    },
]


CONFIGURATION = f"""\
sources = ["sysmon"]
targets = ["kql", "spl"]

[[accept-refusals]]
rule = "other.yml"
target = "spl"
code = "SC207"
reason = {json.dumps("Zeek is elsewhere " + IMAGE)}
"""


def make(folder: Path) -> Path:
    """Write the project; its configuration names two cells. Return the file with results of verify."""
    for name, text in {
        "sigconv.toml": CONFIGURATION,
        "sigma/hostile.yml": HOSTILE,
        "sigma/many.yml": COUNT,
        "sigma/other.yml": UNKNOWN,
        "tests/rules/hostile.yml": TESTS,
        "tests/rules/many.yml": COUNT_TESTS,
        "verify.json": json.dumps({"results": RESULTS}),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "verify.json"
