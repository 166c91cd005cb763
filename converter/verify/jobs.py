"""`sigconv verify` in several processes: each has engines of its own and takes rule after rule."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from converter.cells import Cell
from converter.convert import Options
from converter.errors import InternalError
from converter.rules import RuleSet
from converter.verify.run import Checked, verify, verify_rule

ENOUGH = 16
"""Rules times cells from which a further process is worth it: its engines take seconds to start."""
_Job = tuple[RuleSet, Sequence[Cell], Path, Options]
_Result = tuple[str, str, int, int, str, tuple[str, ...]]
"""What `Checked` says beside the rule and the cell, which the parent has."""


def verify_in_processes(
    rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options, workers: int, enough: int = ENOUGH
) -> Iterator[Checked]:
    """Verify every emitted rule in every cell, in the order of `verify`.

    Args:
        rules: as loaded.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose.
        workers: how many processes may work.
        enough: see `ENOUGH`.

    Raises:
        InternalError: SC900 if a worker process dies.
    """
    chosen = rules.emitted()
    if min(workers, len(chosen), len(chosen) * len(cells) // max(enough, 1)) < 2:
        yield from verify(rules, cells, tests, options)
        return
    before = set(multiprocessing.active_children())
    # In a file of this user's: a parent that writes as much to a child's pipe hangs if the child is killed.
    with tempfile.TemporaryDirectory(prefix="sigconv-") as folder:
        file = Path(folder, "job")
        file.write_bytes(pickle.dumps((rules, cells, tests, options)))
        # Spawned, as a JVM must not fork.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(str(file),))
        try:
            for rule, results in zip(chosen, pool.map(_one, range(len(chosen))), strict=True):
                for cell, result in zip(cells, results, strict=True):
                    yield Checked(rule, cell, *result)
        except BrokenProcessPool as problem:
            raise InternalError(
                "SC900",
                "a worker process ended unexpectedly (killed, or out of memory)",
                hint="--jobs 1 works without them",
            ) from problem
        except BaseException:  # An interrupt among others: nobody waits for what the workers still do.
            for child in set(multiprocessing.active_children()) - before:
                child.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


_job: _Job | None = None
"""Of a worker process."""


def _begin(file: str) -> None:
    global _job
    _job = pickle.loads(Path(file).read_bytes())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too and ends its workers.


def _one(position: int) -> list[_Result]:
    if _job is None:
        raise RuntimeError("no job")
    rules, cells, tests, options = _job
    return [
        (one.status, one.fidelity, one.events, one.hits, one.reason, one.detail)
        for one in verify_rule(rules, rules.emitted()[position], cells, tests, options)
    ]
