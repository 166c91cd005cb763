"""`[tool.sigconv]` of pyproject.toml, or sigconv.toml: found in the current folder or one above it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from converter.attack.table import VERSIONS
from converter.errors import UsageError
from converter.platforms import PLATFORMS
from converter.project import source_settings
from converter.project.ids import canonical
from converter.project.source_settings import CHECKED, LOGSOURCE, Settings

_KEYS = {
    *("rules", "tests", "output", "accept-refusals"),
    *("sources", "targets", "pipelines", "variants", "placeholders", "source", "export"),
}
_NONE = "none"
_EXPORT_KEYS = ("elastic-attack", "sentinel-nrt")
_ACCEPT_KEYS = {"rule", "source", "target", "code", "reason"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A refusal that someone has looked at: it does not make `build` fail."""

    rule: str
    """Rule id, name, or a pattern of its file below the rules root."""
    source: str = "*"
    target: str = "*"
    code: str = "*"
    reason: str = ""

    def covers(self, keys: tuple[str, ...], source: str, target: str, code: str) -> bool:
        """Tell whether this covers a refusal; ``keys`` are the rule's id, name and file."""
        return (
            any(fnmatchcase(key, canonical(self.rule)) for key in keys if key)
            and fnmatchcase(source, self.source)
            and fnmatchcase(target, self.target)
            and fnmatchcase(code, self.code)
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What ``[tool.sigconv.export]`` says about import files."""

    elastic_attack: str = ""
    """Version of MITRE ATT&CK of Elastic's rules: 19 for stacks from 9.5 on; empty: the format's own."""
    sentinel_nrt: bool = False
    """Whether Sentinel gets near-real-time rules where a query can be one."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a project sets once; options of the command line win over it."""

    rules: Path = Path("sigma")
    tests: Path = Path("tests/rules")
    output: Path = Path("output")
    accepted: tuple[Accepted, ...] = ()
    sources: tuple[str, ...] = ()
    """What -s is where it is not given; () is every default source."""
    targets: tuple[str, ...] = ()
    pipelines: tuple[Path, ...] = ()
    """The user's own pipelines, before those of the command line."""
    variants: tuple[str, ...] = ()
    """Options such as ``windowsevent``, for every cell that has one of that name."""
    placeholders: Mapping[str, list[str | int | float]] = field(default_factory=dict)
    settings: Mapping[tuple[str, str], Settings] = field(default_factory=dict)
    """(source, platform) -> what is said about it."""
    export: Wishes = Wishes()
    file: str = ""
    """The name of the file that it is from."""


def load(start: Path) -> Config:
    """Return the configuration of the project around ``start``; the defaults if there is none.

    Raises:
        UsageError: SC601 if the file is not valid, with the key that is wrong.
    """
    for folder in (start.absolute(), *start.absolute().parents):
        for name, keys in (("sigconv.toml", ()), ("pyproject.toml", ("tool", "sigconv"))):
            file = folder / name
            if not file.is_file():
                continue
            table = _table(file, keys)
            if table is not None:
                return _config(table, file)
    return Config()


def _table(file: Path, keys: tuple[str, ...]) -> Mapping[str, Any] | None:
    try:
        data: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UsageError("SC601", f"cannot be read: {problem.strerror}", file=file.name) from problem
    except UnicodeDecodeError as problem:
        raise UsageError("SC601", "is not UTF-8", file=file.name) from problem
    except tomllib.TOMLDecodeError as problem:
        raise UsageError("SC601", str(problem), file=file.name) from problem
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else None


def _config(table: Mapping[str, Any], file: Path) -> Config:
    unknown = set(table) - _KEYS
    if unknown:
        raise UsageError(
            "SC601", f"unknown key '{sorted(unknown)[0]}'", file=file.name, hint=", ".join(sorted(_KEYS))
        )
    accepted = []
    for entry in table.get("accept-refusals", []):
        wrong = sorted(set(entry) - _ACCEPT_KEYS) if isinstance(entry, dict) else []
        if wrong or not isinstance(entry, dict) or "rule" not in entry:
            said = f"has no key '{wrong[0]}'" if wrong else "has no 'rule'"
            keys = ", ".join(sorted(_ACCEPT_KEYS))
            raise UsageError("SC601", f"an entry of accept-refusals {said}", file=file.name, hint=keys)
        accepted.append(Accepted(**{key: str(value) for key, value in entry.items()}))
    # Also what is not said is beside the file: a command means the same in each folder of a project.
    folders = {key: table.get(key, getattr(Config(), key).as_posix()) for key in ("rules", "tests", "output")}
    if not all(isinstance(value, str) for value in folders.values()):
        raise UsageError("SC601", "rules, tests and output are paths", file=file.name)
    return Config(
        **{key: _near(file.parent / value) for key, value in folders.items()},
        accepted=tuple(accepted),
        sources=_texts(table, "sources", file),
        targets=_texts(table, "targets", file),
        pipelines=tuple(_near(file.parent / one) for one in _texts(table, "pipelines", file)),
        variants=_texts(table, "variants", file),
        placeholders=_placeholders(table.get("placeholders", {}), file),
        settings=_settings(table.get("source", {}), file),
        export=_wishes(table.get("export", {}), file),
        file=file.name,
    )


def _texts(table: Mapping[str, Any], key: str, file: Path) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise UsageError("SC601", f"'{key}' is a list of texts", file=file.name)
    return tuple(value)


def _placeholders(value: Any, file: Path) -> dict[str, list[str | int | float]]:
    if not isinstance(value, dict):
        raise UsageError("SC601", "'placeholders' is a table of names to values", file=file.name)
    lists = {name: one if isinstance(one, list) else [one] for name, one in value.items()}
    for name, values in lists.items():
        if not values or not all(isinstance(one, str | int | float) for one in values):
            raise UsageError("SC601", f"'placeholders.{name}' needs texts or numbers", file=file.name)
    return lists


def _settings(value: Any, file: Path) -> dict[tuple[str, str], Settings]:
    """Return what `[tool.sigconv.source.<source>.<platform>]` says."""
    found: dict[tuple[str, str], Settings] = {}
    tables = value.items() if isinstance(value, dict) else [("", None)]
    for source, platforms in tables:
        if not isinstance(platforms, dict):
            raise UsageError("SC601", "'source' is a table: source.<source>.<platform>", file=file.name)
        for platform, table in platforms.items():
            key = f"source.{source}.{platform}"
            if (source, platform) == (_NONE, LOGSOURCE):
                if table != CHECKED:
                    raise UsageError("SC601", f"'{key}' is '{CHECKED}', or is left out", file=file.name)
                continue
            if platform not in PLATFORMS:
                raise UsageError(
                    "SC601", f"'{key}' is unknown", file=file.name, hint=", ".join(sorted(PLATFORMS))
                )
            found[source, platform] = source_settings.read(table, platform, key, file.name)
        if source == _NONE and platforms.get(LOGSOURCE) == CHECKED:
            for platform in PLATFORMS:
                known = found.get((source, platform), Settings())
                found[source, platform] = replace(known, logsource=CHECKED)
    return found


def _wishes(value: Any, file: Path) -> Wishes:
    if not isinstance(value, dict):
        raise UsageError("SC601", "'export' is a table", file=file.name)
    if unknown := sorted(set(value) - set(_EXPORT_KEYS)):
        raise UsageError(
            "SC601", f"'export.{unknown[0]}' is unknown", file=file.name, hint=", ".join(_EXPORT_KEYS)
        )
    attack, near = value.get("elastic-attack", ""), value.get("sentinel-nrt", False)
    if attack not in ("", *VERSIONS):
        raise UsageError("SC601", f"'export.elastic-attack' is one of {', '.join(VERSIONS)}", file=file.name)
    if not isinstance(near, bool):
        raise UsageError("SC601", "'export.sentinel-nrt' is true or false", file=file.name)
    return Wishes(attack, near)


def _near(path: Path) -> Path:
    """Return the path relative to the current folder where it is below it: shorter in messages."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
