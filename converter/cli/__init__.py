"""The command line: options, printing and exit codes. The only package that imports click.

Everything else is imported inside the commands, so that `--help` and a usage error are immediate.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from converter import __version__
from converter.cli.build import build
from converter.cli.check import check
from converter.cli.columns import columns
from converter.cli.compare import compare
from converter.cli.completion import completion
from converter.cli.diff import diff
from converter.cli.explain import explain
from converter.cli.list_ import list_
from converter.cli.match import match
from converter.cli.new import init, new
from converter.cli.report import report
from converter.cli.test import test
from converter.cli.verify import verify
from converter.errors import ExitCode, SigconvError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""A disk that is full, or broken, where standard output or a report goes."""


class _Group(click.Group):
    """A group whose commands' SigconvErrors are one line and an exit code, and whose own defects are 3."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SigconvError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                click.echo(f"SC603 the output cannot be written: {error.strerror}", err=True)
                ctx.exit(ExitCode.USAGE)
            import traceback

            traceback.print_exc()
            click.echo(f"SC900 internal error: {error!r}: please report it with the lines above", err=True)
            ctx.exit(ExitCode.INTERNAL)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sigconv")
def main() -> None:
    """Convert Sigma rules into SIEM queries that are proven to select what the rules mean.

    \b
    Examples:
      sigconv init                           start a repository of rules
      sigconv new windows/execution/mine     a rule and its tests to start from
      sigconv check                          what is wrong with the rules
      sigconv test                           run the rules' own tests
      sigconv build                          all rules, all cells, into output/
      sigconv build my/rule.yml -t kql -o -  print one query
      sigconv explain rule.yml -s sysmon     what each field became, and why
      sigconv verify                         run every query on an engine of its language
      sigconv compare                        sigma-cli's queries beside ours, on the same engines
      sigconv match --events log.evtx        which rules fire on a log
      sigconv diff                           what changed, in text or in meaning
      sigconv list sources                   what there is; also targets, fields

    \b
    Exit codes:
      0  fine
      1  rules are broken or refused, tests fail, queries disagree, or the output is not up to date
      2  a wrong option, path or configuration
      3  a defect of sigconv

    \b
    Files:
      sigconv.toml, or [tool.sigconv] of pyproject.toml: here or in a folder above

    `sigconv COMMAND --help` has the options and examples of each. Documentation: docs/README.md.
    """


main.add_command(build)
main.add_command(check)
main.add_command(columns)
main.add_command(compare)
main.add_command(explain)
main.add_command(completion)
main.add_command(diff)
main.add_command(init)
main.add_command(list_)
main.add_command(match)
main.add_command(new)
main.add_command(report)
main.add_command(test)
main.add_command(verify)
