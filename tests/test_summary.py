"""The Markdown of what changed: what is shown when there is too much for a job summary."""

from __future__ import annotations

from converter.artifacts.changes import Change
from converter.artifacts.changes_text import markdown


def test_problems_leave_room_for_the_changes() -> None:
    """GitHub takes 1 MiB: ten thousand refusals must not push out what changed."""
    text = markdown([], [f"rule{n}.yml: SC207 no events" for n in range(10_559)])
    assert "## Not converted: 10559\n" in text
    assert "rule199.yml: SC207 no events\n... and 10359 more\n```\n" in text
    assert len(text) < 10_000
    assert "more" not in markdown([], ["one"])


def test_many_changes_are_counted_and_the_first_are_shown() -> None:
    changes = [
        Change("new", (str(n), "sysmon", "kql"), f"Rule {n}", f"{n}.yml", None, {}, diff=["+x"] * 100)
        for n in range(201)
    ]
    text = markdown(changes)
    assert "| New | 201 |" in text
    assert text.count("\n### Rule ") == 200
    assert text.count("... 20 more lines") == 200
    assert "... and 1 more." in text
