"""What `check` says of a rule: each mistake with the lines that are printed for it."""

from __future__ import annotations

HEAD = """\
title: Rule
id: 11111111-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
detection:
"""  # Four lines: the detection begins in line 5.
CORRELATION = """\
title: Correlation
id: 22222222-2222-4222-8222-222222222222
correlation:
    type: event_count
    rules: [11111111-1111-4111-8111-111111111111]
    group-by: [User]
    timespan: 5m
    condition: {gte: 5}
"""
FILTER = "title: F\nlogsource: {category: c}\nfilter:\n"
GOOD = HEAD + "    selection: {Image|endswith: '\\a.exe'}\n    condition: selection\n"
SELECTION = "    selection: {Image: a}\n    condition: selection\n"

# What is checked -> the file's text and what is printed after its name; only the beginning of a line counts.
TABLE: dict[str, tuple[str, list[str]]] = {
    "a good rule": (GOOD, []),
    "values that YAML reads as others": (
        HEAD + "    selection:\n        Access: [0x1010, '0x1410']\n        T: 12:30:45\n        M: 010\n"
        "        Initiated: [yes, true]\n        B|re: 0x1\n    condition: selection\n",
        [
            ":6:18: SC139 YAML reads 0x1010 as the number 4112 (put it into quotes if the text is meant)",
            ":7:12: SC139 YAML reads 12:30:45 as the number 45045 (",
            ":8:12: SC139 YAML reads 010 as the number 8 (",
            ":9:21: SC139 YAML reads yes as true (",
            ":10:15: SC139 YAML reads 0x1 as the number 1 (",
        ],
    ),
    "values that YAML reads as they are written": (
        HEAD + "    selection: {A: [5, -5, 1.5, 0, true, 'yes', 1e3x, 00:1f:5b, 1.2.3.4], B: on-off}\n"
        "    condition: selection\n",
        [],
    ),
    "a good correlation": (CORRELATION + "---\n" + GOOD, []),
    # Fatal: nothing can be converted.
    "condition outside detection": (
        HEAD + "    selection: {Image: a}\ncondition: selection\n",
        [":6:1: SC104 'condition' is outside 'detection' (indent it as a key of 'detection')"],
    ),
    "a condition that no event can satisfy": (
        HEAD + "    a: {Image|endswith: '\\a.exe'}\n    b:\n        Image|endswith: ['\\b.exe', '\\c.exe']\n"
        "    condition: a and b\n",
        [
            r":7:9: SC127 no event can satisfy the rule: Image is '*\a.exe' (selection 'a') and Image is"
            r" '*\b.exe' (selection 'b') (the other place is line 5: change one of the two)"
        ],
    ),
    "an alternative that no event can satisfy": (
        HEAD
        + "    a: {Image: a}\n    b: {Image: b}\n    c: {CommandLine: c}\n    condition: a and (b or c)\n",
        [":6:9: SC127 no event can satisfy an alternative: Image is 'a' (selection 'a') and Image is 'b' ("],
    ),
    "alternatives under not, and an exception that never applies": (
        HEAD + "    a: {Image: a}\n    f: {Image: b, User: c}\n    g: {Image: a, User: d}\n"
        "    condition: a and not f and not g\n",
        [],
    ),
    "an event id of another category's": (
        HEAD.replace("process_creation", "file_delete") + "    a: {EventID: 26}\n    condition: a\n",
        [
            ":5:9: SC122 event id 26 is Sysmon's file_delete_detected, not file_delete (file_delete is 23"
            " (Sysmon) or 4656, 4660, 4663 (Security): change the category to file_delete_detected"
        ],
    ),
    "unknown modifier": (
        HEAD + "    selection: {Image|endwith: a}\n    condition: selection\n",
        [":5:17: SC102 unknown modifier 'endwith' (did you mean 'endswith'?)"],
    ),
    "undefined selection": (
        HEAD + "    selection: {Image: a}\n    condition: selektion\n",
        [":6:5: SC105 Detection 'selektion' not defined in detections (did you mean 'selection'?)"],
    ),
    "a pattern that no selection has": (
        HEAD + "    selection: {Image: a}\n    condition: selection and not 1 of filter_*\n",
        [":6:5: SC105 no selection matches '1 of filter_*' ("],
    ),
    "them without names beginning with an underscore": (
        HEAD + "    _selection: {Image: a}\n    condition: 1 of them\n",
        [":6:5: SC105 no selection matches '1 of them' ("],
    ),
    "them in the second of two conditions": (
        HEAD + "    selection: {Image: a}\n    condition:\n        - selection\n        - all of x_*\n",
        [":6:5: SC105 no selection matches 'all of x_*' ("],
    ),
    "no logsource": (
        "title: x\nid: 11111111-1111-4111-8111-111111111111\ndetection:\n" + SELECTION,
        [":1:1: SC103 'logsource' needs a category, a product or a service (add it"],
    ),
    "a log source that is text: said once": (
        GOOD.replace("{category: process_creation, product: windows}", "windows"),
        [":3:1: SC103 'logsource' needs a category, a product or a service ("],
    ),
    "a filter's undefined selection": (
        FILTER + "    rules: any\n    a: {A: b}\n    condition: not b\n",
        [":6:5: SC105 Detection 'b' not defined in detections (name selections"],
    ),
    "a filter's unknown modifier": (
        FILTER + "    rules: any\n    a: {A|cotains: b}\n    condition: a\n",
        [":5:9: SC102 unknown modifier 'cotains' (did you mean 'contains'?)"],
    ),
    "a correlation's missing rule": (
        CORRELATION,
        [":5:13: SC111 no rule has the name or id '11111111-1111-4111-8111-111111111111' ("],
    ),
    "two rules of one id": (GOOD + "---\n" + GOOD.replace("title: Rule", "title: Other"), [":9:1: SC110 id"]),
    # SC120: keys.
    "a misspelt key": (
        "stauts: test\n" + GOOD,
        [":1:1: SC120 unknown key 'stauts' (did you mean 'status'?)"],
    ),
    "a key of one's own": ("regression_tests_path: x\nsimulation: []\n" + GOOD, []),
    "a key of the log source at the top": (
        "category: process_creation\n" + GOOD,
        [":1:1: SC120 'category' has no effect here (indent it as a key of 'logsource')"],
    ),
    "condition both inside and outside": (
        GOOD + "condition: selection\n",
        [":7:1: SC120 'condition' has no effect here (indent it as a key of 'detection')"],
    ),
    "a misspelt key of the log source": (
        GOOD.replace("{category", "{catgory: x, category"),
        [":3:13: SC120 unknown key 'catgory' in 'logsource' (did you mean 'category'?)"],
    ),
    "an unknown key of a correlation": (
        CORRELATION + "    window: 5m\n---\n" + GOOD,
        [":9:5: SC120 unknown key 'window' in 'correlation' ('correlation' takes type, rules,"],
    ),
    "the other spelling of group-by": (CORRELATION.replace("group-by", "group_by") + "---\n" + GOOD, []),
    "a correlation's key at the top": (
        CORRELATION + "timespan: 5m\n---\n" + GOOD,
        [":9:1: SC120 'timespan' has no effect here (indent it as a key of 'correlation')"],
    ),
    # SC126: log sources.
    "a misspelt category": (
        GOOD.replace("process_creation", "process_creaton"),
        [":3:13: SC126 no log has the category 'process_creaton' (did you mean 'process_creation'?)"],
    ),
    "a misspelt service": (
        GOOD.replace("category: process_creation", "service: securty"),
        [":3:13: SC126 no log has the service 'securty' (did you mean 'security'?)"],
    ),
    "a category of one's own, and another product's": (
        GOOD.replace("process_creation", "badge_reader")
        + "---\n"
        + GOOD.replace("process_creation", "process_creat")
        .replace("windows", "ours")
        .replace("1111", "2222")
        .replace("title: Rule", "title: Another"),
        [],
    ),
    # SC121: selections.
    "an unused selection": (
        HEAD + "    selection: {Image: a}\n    other: {Image: b}\n    condition: selection\n",
        [":6:5: SC121 no condition refers to the selection 'other' (name it in the condition, or remove it)"],
    ),
    "used by a pattern": (
        HEAD + "    sel_a: {Image: a}\n    sel_b: {Image: b}\n    condition: 1 of sel_*\n",
        [],
    ),
    "used by them, but for names beginning with an underscore": (
        HEAD + "    a: {Image: a}\n    b: {Image: b}\n    _c: {Image: c}\n    condition: 1 of them\n",
        [":7:5: SC121 no condition refers to the selection '_c'"],
    ),
    "a name that begins with an operator": (
        HEAD + "    selection: {Image: a}\n    not_this: {Image: b}\n    condition: selection\n",
        [":6:5: SC121 no condition refers to the selection 'not_this'"],
    ),
    "unused in a filter": (
        FILTER + "    rules: any\n    a: {A: b}\n    b: {A: c}\n    condition: not a\n",
        [":6:5: SC121 no condition refers to the selection 'b'"],
    ),
    # SC122: event ids.
    "Sysmon's process access is no process creation": (
        HEAD + "    selection: {EventID: 10, TargetImage: a}\n    condition: selection\n",
        [
            ":5:17: SC122 event id 10 is Sysmon's process_access, not process_creation "
            "(process_creation is 1 (Sysmon) or 4688 (Security): "
            "change the category to process_access, or remove the event id)"
        ],
    ),
    "in a list, as text, in a list of maps": (
        HEAD + "    selection:\n        - EventID: [1, 4688, '13']\n        - EventCode: 7045\n"
        "    condition: selection\n",
        [
            ":6:30: SC122 event id 13 is Sysmon's registry_set, not process_creation (",
            ":6:30: SC134 the number 13 is written as text (",
            ":7:11: SC122 event id 7045 is not of process_creation (",
        ],
    ),
    "a rule of a service names any event id": (
        HEAD.replace("category: process_creation, ", "service: system, ")
        + "    selection: {EventID: 7045}\n    condition: selection\n",
        [],
    ),
    "a category of another product": (
        HEAD.replace("windows", "rpc_firewall") + "    selection: {EventID: 3}\n    condition: selection\n",
        [],
    ),
    "in a filter": (
        FILTER.replace("category: c", "category: process_creation")
        + "    rules: any\n    a: {EventID: 3}\n    condition: not a\n",
        [":5:9: SC122 event id 3 is Sysmon's network_connection, not process_creation ("],
    ),
    "a category of three event ids": (
        HEAD.replace("process_creation", "registry_event")
        + "    selection: {EventID: [12, 13, 14]}\n    condition: selection\n",
        [],
    ),
    # SC123: the schema.
    "a level that is none": (
        "level: hgih\n" + GOOD,
        [":1:1: SC113 'hgih' is not a valid Sigma rule level (did you mean 'high'?)"],
    ),
    "a status like no other": (
        "status: wip\n" + GOOD,
        [":1:1: SC113 'wip' is not a valid Sigma rule status (write stable, test, experimental, deprecated"],
    ),
    "dates": (
        "date: 2026/01/31\nmodified: 2026-01-31\n" + GOOD,
        [":1:1: SC123 'date' cannot be '2026/01/31' (write the date as YYYY-MM-DD)"],
    ),
    "tags": (
        "tags:\n    - attack.t1059\n    - Attack.Execution\n    - attack.t1059\n" + GOOD,
        [
            ":1:1: SC123 'tags' holds 'attack.t1059' twice (remove one of them)",
            ":3:7: SC123 item 2 of 'tags' cannot be 'Attack.Execution' (write lower-case words,",
        ],
    ),
    "a list of false positives, one too short": (
        "falsepositives: [x, unknown]\n" + GOOD,
        [":1:18: SC123 item 1 of 'falsepositives' is too short ("],
    ),
    "a relation": (
        "related:\n    - {id: 33333333-3333-4333-8333-333333333333, type: derived}\n" + GOOD,
        [],
    ),
    "an author who is a list": (
        CORRELATION + "author: [a, b]\n---\n" + GOOD,
        [":9:1: SC123 'author' is a list and should be text (write text; names of several people"],
    ),
    "a flag that is a number": (
        CORRELATION + "    generate: 1\n---\n" + GOOD,
        [":9:5: SC123 'generate' of 'correlation' is a number and should be true or false (write true or"],
    ),
    "generate at the top, where the specification has it": (CORRELATION + "generate: true\n---\n" + GOOD, []),
    "a correlation's fields twice": (
        CORRELATION.replace("[User]", "[User, User]") + "---\n" + GOOD,
        [":6:5: SC123 'group-by' of 'correlation' holds 'User' twice (remove one of them)"],
    ),
    "extensions: a percentile, neq, a fraction, no group-by": (
        CORRELATION.replace("event_count", "value_median")
        .replace("    group-by: [User]\n", "")
        .replace("{gte: 5}", "{field: Size, gte: 0.5, neq: 7}")
        + "---\n"
        + GOOD,
        [],
    ),
    "extensions: a condition of a correlation as text": (
        CORRELATION.replace("event_count", "temporal")
        .replace("[11111111-1111-4111-8111-111111111111]", "[a_rule, 11111111-1111-4111-8111-111111111111]")
        .replace("{gte: 5}", "a_rule and not 11111111-1111-4111-8111-111111111111")
        + "---\n"
        + GOOD
        + "---\n"
        + GOOD.replace("title: Rule\nid: 1", "title: Other\nname: a_rule\nid: 4"),
        [],
    ),
    # SC124, SC125.
    "a filter of a rule that is not there": (
        FILTER + "    rules: [nothing]\n    a: {A: b}\n    condition: a\n",
        [":4:13: SC124 no rule has the name or id 'nothing' ("],
    ),
    "timeframe": (
        HEAD + "    timeframe: 5m\n" + SELECTION,
        [":5:5: SC125 'timeframe' has no effect (write a correlation with a timespan)"],
    ),
    # SC13x: pySigma's validators.
    "no id": (
        GOOD.replace("id: 11111111-1111-4111-8111-111111111111\n", ""),
        [":1:1: SC130 the rule has no id (add a UUID as 'id')"],
    ),
    "two rules of one title": (
        GOOD + "---\n" + GOOD.replace("id: 1", "id: 3"),
        [":8:1: SC131 another rule has the title 'Rule' (the other one is in "],
    ),
    "Sysmon's own id for a category": (
        "title: x\nid: 11111111-1111-4111-8111-111111111111\nlogsource:\n    product: windows\n"
        "    service: sysmon\ndetection:\n    s: {EventID: 22}\n    condition: s\n",
        [":5:5: SC132 event id 22 of this log is the category dns_query (write 'category: dns_query' for"],
    ),
    "all without contains": (
        HEAD + "    selection: {Image|all: [a, b]}\n    condition: selection\n",
        [
            ":5:17: SC133 'all' without 'contains' asks one field to equal every value (add 'contains')",
        ],
    ),
    "all of regexes and of wildcards, windash with all": (
        HEAD + "    selection:\n        Image|re|all: [a, b]\n        CommandLine|all: ['*a*b*', 'c*d*']\n"
        "        ParentCommandLine|contains|windash|all: [' -a', ' -b']\n    condition: selection\n",
        [],
    ),
    "base64offset without contains, in a list of maps": (
        HEAD + "    selection:\n        - Image: a\n        - CommandLine|base64offset: xyz\n"
        "    condition: selection\n",
        [":7:11: SC133 'base64offset' without 'contains' finds the text nowhere (add 'contains')"],
    ),
    "a number as text, second of a list": (
        HEAD + "    selection:\n        ProcessId:\n            - 4\n            - '5'\n"
        "    condition: selection\n",
        [":8:15: SC134 the number 5 is written as text (remove the quotes if a number is meant)"],
    ),
    "a backslash inside double quotes": (
        HEAD + '    selection: {Image|endswith: "\\temp.exe"}\n    condition: selection\n',
        [":5:17: SC135 a value holds a control character (use single quotes, or a double backslash)"],
    ),
    "wildcards where a modifier says it": (
        HEAD + "    selection:\n        Image: '*\\a.exe'\n        CommandLine: 'x*'\n        User: '*y*'\n"
        "    condition: selection\n",
        [
            ":6:9: SC136 a wildcard at the start of every value (use the modifier 'endswith')",
            ":7:9: SC136 a wildcard at the end of every value (use the modifier 'startswith')",
            ":8:9: SC136 wildcards at both ends of every value (use the modifier 'contains')",
        ],
    ),
    "keywords, the second with two wildcards in a row": (
        HEAD + "    keywords:\n        - a\n        - b**c\n    condition: keywords\n",
        [":7:11: SC136 two wildcards in a row in 'b**c' (remove one of them)"],
    ),
    "tags of unknown namespaces and forms": (
        "tags:\n    - attack.t1059\n    - mitre.t1059\n    - tlp.blue\n    - cve.2021\n    - cve.2021-44228\n"
        + GOOD,
        [
            ":3:7: SC137 Sigma has no tag namespace 'mitre' (it has attack, car, cve, d3fend,",
            ":4:7: SC137 tag 'tlp.blue' is not of the form that its namespace has (see the Sigma tags",
            ":5:7: SC137 tag 'cve.2021' is not of the form",
        ],
    ),
    "them of one selection": (
        HEAD + "    selection: {Image: a}\n    condition: all of them\n",
        [":6:5: SC138 'them' is one selection (name it)"],
    ),
    "all of them": (
        HEAD + "    a: {Image: a}\n    b: {User: a}\n    condition: all of them\n",
        [":7:5: SC138 'all of them' changes its meaning with every selection added ("],
    ),
}

# A draft like the one of a hunting report, in which the rule of the registry and of LSASS was broken.
HUNTING_DRAFT = """\
title: PsExec Service Reads LSASS and Registers Itself
status: experimental
logsource:
    category: process_creation
    product: windows
detection:
    lsass_access:
        EventID: 10
        TargetImage|endswith: '\\lsass.exe'
        SourceImage|endswith: '\\PSEXESVC.exe'
    service_key:
        EventID: 13
        TargetObject|contains: '\\Services\\PSEXESVC'
condition: lsass_access and service_key
level: high
"""
