"""JUnit XML, which CI systems show as test results (the form that Jenkins, GitLab and GitHub read)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

# XML 1.0 has no way to write these, not even as references (production 2, "Char").
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One result."""

    suite: str
    """What it is about: a rule's file, with its cell."""
    name: str
    failure: str | None = None
    """What is wrong, or None."""
    skipped: str | None = None
    """Why it was not tried, or None."""
    file: str | None = None
    line: int | None = None


def text(cases: Iterable[Case], name: str) -> str:
    """Return a JUnit report: a suite for each ``Case.suite``, in order, without a clock.

    Args:
        cases: the results.
        name: of the whole, such as ``sigconv test``.
    """
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    every = [case for members in suites.values() for case in members]
    root = ElementTree.Element("testsuites", {"name": name, **_counts(every)})
    for suite, members in suites.items():
        node = ElementTree.SubElement(root, "testsuite", {"name": _clean(suite), **_counts(members)})
        for case in members:
            about = {"classname": _clean(suite), "name": _clean(case.name), "time": "0"}
            about |= {"file": case.file} if case.file else {}
            about |= {"line": str(case.line)} if case.line else {}
            one = ElementTree.SubElement(node, "testcase", about)
            if case.failure is not None:
                message = _clean(case.failure)
                ElementTree.SubElement(one, "failure", message=message.splitlines()[0]).text = message
            elif case.skipped is not None:
                ElementTree.SubElement(one, "skipped", message=_clean(case.skipped))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(cases: list[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.failure is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.skipped is not None for case in cases)),
    }


def _clean(value: str) -> str:
    return _NO_XML.sub("\ufffd", value) or " "
