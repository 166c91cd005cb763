"""A small project that has every kind of rule file, and edits of it: the table of `test_edits`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

RULE = """\
title: {title}
id: 00000000-0000-4000-8000-{number:012d}
name: {name}
status: {status}
level: {level}
tags: [attack.t1021.002]
logsource: {{category: process_creation, product: windows}}
detection:
    selection: {{Image|endswith: '\\{name}.exe', {field}: '{value}'}}
    condition: selection
"""
CORRELATION = """\
title: {name}
name: {name}
level: high
correlation:
    type: event_count
    rules: [{rules}]
    group-by: [Computer]
    timespan: 5m
    condition: {{gte: 5}}
"""
FILTER = """\
title: {name}
name: {name}
logsource: {{category: process_creation, product: windows}}
filter:
    rules: {rules}
    selection: {{User|contains: svc_{name}}}
    condition: not selection
"""
PIPELINE = """\
name: own
priority: 30
transformations:
    - id: own
      type: add_condition
      conditions: {User: mine}
      rule_conditions: [{type: logsource, category: process_creation, product: windows}]
"""
CONFIGURATION = """\
pipelines = ["own.yml"]

[[accept-refusals]]
rule = "accepted"
code = "SC204"
reason = "a test"
"""
PLACEHOLDERS = "admins: [root, admin]\n"
_numbers = iter(range(1, 10_000))


def rule(name: str, level: str = "high", field: str = "CommandLine|contains", value: str = "value") -> str:
    """Return a rule with an id that no other has."""
    return RULE.format(
        title=f"Rule {name}",
        number=next(_numbers),
        name=name,
        level=level,
        status="test" if level == "high" else "stable",
        field=field,
        value=value,
    )


def correlation(name: str, *rules: str, generate: bool = False) -> str:
    """Return a correlation of the rules."""
    text = CORRELATION.format(name=name, rules=", ".join(rules))
    return text.replace("    timespan", "    generate: true\n    timespan") if generate else text


def filter_of(name: str, rules: str) -> str:
    """Return a filter of the rules, as YAML has them: a list, or any."""
    return FILTER.format(name=name, rules=rules)


def together(*documents: str) -> str:
    """Return a file of several documents."""
    return "---\n".join(documents)


A, B, TWO, BASE, MANY, SEEN, FILTERED, FILTERS = (
    f"sigma/windows/{name}.yml" for name in ("a", "b", "two", "base", "many", "seen", "filtered", "filter")
)
PROJECT = {
    A: rule("a"),
    B: rule("b", "low"),
    "sigma/windows/deep/c.yml": rule("c", "medium"),
    TWO: together(rule("two_first"), rule("two_second", "low")),
    "sigma/windows/one_of_both.yml": together(rule("inner"), correlation("outer", "inner")),
    BASE: rule("base"),
    MANY: correlation("many", "base"),
    "sigma/windows/first.yml": rule("first"),
    SEEN: correlation("seen", "first", generate=True),
    FILTERED: rule("filtered"),
    FILTERS: filter_of("filter", "[filtered]"),
    "sigma/windows/values.yml": rule("values", field="User|expand", value="%admins%"),
    "sigma/linux/refused.yml": rule("refused", field="NoSuchField|contains"),
    "sigma/linux/accepted.yml": rule("accepted", field="NoSuchField|contains"),
    "sigconv.toml": CONFIGURATION,
    "own.yml": PIPELINE,
    "values.yml": PLACEHOLDERS,
}
"""Path -> text."""
Edit = Callable[[Path], object]


def sub(path: str, *pairs: tuple[str, str]) -> Edit:
    """Return an edit that puts a text in the place of another one."""

    def edit(project: Path) -> None:
        text = (project / path).read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        (project / path).write_text(text)

    return edit


def put(path: str, text: str) -> Edit:
    """Return an edit that writes a file."""

    def edit(project: Path) -> None:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)

    return edit


def append(path: str, text: str) -> Edit:
    """Return an edit that adds a document to a file."""
    return lambda project: (project / path).write_text((project / path).read_text() + "---\n" + text)


def remove(path: str) -> Edit:
    """Return an edit that removes a file."""
    return lambda project: (project / path).unlink()


def rename(path: str, to: str) -> Edit:
    """Return an edit that gives a file another name."""

    def edit(project: Path) -> None:
        (project / to).parent.mkdir(parents=True, exist_ok=True)
        (project / path).rename(project / to)

    return edit


def both(*edits: Edit) -> Edit:
    """Return an edit that makes several."""
    return lambda project: [edit(project) for edit in edits]


def _id(path: str) -> str:
    return next(line for line in PROJECT[path].splitlines() if line.startswith("id: "))


def _spoil(project: Path) -> None:
    (project / "output/spl/sysmon/windows/b.spl").write_text("spoiled")


_ODD = 'title: "\\u00fc \\"q\\" \\\\ {} [x]: \\"file\\": \\"a\\", \\U0001F600 '
EDITS: dict[str, Edit] = {
    # A rule alone in its file, which nothing else is about.
    "nothing": lambda _: None,
    "comment": sub(A, ("title: ", "# why\ntitle: ")),
    "comment of a refused rule": sub("sigma/linux/refused.yml", ("title: ", "# why\ntitle: ")),
    "title": sub(A, ("title: ", "title: Other ")),
    "odd title": sub(A, ("title: ", f'{_ODD}"\nfalsepositives: [x]\nx: ')),
    "longest title": sub(A, ("title: ", f"title: {'long ' * 30}")),
    "value": sub(A, ("'value'", "'another'")),
    "condition": sub(A, ("condition: selection", "condition: not selection")),
    "layout": sub(A, ("level: high", "level:   high")),
    "level": sub(A, ("level: high", "level: low")),
    "id": sub(A, ("id: 0", "id: 1")),
    "name": sub(A, ("name: a", "name: other")),
    "no id": sub(A, (_id(A) + "\n", "")),
    "now refused": sub(A, ("CommandLine|contains", "NoSuchField|contains")),
    "log source that no pipeline has": sub(A, ("product: windows", "product: linux")),
    "no longer refused": sub("sigma/linux/refused.yml", ("NoSuchField", "CommandLine")),
    "no longer accepted": sub("sigma/linux/accepted.yml", ("name: accepted", "name: refused_too")),
    "three rules": both(sub(A, ("'value'", "'x'")), sub(B, ("'value'", "'y'")), sub(TWO, ("'value'", "'z'"))),
    # Files.
    "new": put("sigma/windows/new.yml", rule("new")),
    "new in a new folder": put("sigma/macos/new.yml", rule("new")),
    "removed": remove(A),
    "renamed": rename(A, "sigma/windows/z.yml"),
    "moved": rename(A, "sigma/macos/a.yml"),
    "two exchanged": both(put(A, PROJECT[B]), put(B, PROJECT[A])),
    "first and last of all": both(
        put("sigma/a_first.yml", rule("a_first")), put("sigma/z_last.yml", rule("z_last"))
    ),
    "hidden": rename(A, "sigma/windows/.a.yml"),
    # Several documents in a file.
    "second document": append(A, rule("a_second")),
    "filter as second document": append(A, filter_of("any_of_all", "any")),
    "one of two changed": sub(TWO, ("Rule two_first", "Other")),
    "one of two removed": put(TWO, PROJECT[TWO].split("---\n")[0]),
    "one of two renamed": sub(TWO, ("name: two_first", "name: two_third")),
    # Correlations.
    "correlation": sub(MANY, ("gte: 5", "gte: 6")),
    "base rule": sub(BASE, ("'value'", "'another'")),
    "base rule of its own too": sub("sigma/windows/first.yml", ("'value'", "'another'")),
    "base rule of one file": sub("sigma/windows/one_of_both.yml", ("'value'", "'another'")),
    "now referred to": put("sigma/windows/refers.yml", correlation("refers", "a")),
    "no longer referred to": remove(MANY),
    "reference to another": sub(MANY, ("rules: [base]", "rules: [a]")),
    "reference to one more": sub(MANY, ("rules: [base]", "rules: [base, a]")),
    "generate": sub(MANY, ("    timespan", "    generate: true\n    timespan")),
    "no longer generate": sub(SEEN, ("generate: true", "generate: false")),
    "correlation of a correlation": put("sigma/windows/above.yml", correlation("above", "many")),
    "correlation in the place of a rule": put(A, correlation("a", "b")),
    "rule in the place of a correlation": put(MANY, rule("many")),
    "name of the base rule given to another": both(
        sub(BASE, ("name: base", "name: old_base")), sub(A, ("name: a", "name: base"))
    ),
    # Filters.
    "new filter": put("sigma/f.yml", filter_of("f", "any")),
    "new filter of one rule": put("sigma/f.yml", filter_of("f", "[a]")),
    "filter": sub(FILTERS, ("svc_filter", "svc_other")),
    "filter of other rules": sub(FILTERS, ("[filtered]", "[a, base]")),
    "filter of another log source": sub(FILTERS, ("product: windows", "product: linux")),
    "filter removed": remove(FILTERS),
    "filtered rule": sub(FILTERED, ("'value'", "'another'")),
    "filtered rule of another name": sub(FILTERED, ("name: filtered", "name: other")),
    # What a build reads beside rules.
    "configuration": sub("sigconv.toml", ('rule = "accepted"', 'rule = "refused"')),
    "settings": put(
        "sigconv.toml", CONFIGURATION + '[source.sysmon.elastic]\nindex = {"*" = "logs-own-*"}\n'
    ),
    "pipeline": sub("own.yml", ("User: mine", "User: yours")),
    "no pipeline": sub("sigconv.toml", ('pipelines = ["own.yml"]\n', "")),
    "placeholders": put("values.yml", "admins: [root]\n"),
    # The output folder.
    "query changed": _spoil,
    "query changed and another rule": both(_spoil, sub(A, ("title: ", "title: Other "))),
    "query removed": remove("output/spl/sysmon/windows/b.spl"),
    "manifest removed": remove("output/manifest.json"),
    "manifest changed": both(sub("output/manifest.json", ("Rule a", "A")), sub(A, ("title: ", "title: O "))),
    "manifest no JSON": both(put("output/manifest.json", "{"), sub(B, ("title: ", "title: O "))),
    "killed while it wrote": both(put("output/.sigconv-1-1.tmp", "x"), sub(A, ("title: ", "title: Other "))),
}
"""Edits after which the output folder is that of a build from nothing."""
BROKEN: dict[str, Edit] = {
    "no YAML": put(A, "title: ["),
    "no rule": put(A, "just text\n"),
    "empty file": put(A, ""),
    "no condition": sub(A, ("    condition: selection\n", "")),
    "selection that is none": sub(A, ("condition: selection", "condition: other")),
    "one of two": sub(TWO, ("condition: selection\n---", "condition: other\n---")),
    "base rule": sub(BASE, ("condition: selection", "condition: other")),
    "correlation": sub(MANY, ("type: event_count", "type: event_counts")),
    "correlation that is no YAML": sub(MANY, ("title: many", "title: [")),
    "correlation in a circle": sub(MANY, ("rules: [base]", "rules: [many]")),
    "base rule removed": remove(BASE),
    "base rule of another name": sub(BASE, ("name: base", "name: other")),
    "filter": sub(FILTERS, ("    condition: not selection\n", "")),
    "filter that is no YAML": sub(FILTERS, ("title: filter", "title: [")),
    "new with the queries' files of another": put("sigma/windows/a.yaml", rule("a_again")),
    "copy": put("sigma/windows/copy.yml", PROJECT[A]),
    "id of another": sub(A, (_id(A), _id(B))),
    "name of another": sub(A, ("name: a", "name: b")),
    "and another changed": both(put(A, "title: ["), sub(B, ("title: ", "title: Other "))),
    "and another removed": both(put(A, "title: ["), remove(B)),
}
"""Edits that break a rule: what it gave before stays."""
