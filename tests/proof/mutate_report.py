"""Print what a mutation run came to: ``python -m tests.proof.mutate_report FILE ...``.

Later files win over earlier ones for the same mutant. First a table of counts, then every mutant that
remains.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_KINDS: dict[str, str] = {
    "a name in `__all__` or of the language": r"__init__\.py\n|\n'(eql|kql|lucene|spl)' ",
    "`strict` of `zip`, of lists that are as long as each other": r"\nTrue  ->  False",
    "`super().__init__()`": r"\nsuper\(\)\.__init__\(\)",
    "a refusal of what pySigma does not make, or a deeper one raises too": r"\n(raise |'SC\d)",
    "the text of an empty part, which nothing looks at": r"\n''  ->  '~'",
}


def kind(one: dict[str, Any]) -> str:
    """Return why a mutant that changes nothing changes nothing, as far as its form tells."""
    if one["reached"] == [0, 0]:
        return "reached by no conversion"
    text = f"{one['file']}\n{one['change']}"
    return next((name for name, pattern in _KINDS.items() if re.search(pattern, text)), "says the same")


def main(names: Sequence[str]) -> int:
    """Print the tables."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name in names:
        for line in Path(name).read_text(encoding="utf-8").split("\n"):
            if line:
                one = json.loads(line)
                found[one["file"], one["node"], one["kind"]] = one
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    left: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in found.values():
        group = one["file"].partition("/")[0] if "/" in one["file"] else "shared"
        rows[group]["mutants"] += 1
        if one["state"] == "noticed":
            rows[group]["test" if one.get("test") else "text"] += 1
        else:
            rows[group][one["state"]] += 1
            left[group, one["file"]].append(one)
    print("| | Mutants | Noticed by a text | by the language's tests | Nothing changes | Remain |")
    print("|---|---|---|---|---|---|")
    for group, counts in sorted(rows.items()):
        cells = [counts[name] for name in ("mutants", "text", "test", "same", "changes")]
        print(f"| {group} | {' | '.join(map(str, cells))} |")
    kinds: Counter[tuple[str, str]] = Counter()
    for (group, _), ones in left.items():
        kinds.update((group, kind(one)) for one in ones if one["state"] == "same")
    print()
    for (group, name), count in sorted(kinds.items()):
        print(f"- {group}: {count} {name}")
    print()
    for (_, file), ones in sorted(left.items()):
        for one in ones:
            change = one["change"].replace("\n", "\\n").replace("|", "\\|")[:140]
            print(f"{one['state']} {file}:{one['line']} {one['function']} {one['reached']}: {change}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
