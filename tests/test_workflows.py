"""Workflows of this repository, of `sigconv init` and of docs/deploy.md: valid, and their commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import check_line
from tests.support import ROOT

WORKFLOWS = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    *sorted((ROOT / "converter" / "templates" / "github").glob("*.yml")),
]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def validated(schema: str, file: Path) -> None:
    """Check a file against a schema of schemastore.org, of which check-jsonschema carries a copy."""
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflow(file: Path) -> None:
    validated("github-workflows", file)
    workflow = yaml.safe_load(file.read_text())
    assert "contents" in workflow["permissions"]
    assert "write" not in [
        right for name, right in workflow["permissions"].items() if name != "security-events"
    ]
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"(actions|github)/[a-z/-]+@v\d+", step["uses"])
        for line in str(step.get("run", "")).splitlines():
            checked(line)


def checked(line: str) -> None:
    """See that a command of ours, with its options, exists."""
    words = shlex.split(line)
    if words[0] == "make":
        assert set(words[1:]) <= TARGETS
    elif words[0].endswith("sigconv"):
        check_line(re.sub(r"^\S*/", "", line.split(">")[0].strip()))
    elif words[:2] == ["python", "-m"]:
        assert find_spec(words[2]) is not None
    elif "/" in words[0]:
        assert (ROOT / words[0]).is_file()
    else:
        assert words[0] in ("pip", "head", "cat")


def test_nightly_takes_away_what_it_makes() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "nightly-export.yml").read_text())
    # YAML 1.1 reads the key `on` as true.
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    (upload,) = [step for step in steps(workflow) if "upload-artifact" in step.get("uses", "")]
    commands = "\n".join(str(step.get("run", "")) for step in steps(workflow))
    for path in upload["with"]["path"].split():
        assert path in commands
    assert "build --all --check --archive sigconv.tar.gz" in commands
    assert "$GITHUB_STEP_SUMMARY" in commands


def test_example_for_gitlab(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(# \.gitlab-ci\.yml\n.*?)```", DEPLOY, re.DOTALL)
    file = tmp_path / "gitlab-ci.yml"
    file.write_text(text)
    validated("gitlab-ci", file)
    job = yaml.safe_load(text)["sigma-nightly"]
    for line in job["script"]:
        checked(line)


def test_example_for_jenkins() -> None:
    (text,) = re.findall(r"```groovy\n(.*?)```", DEPLOY, re.DOTALL)
    lines = re.findall(r"sh '([^']+)'", text)
    assert any("build --all" in line for line in lines)
    for line in lines:
        checked(line)
    assert text.count("{") == text.count("}")
