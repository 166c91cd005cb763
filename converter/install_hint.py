"""Where sigconv was installed from, as pip writes it down, and so how to install it again.

packaging.python.org, "Recording the Direct URL Origin of installed distributions".
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

ANALYSER = "-m converter.engines.kusto_analyser.install"


def repository() -> tuple[str, str] | None:
    """Return address and revision of the git repository that sigconv was installed from; None if of none."""
    said = _said()
    git = said.get("vcs_info") or {}
    revision = git.get("requested_revision") or git.get("commit_id")
    return (said["url"], revision) if revision else None


def with_engines() -> str:
    """Return the command that adds the engines to this installation."""
    said = _said()
    if found := repository():
        what = f"sigconv[verify] @ git+{found[0]}@{found[1]}"
    elif "dir_info" in said:
        editable = "-e " if said["dir_info"].get("editable") else ""
        return f'pip install {editable}"{url2pathname(urlsplit(said["url"]).path)}[verify]"'
    else:
        what = "sigconv[verify]"
    return f'pip install "{what}"'


def with_analyser() -> str:
    """Return the command that installs Microsoft's KQL analyser, which is no package of PyPI."""
    return f"{sys.executable} {ANALYSER}"


def _said() -> dict[str, Any]:
    try:
        text = metadata.distribution("sigconv").read_text("direct_url.json")
        said: dict[str, Any] = json.loads(text or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return {}
    return said
