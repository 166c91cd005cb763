"""The option --junit, which `test` and `verify` share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from converter.verify.junit import Case

JUNIT = click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the results as JUnit XML.",
)


def write_junit(file: Path, cases: Iterable[Case], name: str) -> None:
    """Write a JUnit report, whole or not at all.

    Raises:
        UsageError: SC603 if it cannot be written.
    """
    from converter.files import atomic
    from converter.verify import junit

    atomic.write(file, junit.text(cases, name))
