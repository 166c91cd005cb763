"""Which pipelines stock pySigma (and so `sigma convert -p`) loads, and that docs/pipelines.md says so."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml
from sigma.processing.transformations import transformations

from converter.pipelines.transformations import catalogue as own
from tests.support import ROOT

PIPELINES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "pipelines").glob("*/*.yml")
    if path.stem.split("-")[0] in ("elastic", "splunk", "kusto") and not path.name.endswith(".columns.yml")
)
_LOAD = """
import json, sys
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
found = {}
for path in sys.argv[1:]:
    try:
        ProcessingPipeline.from_yaml(open(path, encoding="utf-8").read())
        found[path] = ""
    except SigmaError as problem:
        found[path] = str(problem)
assert "converter" not in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def stock():
    """What a fresh interpreter without our package makes of each pipeline."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _LOAD, *PIPELINES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def documented():
    text = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    return text, dict(re.findall(r"^\| `(pipelines/[^`]+)` \| (yes|no)\b", text, re.MULTILINE))


def test_the_documentation_says_which_load(stock):
    assert documented()[1] == {path: "no" if error else "yes" for path, error in stock.items()}


def test_those_that_do_not_load_use_a_transformation_of_ours(stock):
    for path, error in stock.items():
        types = {item["type"] for item in yaml.safe_load((ROOT / path).read_text())["transformations"]}
        assert bool(error) == bool(types & set(own.TYPES)), path


def test_every_transformation_of_ours_is_registered_and_documented():
    text = documented()[0]
    section = text.split("## Transformations of our own", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(own.TYPES)
    own.register()
    for name, kind in own.TYPES.items():
        assert transformations[name] is kind


def test_each_is_used():
    used = {
        item["type"]
        for path in PIPELINES
        for item in yaml.safe_load((ROOT / path).read_text())["transformations"]
    }
    # Splunk's and Kusto's columns read such properties by themselves; pipelines of users may need it.
    assert set(own.TYPES) - {"json_text"} <= used


def test_stock_pysigma_converts_with_the_windows_security_pipelines(stock):
    """Not only loads: the stock Splunk backend gives the same terms as ours."""
    code = """
import sys
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.processing.pipeline import ProcessingPipeline
file = "pipelines/windows-security/splunk.yml"
pipeline = ProcessingPipeline.from_yaml(open(file, encoding="utf-8").read())
rule = SigmaCollection.from_yaml('''
title: t
logsource: {category: process_creation, product: windows}
detection: {sel: {Image|endswith: '\\\\\\\\a.exe'}, condition: sel}
''')
print(SplunkBackend(pipeline).convert(rule)[0])
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        'source="XmlWinEventLog:Security" EventCode=4688 NewProcessName="*\\\\a.exe"'
    )
