"""`sigconv new` and `sigconv init`: what they write works at once, and nothing is overwritten."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from converter.cli import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_a_repository_from_nothing() -> None:
    run("init", "detections")
    assert sorted(path.as_posix() for path in Path("detections").rglob("*") if path.is_file()) == [
        "detections/.github/workflows/sigma.yml",
        "detections/.gitignore",
        "detections/.pre-commit-config.yaml",
        "detections/sigconv.toml",
        "detections/sigma/windows/execution/example.yml",
        "detections/tests/rules/windows/execution/example.yml",
    ]
    workflow = yaml.safe_load(Path("detections/.github/workflows/sigma.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["rules"]["steps"] if "run" in step]
    for command in commands[1:]:  # The first installs.
        name = command.split()[1]
        assert name in main.commands
        options = {o for p in main.commands[name].params for o in p.opts}
        assert {word for word in command.split() if word.startswith("--")} <= options


def test_what_init_writes_works(monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    assert run("test").stdout == "1 test file, 2 passed, 0 failed\n"
    run("check")
    run("build")
    run("build", "--check")


def test_init_leaves_what_exists() -> None:
    Path("sigconv.toml").write_text('rules = "mine"\n')
    result = run("init")
    assert Path("sigconv.toml").read_text() == 'rules = "mine"\n'
    assert "sigconv.toml exists and was left as it is" in result.stderr


@pytest.mark.parametrize(
    "name", ["windows/execution/mine", "sigma/windows/execution/mine.yml", "./sigma/windows/execution/mine"]
)
def test_paths(name: str) -> None:
    assert run("new", name).stdout.splitlines() == [
        "sigma/windows/execution/mine.yml",
        "tests/rules/windows/execution/mine.yml",
    ]


@pytest.mark.parametrize(
    ("category", "product"),
    [
        ("process_creation", "windows"),
        ("registry_set", "windows"),
        ("dns_query", "windows"),
        ("ps_script", "windows"),
        ("webserver", "apache"),
    ],
)
def test_tests_of_a_new_rule_pass(category: str, product: str) -> None:
    run("new", "mine", "--category", category, "--product", product, "--title", 'It\'s: "Ä" #1\nnew')
    document = yaml.safe_load(Path("sigma/mine.yml").read_text(encoding="utf-8"))
    assert document["title"] == 'It\'s: "Ä" #1\nnew'
    assert run("test").stdout == "1 test file, 2 passed, 0 failed\n"


def test_a_rule_of_a_service() -> None:
    run("new", "mine", "--service", "security")
    rule, tests = (
        yaml.safe_load(Path(f"{folder}/mine.yml").read_text()) for folder in ("sigma", "tests/rules")
    )
    assert rule["logsource"] == {"product": "windows", "service": "security"}
    assert tests["events"]["example"]["Channel"] == "Security"
    assert run("test").stdout == "1 test file, 2 passed, 0 failed\n"
    run("build", "-s", "windows-security")


def test_a_misspelt_category_is_pointed_out() -> None:
    result = run("new", "mine", "--category", "process_creaton")
    assert result.stderr == "no log has the category 'process_creaton': did you mean 'process_creation'?\n"
    assert run("new", "other", "--category", "webserver", "--product", "apache").stderr == ""


def test_backslashes_stand_in_single_quotes() -> None:
    run("new", "mine")
    assert "Image|endswith: '\\example.exe'" in Path("sigma/mine.yml").read_text()


_PUBLISHED = "https://github.com/sigconv/sigconv", "v0.1.0", True


@pytest.mark.parametrize(
    ("said", "address", "revision", "asked"),
    [
        (None, *_PUBLISHED),
        ({"url": "file:///x", "dir_info": {"editable": True}}, *_PUBLISHED),
        (
            {"url": "https://git.example/s", "vcs_info": {"requested_revision": "v2", "commit_id": "a1"}},
            *("https://git.example/s", "v2", False),
        ),
        (
            {"url": "https://git.example/s", "vcs_info": {"commit_id": "a1"}},
            *("https://git.example/s", "a1", False),
        ),
    ],
)
def test_ci_installs_from_where_this_was_installed(
    said: object, address: str, revision: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(said) if said else None
    monkeypatch.setattr(metadata.PathDistribution, "read_text", lambda self, name: text)
    result = run("init")
    assert ("is it there?" in result.stderr) == asked
    hooks = yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"][0]
    assert (hooks["repo"], hooks["rev"]) == (address, revision)
    workflow = Path(".github/workflows/sigma.yml").read_text()
    assert f'pip install "sigconv[verify] @ git+{address}@{revision}"' in workflow


@pytest.mark.parametrize("name", ["../outside", "/elsewhere/x.yml", "sigma/../../x"])
def test_only_below_the_rules_folder(name: str) -> None:
    result = run("new", name, code=2)
    assert result.stderr == f"{name}: SC611 is not below the rules folder sigma/\n"


@pytest.mark.parametrize("there", ["sigma/mine.yml", "tests/rules/mine.yml"])
def test_nothing_is_overwritten(there: str) -> None:
    Path(there).parent.mkdir(parents=True)
    Path(there).write_text("mine")
    assert run("new", "mine", code=2).stderr == f"{there}: SC612 exists already\n"
    assert [path.as_posix() for path in Path().rglob("*.yml")] == [there]
