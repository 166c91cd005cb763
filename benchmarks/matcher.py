"""The reference matcher over a stream: events a second, memory, and the ratio to reading the same stream.

``python -m benchmarks.matcher [--events N]`` makes N events (default 1,000,000) one after the other, as
lines of JSON from a generator, and runs four workloads over them, each in a process of its own:

- ``read``: `json.loads` and `flatten`: what any matcher in Python has to do first.
- ``one``: a correlation whose base rule half of the events match (smb_fan_out.yml), windows of 10 minutes.
- ``all``: every shipped rule.
- ``wide``: that correlation with one group for all: the window holds all connections of 10 minutes.

A peer that runs in Python and has correlations was looked for on PyPI and not found: what is there
converts rules into SQL, or matches single events. So the ratio is to ``read``.

The events are a network's: 500 hosts in one day, 1 in 7 some time late, as Sysmon writes connections, and
1 in 10,000 further behind than the lateness of 10 minutes, which the matcher must count. Seconds are
processor time, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from converter.events import flatten
from converter.matcher import Matcher
from converter.rules import loading

SIGMA = Path(__file__).parent.parent / "sigma"
FAN_OUT = SIGMA / "windows" / "lateral_movement" / "smb_fan_out.yml"
WORKLOADS = ("read", "one", "all", "wide")
_START = datetime(2026, 11, 21, tzinfo=UTC)
_DAY_MS = 86_400_000
_HEADER = {"Channel": "Microsoft-Windows-Sysmon/Operational", "Provider_Name": "Microsoft-Windows-Sysmon"}
_CONNECTION = {
    "EventID": 3,
    "Image": "System",
    "ProcessGuid": "{d4796a13-0021-6740-0100-000000000700}",
    "User": "NT AUTHORITY\\SYSTEM",
    "Initiated": "true",
    "SourceIp": "10.0.0.7",
    "SourcePort": "50112",
    "DestinationPort": "445",
}
_PROCESS = {
    "EventID": 1,
    "Image": "C:\\Windows\\System32\\cmd.exe",
    "OriginalFileName": "Cmd.Exe",
    "CommandLine": 'cmd.exe /c "C:\\Program Files\\Agent\\inventory.cmd" /quiet',
    "ParentImage": "C:\\Windows\\System32\\svchost.exe",
    "ParentCommandLine": "C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule",
    "ProcessGuid": "{d4796a13-6000-6740-a105-000000000700}",
    "User": "NT AUTHORITY\\SYSTEM",
}
_FILE = {
    "EventID": 11,
    "Image": "C:\\Windows\\System32\\svchost.exe",
    "TargetFilename": "C:\\Windows\\Temp\\inventory.tmp",
    "ProcessGuid": "{d4796a13-6000-6740-a105-000000000700}",
    "User": "NT AUTHORITY\\SYSTEM",
}
_REGISTRY = {
    "EventID": 13,
    "EventType": "SetValue",
    "Image": "C:\\Windows\\System32\\svchost.exe",
    "TargetObject": "HKLM\\SOFTWARE\\Agent\\LastRun",
    "Details": "DWORD (0x00000001)",
    "User": "NT AUTHORITY\\SYSTEM",
}
_KINDS = (_CONNECTION, _PROCESS, _CONNECTION, _FILE, _CONNECTION, _REGISTRY)


def lines(count: int) -> Iterator[str]:
    """Yield events as lines of JSON, always the same for a count; nothing is kept."""
    for number in range(count):
        late = 900_000 if number % 10_000 == 9_998 else 1_500 if number % 7 == 3 else 0
        moment = _START + timedelta(milliseconds=number * _DAY_MS // count - late)
        event = {
            **_HEADER,
            **_KINDS[number % 6],
            "Computer": f"ws{number * 7919 % 500}.example.org",
            "UtcTime": f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}",
            "ProcessId": str(number % 9973),
        }
        if event["EventID"] == 3:
            # A few servers for all, and now and then a host that reaches many.
            far = number // 500 % 50 if number % 500 == 0 and number // 60_000 % 5 == 0 else number % 5
            event["DestinationIp"] = f"10.0.1.{far}"
        yield json.dumps(event)


def matcher(workload: str) -> Matcher:
    """Return the matcher of a workload."""
    docs = [rule.doc for rule in loading.load([SIGMA if workload == "all" else FAN_OUT]).rules]
    if workload == "wide":
        docs = deepcopy(docs)
        section: dict[str, Any] = docs[0]["correlation"]
        section["group-by"] = ["Image"]
        section["condition"]["gte"] = 60  # More than there are: a window of all, and no alert for each event.
    return Matcher(docs)


def run(workload: str, count: int) -> dict[str, Any]:
    """Run a workload and return what was measured.

    Returns:
        Events a second of processor time, without the making of the events; the peak of the process's
        memory in MiB; alerts; and how many times an event was too late.
    """
    began = time.process_time()
    for _ in lines(count):
        pass
    making = time.process_time() - began
    one = None if workload == "read" else matcher(workload)
    alerts = 0
    began = time.process_time()
    for position, line in enumerate(lines(count)):
        event = flatten(json.loads(line))
        if one is not None:
            for _ in one.feed(position, event):
                alerts += 1
    if one is not None:
        alerts += sum(1 for _ in one.finish())
    seconds = time.process_time() - began - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )
    return {
        "workload": workload,
        "events_per_second": round(count / seconds),
        "peak_mib": round(peak),
        "alerts": alerts,
        "late": one.late if one is not None else 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--workload", choices=WORKLOADS, help="only this one, in this process, as JSON")
    given = parser.parse_args()
    if given.workload:
        print(json.dumps(run(given.workload, given.events)))
        return
    print(f"{given.events:,} events, {500} hosts, one day; Python {sys.version.split()[0]}, one core")
    print(f"{'':6} {'events/s':>9} {'of read':>8} {'peak MiB':>9} {'alerts':>8} {'late':>6}")
    read = 0
    for workload in WORKLOADS:
        command = [sys.executable, "-m", "benchmarks.matcher", "--workload", workload]
        done = subprocess.run(
            [*command, "--events", str(given.events)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        read = read or found["events_per_second"]
        share = found["events_per_second"] / read
        print(
            f"{workload:6} {found['events_per_second']:>9,} {share:>8.0%} {found['peak_mib']:>9,}"
            f" {found['alerts']:>8,} {found['late']:>6,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
