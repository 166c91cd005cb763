"""Run a language's own tests on the mutants that no pinned text noticed.

``python -m tests.proof.mutate_tests FILE -o FILE [--slow]``: the first file is what `tests.proof.mutate`
wrote. Each mutant that it calls ``same`` or ``changes`` is imported by a process forked from one that has
pytest and the engines loaded, which runs the tests of texts and types (``--slow``: those over streams and of
limits, too) and ends at the first failure.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.proof.mutants import apply
from tests.proof.mutate import FOLDER, MEMORY, Changed, dotted, forget, say
from tests.support import ROOT

_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
LIMIT_S = 240
"""Of processor time; longer counts as noticed."""
QUICK = {
    "eql": ["test_eql_text"],
    "lucene": ["test_lucene_text", "test_regex", "test_lucene_types"],
    "kql": ["test_defects", "test_keywords"],
    "spl": ["test_queries"],
}
SLOW = {
    "eql": ["test_eql_limits", "test_eql_correlation", "test_eql_properties"],
    "lucene": ["test_lucene_limits", "test_lucene_correlation", "test_lucene_values"],
    "kql": ["test_values", "test_correlation", "test_stages"],
    "spl": ["test_clashes", "test_begins", "test_values", "test_streams"],
}


class _First:
    """Remembers the first test that fails."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


def files(where: str, table: dict[str, list[str]]) -> list[str]:
    """Return the tests of a module's language; of a shared module those of both languages of Elastic."""
    language = where.partition("/")[0]
    chosen = [language] if language in table else ["lucene", "eql"]
    if where == "numbers.py" or where == "regex_syntax.py":
        chosen = list(table)
    return [f"tests/backends/{one}/{name}.py" for one in chosen for name in table[one]]


def attempt(mutant: dict[str, Any], names: Sequence[str]) -> str:
    """Return the first test that fails, or "" if none does."""
    path = FOLDER / mutant["file"]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        first, status = _First(), ""
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S + 5))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            sys.stdout = sys.stderr = io.StringIO()
            code = apply(path.read_text(encoding="utf-8"), mutant["node"], mutant["kind"])
            forget()
            name = dotted(path)
            compiled = compile(code, str(path), "exec")
            if name in sys.modules:
                exec(compiled, sys.modules[name].__dict__)
            else:
                sys.meta_path.insert(0, Changed(name, path, compiled))
            done = pytest.main(
                ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *_QUIET, *names], plugins=[first]
            )
            status = first.name or ("" if int(done) == 0 else f"pytest ends with {int(done)}")
        except BaseException as error:
            status = f"error {type(error).__name__}"
        os.write(writing, status.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    _, ended = os.waitpid(pid, 0)
    return f"ended by {signal.Signals(os.WTERMSIG(ended)).name}" if os.WIFSIGNALED(ended) else text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests; return 1 if a mutant remains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--state", choices=["same", "changes"], help="only these")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    for name in ("converter.engines.eql", "converter.engines.kql", "converter.engines.lucene", "hypothesis"):
        importlib.import_module(name)
    table = {one: QUICK[one] + (SLOW[one] if given.slow else []) for one in QUICK}
    counts: Counter[str] = Counter()
    todo = [json.loads(line) for line in given.file.read_text(encoding="utf-8").split("\n") if line]
    todo = [
        one for one in todo if one["state"] == given.state or (not given.state and one["state"] != "noticed")
    ]
    with given.output.open("w", encoding="utf-8") as file:
        for number, mutant in enumerate(todo):
            started = time.monotonic()
            test = attempt(mutant, files(mutant["file"], table))
            seconds = round(time.monotonic() - started, 1)
            found = {**mutant, "test": test, "seconds": seconds}
            if test:
                found["state"] = "noticed"
            counts[found["state"]] += 1
            print(json.dumps(found, ensure_ascii=False), file=file, flush=True)
            if number % 50 == 0:
                say(f"{number} of {len(todo)}: {dict(counts)}")
    say(f"{given.file}: {dict(counts)}")
    return int(counts["noticed"] < len(todo))


if __name__ == "__main__":
    sys.exit(main())
