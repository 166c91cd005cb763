"""`sigconv build` beside `sigma convert` of sigma-cli: time for a rule and target, and peak memory.

``python -m benchmarks.build FOLDER [--rules N] [--rounds N]`` takes N rules of the folder (default: all; a
seeded sample otherwise) and in each round runs, one after the other and each in a process of its own:

- ``sigma convert`` of sigma-cli 3.1, for each target with its natural pipeline, on the folder with ``-s``
  (skip what it cannot convert), as its documentation has it for whole folders;
- ``sigconv build --no-cache``: cold, with all targets of one source; as it is, with as many processes as
  there are CPUs, and with ``-j 1``;
- ``sigconv build`` of three sources (12 cells) with its cache: nothing changed, and then one rule changed.

Printed are medians of the ratios within a round. ``wall`` is on the clock: what a user waits, sigma-cli's
four runs together. ``CPU`` is processor time of a process and its children, so that other work on the machine
matters less. Both include the start of each process; ``without start`` takes away what each needs for one
rule (``sigma convert`` loads every backend at its start, and is started once for each target). Peak memory is
that of all processes together, shared pages counted once: the sum of their proportional set sizes
(``smaps_rollup``), looked at every 50 ms; sigma-cli's is that of its largest run. Both write all queries to
files; each build into a folder that is new. sigconv also works out fidelity, columns and headers.

sigma-cli needs another pySigma than sigconv: it is installed with pip into an environment below the
temporary folder (``--venv`` keeps it), which needs the network. Nothing else does.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    *("sigma-cli==3.1.*", "pySigma-backend-elasticsearch", "pySigma-backend-splunk"),
    *("pySigma-backend-kusto", "pySigma-pipeline-sysmon", "pySigma-pipeline-windows"),
)
TARGETS = {
    "eql": ("eql", "ecs_windows"),
    "lucene": ("lucene", "ecs_windows"),
    "spl": ("splunk", "splunk_windows"),
    "kql": ("kusto", "microsoft_xdr"),
}
"""Ours -> sigma-cli's target and its natural pipeline for Windows rules."""
SOURCES = ("sysmon", "defender", "crowdstrike")


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    """Of the processor, children included."""
    wall: float
    peak: float
    """MiB, of all its processes."""
    code: int


def run(command: list[str], folder: Path) -> Run:
    """Run a command, and return what the kernel says of it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} if command[0] == sys.executable else None
    log = folder / "log"
    peak = 0.0
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        ended = 0
        while not ended:
            peak = max(peak, memory(process.pid))
            time.sleep(0.05)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    wall = time.perf_counter() - began
    process.returncode = code = os.waitstatus_to_exitcode(status)
    return Run(usage.ru_utime + usage.ru_stime, wall, peak, code)


def memory(pid: int) -> float:
    """Return the proportional set size of a process and of those that it started, in MiB."""
    total = 0.0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(memory(int(child)) for child in (task / "children").read_text().split())
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # It has ended.
        return total
    return total + sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def prepared(folder: Path) -> Path:
    """Return sigma-cli's environment; made if it is not there."""
    sigma = folder / "bin" / "sigma"
    if not sigma.exists():
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        if subprocess.run(pip, check=False).returncode:
            sys.exit("sigma-cli cannot be installed: pip needs the network, or --venv a folder that has it")
    return sigma


def rules_of(folder: Path, count: int | None) -> list[Path]:
    found = sorted(folder.rglob("*.yml"))
    return sorted(random.Random(0).sample(found, min(count, len(found)))) if count else found


def ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "converter.cli", "build", *arguments]


def theirs(sigma: Path, target: str, rules: str) -> list[str]:
    name, pipeline = TARGETS[target]
    return [str(sigma), "convert", "-t", name, "-p", pipeline, "-s", "-o", f"{target}.txt", rules]


def checked(made: Run, what: str, folder: Path, codes: tuple[int, ...]) -> Run:
    if made.code not in codes:
        sys.exit(f"{what} ended with {made.code}:\n{(folder / 'log').read_text()[-2000:]}")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rules", type=int, help="so many of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, help="where sigma-cli is, or is to be kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigconv-benchmark-") as name:
        place = Path(name)
        sigma = prepared((arguments.venv or place / "venv").absolute())
        rules = rules_of(arguments.folder, arguments.rules)
        for number, rule in enumerate(rules):
            (place / "sigma").mkdir(exist_ok=True)
            shutil.copy(rule, place / "sigma" / f"{number:05d}_{rule.name}")
        (place / "one").mkdir()
        shutil.copy(next((place / "sigma").iterdir()), place / "one")
        (place / "sigconv.toml").write_text("")
        versions(sigma)
        rounds = [one_round(place, sigma) for _ in range(arguments.rounds)]
    report(rounds, len(rules))


def versions(sigma: Path) -> None:
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    for what, python in (("sigconv", Path(sys.executable)), ("sigma-cli", sigma.with_name("python"))):
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
        ).stdout.split()
        wanted = [line for line in listed if line.lower().startswith(("sigma", "pysigma", "sigconv"))]
        print(f"{what}: {', '.join(wanted)}")


_folders = itertools.count()


def fresh() -> str:
    """Return a folder that is not there yet, for a build's output (and cache).

    Nothing is removed before the end: where thousands of files have just been removed, ext4 looks at each
    of their inodes whenever it makes a file (`recently_deleted` in fs/ext4/ialloc.c), for half a minute.
    """
    return f"output{next(_folders)}"


def one_round(place: Path, sigma: Path) -> dict[str, Run]:
    made: dict[str, Run] = {}
    for target in TARGETS:
        for what in ("sigma", "one"):
            made[f"theirs {target} {what}"] = checked(
                run(theirs(sigma, target, what), place), f"sigma convert -t {target}", place, (0, 1)
            )
    for name, jobs in (("ours", []), ("ours alone", ["-j", "1"])):
        for what in ("sigma", "one"):
            command = ours(what, "--no-cache", "-s", "sysmon", *jobs, "-o", fresh())
            made[f"{name} {what}"] = checked(run(command, place), "sigconv build", place, (0, 1))
    cells = ours("sigma", *(word for source in SOURCES for word in ("-s", source)), "-o", f"{fresh()}/output")
    made["ours cells"] = checked(run(cells, place), "sigconv build", place, (0, 1))
    made["ours nothing changed"] = checked(run(cells, place), "sigconv build", place, (0, 1))
    rule = random.Random(len(made)).choice(sorted((place / "sigma").iterdir()))
    text = rule.read_text(encoding="utf-8")
    rule.write_text(text.replace("title: ", "title: Changed ", 1), encoding="utf-8")
    made["ours one changed"] = checked(run(cells, place), "sigconv build", place, (0, 1))
    rule.write_text(text, encoding="utf-8")
    return made


def report(rounds: list[dict[str, Run]], count: int) -> None:
    """Print medians of ratios; a ratio above 1 says that sigconv needs less."""

    def median(of: list[float]) -> str:
        return f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})"

    def theirs(made: dict[str, Run], what: str, field: str) -> float:
        found: list[float] = [getattr(made[f"theirs {target} {what}"], field) for target in TARGETS]
        return max(found) if field == "peak" else sum(found)

    pairs = count * len(TARGETS)
    print(f"\n{count} rules, {len(TARGETS)} targets, source sysmon, {len(rounds)} rounds")
    print("| Cold | sigconv | sigma-cli | ratio: median (range) |\n|---|---|---|---|")
    for text, name, field, scale in (
        ("wall, ms for a rule and target", "ours", "wall", 1000 / pairs),
        ("CPU, ms for a rule and target", "ours", "seconds", 1000 / pairs),
        ("wall with -j 1, ms", "ours alone", "wall", 1000 / pairs),
        ("CPU with -j 1, ms", "ours alone", "seconds", 1000 / pairs),
        ("peak memory, MiB", "ours", "peak", 1),
        ("peak memory with -j 1, MiB", "ours alone", "peak", 1),
    ):
        own = [getattr(made[f"{name} sigma"], field) for made in rounds]
        other = [theirs(made, "sigma", field) for made in rounds]
        ratios = [two / one for one, two in zip(own, other, strict=True)]
        mine, others = scale * statistics.median(own), scale * statistics.median(other)
        print(f"| {text} | {mine:.2f} | {others:.2f} | {median(ratios)} |")
    own = [made["ours alone sigma"].seconds - made["ours alone one"].seconds for made in rounds]
    other = [theirs(made, "sigma", "seconds") - theirs(made, "one", "seconds") for made in rounds]
    ratios = [two / one for one, two in zip(own, other, strict=True)]
    mine, others = (1000 / pairs * statistics.median(found) for found in (own, other))
    print(f"| CPU without start, -j 1, ms | {mine:.2f} | {others:.2f} | {median(ratios)} |")
    print(f"\n| {count} rules, {len(TARGETS) * len(SOURCES)} cells | wall, s | CPU, s |\n|---|---|---|")
    for text in ("cells", "nothing changed", "one changed"):
        runs = [made[f"ours {text}"] for made in rounds]
        wall, seconds = median([one.wall for one in runs]), median([one.seconds for one in runs])
        print(f"| {'first build' if text == 'cells' else text} | {wall} | {seconds} |")
    print()
    for target in TARGETS:
        found = [made[f"theirs {target} sigma"].wall for made in rounds]
        print(f"sigma-cli {target}: {1000 * statistics.median(found) / count:.2f} ms of wall time for a rule")


if __name__ == "__main__":
    main()
