"""`sigconv new` and `sigconv init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("rule")
@click.option("--title", help="Default: from the file's name.")
@click.option("--category", default="process_creation", show_default=True, help="Of the log source.")
@click.option("--product", default="windows", show_default=True, help="Of the log source.")
@click.option("--author", default="", help="Of the rule.")
def new(rule: str, title: str | None, category: str, product: str, author: str) -> None:
    """Write a rule and its tests to start from.

    RULE is a path, below the rules folder or with it: windows/execution/my_rule

    \b
    Examples:
      sigconv new windows/execution/my_rule
      sigconv new sigma/windows/persistence/x.yml --category registry_set --title "Run Key Set"

    The tests pass: change rule and tests, and run `sigconv test`.

    \b
    Files:
      sigma/<rule>.yml           the rule
      tests/rules/<rule>.yml     its tests (docs/rule-tests.md)

    \b
    Exit codes:
      0  both were written
      2  a file exists already, or RULE is not below the rules folder
      3  a defect of sigconv
    """
    from converter import config, scaffold

    settings = config.load(Path.cwd())
    for path in scaffold.new(
        rule, settings.rules, settings.tests, title=title, category=category, product=product, author=author
    ):
        click.echo(path.as_posix())


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Start a repository of rules in FOLDER (default: here).

    Writes sigconv.toml, a GitHub workflow, pre-commit hooks and a first rule with its tests. What exists
    already is left as it is.

    \b
    Examples:
      sigconv init                           here
      sigconv init detections                then: cd detections, sigconv test, sigconv build

    \b
    Exit codes:
      0  fine
      2  a file cannot be written
      3  a defect of sigconv
    """
    from converter import scaffold

    written, left = scaffold.init(folder)
    for path in written:
        click.echo(path.as_posix())
    for path in left:
        click.echo(f"{path.as_posix()} exists and was left as it is", err=True)
    click.echo("Next: sigconv new windows/execution/my_rule, sigconv test, sigconv build", err=True)
