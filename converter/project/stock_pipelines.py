"""Where the pipelines are that come with the program."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
PLACES = (_PACKAGE.parent / "pipelines", _PACKAGE / "stock_pipelines")
"""In a checkout, and in an installed package (setup.py copies them there)."""


def folder() -> Path:
    """Return the folder of the pipelines: of the checkout, or the copy inside the installed package."""
    checkout, copy = PLACES
    return checkout if checkout.is_dir() else copy
