"""Share work out among processes, this one among them; results come in the order in which they are ready.

Processes and never threads: pySigma keeps state on classes. On Linux they are forks, which have everything
that was loaded so far without a copy of it and without a start of their own; where this process has other
threads, or the system is another, they are started afresh and read what they need from a file.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from converter.errors import InternalError

Part = TypeVar("Part")
Result = TypeVar("Result")
_Work = tuple[Callable[[Any], Any], Sequence[Any]]

_AHEAD = 2
"""Parts that a process is told of at once: one that is ready need not wait for this process to be."""


def shared_out(
    work: Callable[[Part], Result], parts: Sequence[Part], workers: int
) -> Iterator[tuple[int, Result]]:
    """Do the work on each part, and yield the part's number and its result.

    Args:
        work: a function of a module, or a method of an object that can be pickled.
        parts: what to call it with.
        workers: how many processes may work; with one it is this process alone.

    Raises:
        InternalError: SC900 if a process dies.
    """
    workers = min(workers, len(parts))
    if workers < 2:
        with settled():
            for number, part in enumerate(parts):
                yield number, work(part)
        return
    with tempfile.TemporaryDirectory(prefix="sigconv-") as folder, settled():
        team = _Team((work, parts), workers - 1, Path(folder, "work"))
        try:
            yield from team.results()
        except (EOFError, OSError) as problem:
            raise InternalError(
                "SC900",
                "a worker process ended unexpectedly (killed, or out of memory)",
                hint="--jobs 1 works without them",
            ) from problem
        finally:
            team.dismiss()


class settled:
    """While it is entered, the garbage collector looks at new objects only: what is there already stays.

    It looks once in 10,000: parsed rules refer to each other in circles, and to look more often is felt.
    """

    def __enter__(self) -> None:
        self._before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)

    def __exit__(self, *_: object) -> None:
        gc.set_threshold(*self._before)
        gc.unfreeze()


class _Team:
    """The other processes, each with its connection."""

    def __init__(self, given: _Work, count: int, file: Path) -> None:
        self._work, self._parts = given
        self._left = deque(range(len(self._parts)))
        self._busy: dict[Connection, int] = {}
        """How many parts each process still has to do."""
        self._processes: list[BaseProcess] = []
        forks = _can_fork()
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        if not forks:
            # In a file: a parent that writes as much to a child's pipe hangs if the child is killed.
            file.write_bytes(pickle.dumps(given))
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                # A fork inherits our ends too: while it holds them, no process is told that this one died.
                started = (given, [*self._busy, ours]) if forks else (str(file), [])
                process = context.Process(target=_serve, args=(theirs, *started), daemon=True)
                process.start()
                self._processes.append(process)
                theirs.close()
                self._busy[ours] = 0
        except BaseException:  # Interrupted.
            self.dismiss()
            raise

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield results, the other processes' as soon as they are here, and do a part meanwhile."""
        for _ in range(_AHEAD):
            for one in self._busy:
                self._hand_out(one)
        while self._left or any(self._busy.values()):
            for ready in wait([one for one, count in self._busy.items() if count], 0 if self._left else None):
                assert isinstance(ready, Connection)
                number, result, problem = ready.recv()
                self._busy[ready] -= 1
                self._hand_out(ready)
                if problem is not None:
                    raise RuntimeError(problem)
                yield number, result
            if self._left:
                number = self._left.popleft()
                yield number, self._work(self._parts[number])

    def _hand_out(self, to: Connection) -> None:
        if self._left:
            to.send(self._left.popleft())  # A number: so little never has to wait for who reads it.
            self._busy[to] += 1

    def dismiss(self) -> None:
        """End the processes; nobody waits for what they still do."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for connection in self._busy:
            connection.close()


def _can_fork() -> bool:
    """Tell whether this process can be forked: a lock that another thread holds is never free in a fork."""
    if sys.platform != "linux":
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
    except OSError:
        return False


def _serve(connection: Connection, given: _Work | str, inherited: Sequence[Connection]) -> None:
    """Do parts until there are no more, or nobody is there to ask for one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too and ends its workers.
    for other in inherited:
        other.close()
    work, parts = pickle.loads(Path(given).read_bytes()) if isinstance(given, str) else given
    with settled():
        _do(connection, work, parts)


def _do(connection: Connection, work: Callable[[Any], Any], parts: Sequence[Any]) -> None:
    while True:
        try:
            number = connection.recv()
        except (EOFError, OSError):
            return
        problem = result = None
        try:
            result = work(parts[number])
        except Exception:
            problem = traceback.format_exc()
        try:
            connection.send((number, result, problem))
        except OSError:
            return
