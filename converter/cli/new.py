"""`sigconv new` and `sigconv init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("rule")
@click.option("--title", help="Default: from the file's name.")
@click.option(
    "--category", default="", help="Of the log source.  [default: process_creation, or none with --service]"
)
@click.option("--product", default="windows", show_default=True, help="Of the log source.")
@click.option("--service", default="", help="Of the log source, such as security.")
@click.option("--author", default="", help="Of the rule.")
def new(rule: str, title: str | None, category: str, product: str, service: str, author: str) -> None:
    """Write a rule and its tests to start from.

    RULE is a path, below the rules folder or with it: windows/execution/my_rule

    \b
    Examples:
      sigconv new windows/execution/my_rule
      sigconv new sigma/windows/persistence/x.yml --category registry_set --title "Run Key Set"
      sigconv new windows/discovery/y --service security

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
    from converter.authoring import new_rule
    from converter.lint.logsources import near
    from converter.project import config

    settings = config.load(Path.cwd())
    for path in new_rule.new(
        rule,
        settings.rules,
        settings.tests,
        title=title,
        category=category,
        product=product,
        service=service,
        author=author,
    ):
        click.echo(path.as_posix())
    given = {"category": category, "product": product, "service": service}
    for key, name in near(given).items():
        click.echo(f"no log has the {key} '{given[key]}': did you mean '{name}'?", err=True)


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Start a repository of rules in FOLDER (default: here).

    Writes sigconv.toml, a GitHub workflow, pre-commit hooks and a first rule with its tests. What exists
    already is left as it is. Workflow and hooks install sigconv from the git repository that this one was
    installed from; if it was not, they name an address that may have to be changed.

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
    from converter import install_hint
    from converter.authoring import new_rule

    written, left = new_rule.init(folder)
    for path in written:
        click.echo(path.as_posix())
    for path in left:
        click.echo(f"{path.as_posix()} exists and was left as it is", err=True)
    if install_hint.repository() is None and any(path.suffix in (".yml", ".yaml") for path in written):
        address, revision = new_rule.HOME
        click.echo(f"Workflow and hooks install sigconv from {address}, {revision}: is it there?", err=True)
    click.echo("Next: sigconv new windows/execution/my_rule, sigconv test, sigconv build", err=True)
