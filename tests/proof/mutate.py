"""Mutate the backends and see that a test notices: every mutant of a language, or of the shared modules.

``python -m tests.proof.mutate LANGUAGE|shared -o FILE [--module NAME ...] [--known FILE]``. Each mutant
(of `mutants`) is a process of its own, forked from one that has everything but the backends loaded; it
imports them with the one change and converts what reaches the changed line:

1. what a test compares with a text: the table of the language, the shipped rules, the pinned correlations
   (`pinned`). The first difference ends it: the mutant is ``noticed``.
2. everything else there is to convert: what else `pinned` could have, the table under `not`, and the public
   rules in four sources (of those that execute the same lines one). A difference means that the mutant
   changes what is emitted: ``changes``, and a test is to be looked for (`tests.proof.mutate_tests` runs the
   language's own). None: ``same``.

FILE holds a line of JSON per mutant. docs/mutations.md tells what came out.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.abc
import importlib.machinery
import io
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from tests.proof.mutants import Mutant, apply, mutants, shown
from tests.proof.mutation_units import ALL_SOURCES, Unit, pinned_units, wide_units
from tests.support import ROOT

LANGUAGES = ("eql", "kql", "lucene", "spl")
PACKAGE = "converter.backends"
FOLDER = ROOT / "converter" / "backends"
PINNED_LIMIT_S = 8
WIDE_LIMIT_S = 120
"""Of processor time; a mutant that takes longer counts as noticed: it does not end."""
MEMORY = 6 * 2**30
WIDE = 100_000
WIDE_SHARED = 3_000
"""So many conversions are tried, at most, of those that no test compares: all of a language; for the shared
modules, which four languages use, evenly chosen ones."""


def modules(which: str) -> list[Path]:
    """Return the files of a language, or those that no language owns."""
    folder = FOLDER if which == "shared" else FOLDER / which
    return sorted(folder.glob("*.py"))


def forget() -> None:
    """Make the next import of a backend a new one."""
    package = sys.modules[PACKAGE]
    for name in [
        name for name in sys.modules if name.startswith(f"{PACKAGE}.") and name != f"{PACKAGE}.base"
    ]:
        del sys.modules[name]
        child = name.removeprefix(f"{PACKAGE}.")
        if "." not in child and hasattr(package, child):
            delattr(package, child)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module as it was changed."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        places = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        found = importlib.machinery.ModuleSpec(fullname, self, origin=str(self.path), is_package=bool(places))
        if places:
            found.submodule_search_locations = places
        return found

    def exec_module(self, module: Any) -> None:
        exec(self.code, module.__dict__)


def dotted(path: Path) -> str:
    """Return the module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def backend_for(language: str, **options: str) -> Any:
    """As the registry, looked up anew: it may be what is changed."""
    return sys.modules[PACKAGE].backend_for(language, **options)


def observe(unit: Unit) -> Any:
    """Return what a conversion gives; an error of the program is an outcome too."""
    try:
        return unit.outcome(backend_for)
    except RecursionError:
        return "refused", "SC203"
    except Exception as error:
        return "error", type(error).__name__


class Reach:
    """Which units execute which lines of the backends."""

    def __init__(self) -> None:
        self.units: dict[tuple[str, int], list[int]] = {}
        self.alike: set[frozenset[tuple[str, int]]] = set()
        self.kept: list[int] = []

    def trace(self, units: Sequence[Unit], done: Any) -> None:
        """Run every unit once and note the lines; caches must be off.

        Of public rules that execute the same lines one is kept; what `pinned` has is made for other values.
        """
        folder = str(FOLDER)
        lines: set[tuple[str, int]] = set()

        def local(frame: Any, event: str, argument: Any) -> Any:
            if event == "line":
                lines.add((frame.f_code.co_filename, frame.f_lineno))
            return local

        def begin(frame: Any, event: str, argument: Any) -> Any:
            if not frame.f_code.co_filename.startswith(folder):
                return None
            lines.add((frame.f_code.co_filename, frame.f_lineno))
            return local

        for number, unit in enumerate(units):
            lines.clear()
            sys.settrace(begin)
            try:
                done(number, observe(unit))
            finally:
                sys.settrace(None)
            if unit.name.startswith(("public/", "other/")):
                same = frozenset(lines)
                if same in self.alike:
                    continue
                self.alike.add(same)
            self.kept.append(number)
            for line in lines:
                self.units.setdefault(line, []).append(number)

    def of(self, path: Path, span: tuple[int, int]) -> list[int] | None:
        """Return the units that execute one of the lines; None if that is on import."""
        if span == (0, 0):
            return None
        found: set[int] = set()
        for line in range(span[0], span[1] + 1):
            found.update(self.units.get((str(path), line), ()))
        return sorted(found)


def uncached() -> None:
    """Switch the caches of functions off: what is in a cache is not executed again."""
    import functools

    functools.cache = lambda function: function  # type: ignore[assignment]
    functools.lru_cache = lambda *a, **k: a[0] if a and callable(a[0]) else lambda function: function  # type: ignore[assignment]


class Run:
    """The units of some languages, what they give without a mutant, and the mutants' processes."""

    def __init__(self, languages: Sequence[str], limit: int) -> None:
        self.limit = limit
        started = time.monotonic()
        self.units: list[Unit] = []
        for language in languages:
            self.units += pinned_units(language)
        self.pinned = len(self.units)
        for language in languages:
            self.units += wide_units(language, ALL_SOURCES if len(languages) == 1 else ("none",))
        more = len(self.units) - self.pinned
        say(f"{self.pinned} pinned and {more} wide units in {time.monotonic() - started:.0f} s")
        self.wanted: list[Any] = [None] * len(self.units)
        self.reach = Reach()
        self._trace()
        say(f"{len(self.reach.kept)} kept after {time.monotonic() - started:.0f} s")
        self.killers: Counter[int] = Counter()
        gc.collect()
        gc.freeze()

    def _trace(self) -> None:
        import functools

        kept = functools.cache, functools.lru_cache
        uncached()
        forget()

        def done(number: int, found: Any) -> None:
            self.wanted[number] = found

        self.reach.trace(self.units, done)
        functools.cache, functools.lru_cache = kept
        forget()

    def orders(self, path: Path, mutant: Mutant) -> tuple[list[int], list[int]]:
        """Return the units that can notice a mutant, pinned and wide, those first that noticed others."""
        found = self.reach.of(path, mutant.lines)
        every = self.reach.kept if found is None else found
        first = sorted((one for one in every if one < self.pinned), key=lambda one: -self.killers[one])
        wide = [one for one in every if one >= self.pinned]
        step = max(1, -(-len(wide) // self.limit))
        # A few of each part of the list first.
        return first, [one for begin in range(37) for one in wide[::step][begin::37]]

    def attempt(self, path: Path, source: str, mutant: Mutant) -> dict[str, Any]:
        """Try one mutant."""
        first, wide = self.orders(path, mutant)
        code, unit, seconds = self._child(path, source, mutant, first, PINNED_LIMIT_S)
        if code:
            if unit is not None:
                self.killers[unit] += 1
            name = self.units[unit].name if unit is not None else ""
            return {"state": "noticed", "how": code, "unit": name, "seconds": seconds}
        code, unit, more = self._child(path, source, mutant, wide, WIDE_LIMIT_S)
        state = {"": "same"}.get(code, "changes")
        name = self.units[unit].name if unit is not None else ""
        return {
            "state": state,
            "how": code,
            "unit": name,
            "reached": [len(first), len(wide)],
            "seconds": round(seconds + more, 2),
        }

    def _child(
        self, path: Path, source: str, mutant: Mutant, order: Iterable[int], limit: int
    ) -> tuple[str, int | None, float]:
        reading, writing = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            status = b""
            try:
                gc.disable()
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                sys.stdout = sys.stderr = io.StringIO()
                status = self._try(path, source, mutant, order)
            except BaseException as error:
                status = f"import {type(error).__name__}".encode()
            os.write(writing, status)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read().decode()
        _, ended = os.waitpid(pid, 0)
        seconds = round(time.monotonic() - started, 2)
        if os.WIFSIGNALED(ended):
            return f"ended by {signal.Signals(os.WTERMSIG(ended)).name}", None, seconds
        what, _, number = text.partition("\0")
        return what, int(number) if number else None, seconds

    def _try(self, path: Path, source: str, mutant: Mutant, order: Iterable[int]) -> bytes:
        code = compile(apply(source, mutant.node, mutant.kind), str(path), "exec")
        name = dotted(path)
        if name in (PACKAGE, f"{PACKAGE}.base"):
            exec(code, sys.modules[name].__dict__)
        else:
            sys.meta_path.insert(0, Changed(name, path, code))
        for number in order:
            found = observe(self.units[number])
            if found != self.wanted[number]:
                return f"{_difference(self.wanted[number], found)}\0{number}".encode()
        return b""


def _difference(wanted: Any, found: Any) -> str:
    if isinstance(found, tuple) and found and found[0] == "error":
        return f"error {found[1]}"
    before, after = (str(one[0]).partition(" ")[0] == "refused" for one in (wanted, found))
    if before != after:
        return "refusal"
    return "code" if before else "text"


def say(text: str) -> None:
    """Print to stderr."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants; return 1 if one changes what is emitted and no pinned text does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=[*LANGUAGES, "shared"])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--module", nargs="+", default=[""], help="only modules whose name has such a text")
    parser.add_argument("--wide", type=int, help="conversions that no test compares, at most")
    parser.add_argument("--known", type=Path, help="leave out the mutants that this file says were noticed")
    given = parser.parse_args(arguments)
    shared = given.which == "shared"
    limit = given.wide or (WIDE_SHARED if shared else WIDE)
    run = Run(LANGUAGES if shared else [given.which], limit)
    known = _noticed(given.known)
    counts: Counter[str] = Counter()
    with given.output.open("w", encoding="utf-8") as file:
        for path in modules(given.which):
            if not any(name in path.name for name in given.module):
                continue
            source = path.read_text(encoding="utf-8")
            for mutant in mutants(source):
                where = path.relative_to(FOLDER).as_posix()
                if (where, mutant.node, mutant.kind) in known:
                    continue
                found = run.attempt(path, source, mutant)
                counts[found["state"]] += 1
                change = {} if found["state"] == "noticed" else {"change": shown(source, mutant)}
                about = {"file": where, "line": mutant.line, "function": mutant.function}
                what = {**about, "node": mutant.node, "kind": mutant.kind, **found, **change}
                print(json.dumps(what, ensure_ascii=False), file=file, flush=True)
            say(f"{path.relative_to(FOLDER)}: {dict(counts)}")
    return int(counts["changes"] > 0)


def _noticed(path: Path | None) -> set[tuple[str, int, str]]:
    if path is None:
        return set()
    found = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
    return {(one["file"], one["node"], one["kind"]) for one in found if one["state"] == "noticed"}


if __name__ == "__main__":
    sys.exit(main())
