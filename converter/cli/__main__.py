"""The program `sigconv`, and `python -m converter.cli`."""

from __future__ import annotations

import atexit
import os
import sys

from converter.cli import main


def run() -> None:
    """Run the command line, and end the process.

    It ends at once: taking thousands of rules apart to give their memory back is a twentieth of a build.
    """
    try:
        main()
    except SystemExit as end:
        code = end.code
    else:
        code = None
    if not isinstance(code, int | None):
        sys.exit(code)
    atexit._run_exitfuncs()  # What `os._exit` leaves out. It has no public name.
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # Closed, or none: Python itself knows what to do then.
        sys.exit(code)
    os._exit(code or 0)


if __name__ == "__main__":  # Worker processes import this module too.
    run()
