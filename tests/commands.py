"""Command lines of documents and help texts: do the command, its options and their values exist?"""

from __future__ import annotations

import shlex

import click

from converter.cli import main


def check_line(line: str) -> None:
    """Parse a line that begins with ``sigconv`` as click would, without running it.

    Raises:
        AssertionError: if the command, an option or a value of a choice is not known.
    """
    words = shlex.split(line, comments=True)
    assert words[0] == "sigconv", line
    if words[1:] in (["--help"], ["--version"]):
        return
    command = main.commands.get(words[1])
    assert command is not None, f"{line}: no command {words[1]}"
    if "--help" in words:
        return
    try:
        with command.make_context(words[1], words[2:], parent=click.Context(main, **main.context_settings)):
            pass
    except click.ClickException as error:
        raise AssertionError(f"{line}: {error.format_message()}") from error
