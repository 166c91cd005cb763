"""`sigconv build` beside `sigma convert` of sigma-cli: time for a rule and target, and peak memory.

``python -m benchmarks.build FOLDER [--rules N] [--rounds N]`` takes N rules of the folder (default: all; a
seeded sample otherwise, of those that both read) and in each round runs, one after the other and each in a
process of its own:

- ``sigma convert`` of sigma-cli 3.1, for each target with its natural pipeline, on the folder with ``-s``
  (skip what it cannot convert), as its documentation has it for whole folders;
- ``sigconv build --no-cache -j 1``: cold, with all targets of one source;
- ``sigconv build`` again with a warm cache: nothing changed, and then one rule changed.

Printed are medians of the ratios within a round. ``cold`` includes the start of each process;
``without start`` takes away what each needs for one rule (``sigma convert`` loads every backend at its
start, and is started once for each target). Seconds are processor time of the process and its children, so
that other work on the machine matters less; ``wall`` is on the clock. Peak memory is the kernel's high-water
mark (``ru_maxrss``). Both write all queries to files. sigconv also works out fidelity, columns and headers.

sigma-cli needs another pySigma than sigconv: it is installed with pip into an environment below the
temporary folder (``--venv`` keeps it), which needs the network. Nothing else does.
"""

from __future__ import annotations

import argparse
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


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    """Of the processor, children included."""
    wall: float
    peak: float
    """MiB."""
    code: int


def run(command: list[str], folder: Path) -> Run:
    """Run a command, and return what the kernel says of it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} if command[0] == sys.executable else None
    log = folder / "log"
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = code = os.waitstatus_to_exitcode(status)
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, code)


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
    return [sys.executable, "-m", "converter.cli", "build", *arguments, "-s", "sysmon"]


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


def one_round(place: Path, sigma: Path) -> dict[str, Run]:
    made: dict[str, Run] = {}
    for target in TARGETS:
        for what in ("sigma", "one"):
            made[f"theirs {target} {what}"] = checked(
                run(theirs(sigma, target, what), place), f"sigma convert -t {target}", place, (0, 1)
            )
    for what in ("sigma", "one"):
        shutil.rmtree(place / "output", ignore_errors=True)
        command = ours(what, "--no-cache", "-j", "1", "-o", "output")
        made[f"ours {what}"] = checked(run(command, place), "sigconv build", place, (0, 1))
    shutil.rmtree(place / ".sigconv-cache", ignore_errors=True)
    checked(run(ours(), place), "sigconv build", place, (0, 1))
    made["ours nothing changed"] = checked(run(ours(), place), "sigconv build", place, (0, 1))
    rule = next((place / "sigma").iterdir())
    text = rule.read_text(encoding="utf-8")
    rule.write_text(text.replace("title: ", "title: Changed ", 1), encoding="utf-8")
    made["ours one changed"] = checked(run(ours(), place), "sigconv build", place, (0, 1))
    rule.write_text(text, encoding="utf-8")
    return made


def report(rounds: list[dict[str, Run]], count: int) -> None:
    """Print medians of ratios; a ratio above 1 says that sigconv needs less."""

    def median(of: list[float]) -> str:
        return f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})"

    def total(made: dict[str, Run], what: str) -> float:
        return sum(made[f"theirs {target} {what}"].seconds for target in TARGETS)

    cold = [total(made, "sigma") / made["ours sigma"].seconds for made in rounds]
    net = [
        (total(made, "sigma") - total(made, "one")) / (made["ours sigma"].seconds - made["ours one"].seconds)
        for made in rounds
    ]
    peak = [
        max(made[f"theirs {target} sigma"].peak for target in TARGETS) / made["ours sigma"].peak
        for made in rounds
    ]
    print(f"\n{count} rules, {len(TARGETS)} targets, source sysmon, {len(rounds)} rounds")
    print("| What | sigconv | sigma-cli | ratio: median (range) |\n|---|---|---|---|")
    last, pairs = rounds[-1], count * len(TARGETS)
    mine, other = last["ours sigma"].seconds, total(last, "sigma")
    each, others = 1000 * mine / pairs, 1000 * other / pairs
    print(f"| cold, ms for a rule and target | {each:.2f} | {others:.2f} | {median(cold)} |")
    mine -= last["ours one"].seconds
    other -= total(last, "one")
    print(f"| without start, ms | {1000 * mine / pairs:.2f} | {1000 * other / pairs:.2f} | {median(net)} |")
    most = max(last[f"theirs {target} sigma"].peak for target in TARGETS)
    print(f"| peak memory, MiB | {last['ours sigma'].peak:.0f} | {most:.0f} | {median(peak)} |")
    for what in ("nothing changed", "one changed"):
        made = [one[f"ours {what}"] for one in rounds]
        seconds = median([one.seconds for one in made])
        print(f"| {what}, s (wall {median([one.wall for one in made])}) | {seconds} | | |")
    for target in TARGETS:
        own = [one[f"theirs {target} sigma"].seconds for one in rounds]
        print(f"sigma-cli {target}: {1000 * statistics.median(own) / count:.2f} ms for a rule")


if __name__ == "__main__":
    main()
