"""A user's own pySigma pipelines (``--pipeline``): read, checked, each error with file and line."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigma.processing.pipeline import ProcessingPipeline

from converter.errors import PipelineError
from converter.files import yaml_source
from converter.pipelines import placeholders
from converter.pipelines.transformations import catalogue
from converter.platforms import LANGUAGES

_AFTERWARDS = ("postprocessing", "finalizers")


@dataclass(frozen=True, slots=True)
class UserPipeline:
    """One file."""

    file: str
    """As the user gave it."""
    data: Mapping[str, Any]
    text: str

    def serves(self, target: str) -> bool:
        """Tell whether it is for a target: ``allowed_backends`` names it, or there is no such key."""
        allowed = self.data.get("allowed_backends")
        return not allowed or bool(LANGUAGES[target].pysigma & set(allowed))


def read(path: Path) -> UserPipeline:
    """Return a pipeline.

    Raises:
        PipelineError: SC302 with file and line if it is no pipeline or does what is done after a query
            is made (that text would be another than the one that is proven); SC101, SC107 to SC109 if it
            is no readable YAML.
    """
    catalogue.register()
    placeholders.register()
    file = path.as_posix()
    text = yaml_source.read_text(path, file, PipelineError)
    documents = yaml_source.parse(text, file, PipelineError)

    def wrong(message: str, *at: str | int, hint: str | None = None) -> PipelineError:
        line, column = yaml_source.locate(text, 0, at) or (1, 1)
        return PipelineError("SC302", message, file=file, line=line, column=column, hint=hint)

    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise wrong("a pipeline is one mapping with the key 'transformations'")
    data: dict[str, Any] = documents[0]
    for key in _AFTERWARDS:
        if data.get(key):
            raise wrong(f"'{key}' change a query after it is made, and it would no longer be proven", key)
    known = {"name", "priority", "vars", "transformations", "allowed_backends", *_AFTERWARDS}
    for key in data:
        if key not in known:
            raise wrong(f"unknown key '{key}'", str(key), hint=", ".join(sorted(known)))
    if not isinstance(data.get("priority", 0), int):
        raise wrong("'priority' is a whole number", "priority")
    if not isinstance(data.get("vars") or {}, dict):
        raise wrong("'vars' is a mapping", "vars")
    items = data.get("transformations")
    if not isinstance(items, list):
        raise wrong("'transformations' is a list", "transformations")
    for position, item in enumerate(items):
        problem = _problem({"transformations": [item]}) if isinstance(item, dict) else "is no mapping"
        if problem:
            raise wrong(problem, "transformations", position)
    problem = _problem(data)
    if problem:
        raise wrong(problem)
    _check_lossy(data, wrong)
    return UserPipeline(file, data, text)


def _problem(data: Mapping[str, Any]) -> str | None:
    """Return what pySigma says against a pipeline, without the number of the item and its own wording."""
    try:
        # A copy: pySigma takes keys out of what it is given.
        ProcessingPipeline.from_dict(copy.deepcopy(dict(data)))
    except Exception as problem:  # pySigma raises its own errors, TypeError, KeyError, re.error ...
        text = str(problem.args[0]) if problem.args else type(problem).__name__
        return re.sub(r"^(Error in processing rule \d+: )+", "", text)
    return None


def _check_lossy(data: Mapping[str, Any], wrong: Any) -> None:
    """Check what a pipeline declares as not exact.

    Raises:
        PipelineError: SC302.
    """
    for key, entry in ((data.get("vars") or {}).get("lossy") or {}).items():
        good = isinstance(entry, dict) and {"fidelity", "reason"} <= set(entry) <= {
            "fidelity",
            "reason",
            "relaxation",
        }
        if not good or entry["fidelity"] not in {"exact", "assumed", "broader", "narrower"}:
            raise wrong("an entry of 'lossy' has 'fidelity' and 'reason'", "vars", "lossy", key)
