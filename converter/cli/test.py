"""`sigconv test`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converter.cli.junit import JUNIT, write_junit
from converter.cli.options import (
    FIDELITY,
    FORMAT,
    PLACEHOLDERS,
    SOURCE,
    TARGET,
    backend_options,
    chosen,
    inputs,
    load_rules,
)
from converter.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from converter.verify.rule_tests import Tested


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--engines", is_flag=True, help="Also through every emitted query, on its language's engine.")
@TARGET
@SOURCE
@FIDELITY
@backend_options
@PLACEHOLDERS
@JUNIT
@FORMAT
def test(
    paths: tuple[Path, ...],
    engines: bool,
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    fidelity: str,
    placeholders: Path | None,
    junit: Path | None,
    form: str,
) -> None:
    """Run the rules' own tests through the reference matcher, and with --engines through every query.

    PATHS are test files, rule files, or folders of either; default: the configured tests (tests/rules/).
    The format of a test file is described in docs/rule-tests.md; `sigconv new` writes one to start from.

    \b
    Examples:
      sigconv test
      sigconv test sigma/windows/execution/x.yml
      sigconv test --engines -t kql --junit tests.xml

    --engines needs the engines; what is missing is said with the command that installs it.

    \b
    Exit codes:
      0  all tests passed
      1  a test failed, or a rule or test file is broken
      2  a wrong option, path or configuration, or an engine is not installed
      3  a defect of sigconv
    """
    from converter.engines import need
    from converter.verify.rule_tests import collect, run

    for path in paths:
        if not path.exists():
            raise UsageError("SC107", "does not exist", file=path.as_posix())
    options = chosen(fidelity, placeholders)
    if engines or targets or source_names:
        config, rules, cells = inputs((), targets, source_names)
        need(cell.target for cell in cells)
    else:
        (config, rules), cells = load_rules(()), []
    for error in rules.errors:
        click.echo(str(error), err=True)
    files, errors = collect(paths or (config.tests,), config.rules, config.tests)
    found: list[Tested] = []
    for one in run(rules, files, cells, options):
        found.append(one)
        if one.problem and form == "text":
            click.echo(one.line(), err=True)
    for error in errors:
        click.echo(str(error), err=True)
    if junit is not None:
        write_junit(junit, [one.case() for one in found], "sigconv test")
    failed = sum(bool(one.problem) for one in found)
    if form == "json":
        click.echo(json.dumps({"results": [one.entry() for one in found]}, indent=2, ensure_ascii=False))
    else:
        refused = sum(bool(one.refused) for one in found)
        also = f", {refused} not tried: the cell refuses the rule" if refused else ""
        said = f"{len(files)} test file{'s' if len(files) != 1 else ''}"
        click.echo(f"{said}, {len(found) - failed - refused} passed, {failed} failed{also}")
    if not found and not errors:
        click.echo(f"no tests in {', '.join(str(path) for path in paths or (config.tests,))}", err=True)
    if failed or errors or rules.errors or not found:
        raise click.exceptions.Exit(ExitCode.FAILED)
