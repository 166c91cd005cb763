"""`sigconv completion`, and what a shell is offered for values that the project knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from converter.platforms import LANGUAGES

_VARIABLE = "_SIGCONV_COMPLETE"
"""The name that click gives it."""
_TOP_LEVEL = re.compile(r"^(id|name):[ \t]*['\"]?([^\s'\"#]+)", re.MULTILINE)
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"^\s*-[ \t]*['\"]?([a-z][a-z0-9_-]*\.[a-z0-9._-]+)", re.MULTILINE)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, sources, rule ids and tags.

    \b
    Examples:
      eval "$(sigconv completion bash)"      in ~/.bashrc (bash 4.4 or newer)
      eval "$(sigconv completion zsh)"       in ~/.zshrc, after compinit
      sigconv completion fish > ~/.config/fish/completions/sigconv.fish

    \b
    Exit codes:
      0  fine
      2  a shell that is not known
    """
    made = get_completion_class(shell)
    assert made is not None  # The choice names those that click has.
    click.echo(made(ctx.find_root().command, {}, "sigconv", _VARIABLE).source(), nl=False)


def sources(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the telemetry sources that begin so."""
    from converter.pipelines import cells

    return _items([*cells.sources(), cells.NONE], incomplete)


def variants(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the variants of cells that begin so."""
    from converter.pipelines import cells

    found = {
        name for source in cells.sources() for target in LANGUAGES for name in cells.variants(source, target)
    }
    return _items(sorted(found), incomplete)


def rule_ids(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the ids and names of the project's rules that begin so, with their titles."""
    found = {}
    for text in _documents():
        title = _TITLE.search(text)
        for _, value in _TOP_LEVEL.findall(text):
            found[value] = title[1] if title else ""
    return [
        CompletionItem(value, help=title)
        for value, title in sorted(found.items())
        if value.startswith(incomplete)
    ]


def tags(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the tags of the project's rules that begin so."""
    return _items(sorted({tag for text in _documents() for tag in _TAG.findall(text)}), incomplete)


def _items(names: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _documents() -> Iterator[str]:
    """Yield the text of each rule, not parsed: a shell waits for it, and a broken rule has an id too."""
    from converter.errors import SigconvError
    from converter.project import config

    try:
        root = config.load(Path.cwd()).rules
    except SigconvError:
        return
    for path in sorted([*root.rglob("*.yml"), *root.rglob("*.yaml")]):
        try:
            yield from re.split(r"^---.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            continue
