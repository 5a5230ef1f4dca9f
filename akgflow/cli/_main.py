"""The command group and the one place that turns an exception into a message and an exit code."""

from __future__ import annotations

import gc
import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import click

from akgflow import __version__, api
from akgflow.base.streams import Streams, echo, write
from akgflow.base.text import visible
from akgflow.errors import AkgflowError, ConfigError, ExitCode, PathError, Problem, known_error

# Each with the module that it is in and its line in the list of commands: that list must not import them all.
_COMMANDS = {
    "run": ("_run", "Run a task, or go on with a run that was interrupted."),
    "plan": ("_run", "Show what running a task or a suite would do, and at most for how much."),
    "validate": ("_look", "Check tasks, or the whole workspace, and say all that is wrong."),
    "verify": ("_verify", "Judge one kernel; no model is asked."),
    "import": ("_init", "Write tasks for problems of KernelBench, SOL-ExecBench, kernelbot, …"),
    "reproduce": ("_export", "Write a file that shows a kernel's wrong values without akgflow."),
    "matrix": ("_matrix", "Show a task's kernels on every target, shape and dtype."),
    "show": ("_look", "Show a run: its table, how far it came, where its means went."),
    "report": ("_report", "Write a run as one HTML page, or serve it and follow the run."),
    "export": ("_export", "Write a run's verified kernel as a package."),
    "bench": ("_bench", "Run a suite of problems, or go on with it, and score it."),
    "score": ("_bench", "Score a suite or a run that is there."),
    "compare": ("_bench", "Say what changed between two suites or runs."),
    "recheck": ("_bench", "Judge kernels that passed again: still right, still as fast?"),
    "runs": ("_setup", "List the runs of the workspace, show one, remove old ones."),
    "list": ("_look", "List targets, DSLs, agents, workflows or tasks."),
    "schema": ("_look", "Print the JSON Schema of a kind of file."),
    "doctor": ("_setup", "Say what is installed, which devices are here, what is missing."),
    "cache": ("_setup", "Look after the cache of builds."),
    "init": ("_init", "Make a workspace to start from."),
    "knowledge": ("_knowledge", "Look after the store of verified kernels."),
    "mcp": ("_mcp", "Serve an agent in an editor over MCP."),
}

_GARBAGE = 50_000
"""Objects between two looks for circles: at Python's 700 a tenth of a short command's time goes into looking."""
_RED = "\x1b[31m%s\x1b[0m\n"


class _Lazy(click.Group):
    """A group whose commands' modules are imported when one of them is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"akgflow.cli.{_COMMANDS[cmd_name][0]}"), f"{cmd_name}_command")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}: {api.suggest(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="akgflow")
def cli() -> None:
    """Write, migrate and optimise compute kernels with language models, judged by real compilers and devices.

    \b
    Exit codes:
      0 done and gates met          4 a prerequisite is missing
      1 a gate failed               5 budget spent
      2 usage or configuration      6 the judge cannot be believed here
      3 a bug in akgflow            7 the machine could not go on (disk full, …)
                                  130 interrupted
    """


def main() -> None:
    """Run the command and leave with its exit code."""
    gc.set_threshold(_GARBAGE)
    streams, args = Streams(), sys.argv[1:]
    if streams.closed:
        echo("error: standard output is closed, so nothing was run: send it to /dev/null if nobody reads it", err=True)
        sys.exit(ExitCode.CONFIG)
    code = _guarded(args)
    if streams.lost:
        echo(f"error: standard output cannot be written ({streams.lost}): what was printed is lost", err=True)
        code = PathError.exit_code
    gc.freeze()  # the interpreter's own last look for circles took as long as a fifth of a plan
    sys.exit(code)


def _guarded(args: list[str]) -> int:
    as_json = "--json" in args
    try:
        code = cli.main(args=args, prog_name="akgflow", standalone_mode=False)
        return int(code) if isinstance(code, int) else ExitCode.DONE
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as wrong:
        words = io.StringIO()
        wrong.show(words)
        _document(as_json, wrong.format_message(), ExitCode.CONFIG)
        echo(words.getvalue(), err=True, end="")
        return ExitCode.CONFIG
    except (KeyboardInterrupt, click.Abort):
        said = f"interrupted: {_again(args)}"
        _document(as_json, said, ExitCode.INTERRUPTED)
        echo(said, err=True)
        return ExitCode.INTERRUPTED
    except AkgflowError as wrong:
        return _said(wrong, as_json)
    except Exception as wrong:
        known = known_error(wrong)
        return _bug(wrong, as_json) if known is None else _said(known, as_json)


def _again(args: list[str]) -> str:
    """What to do after an interruption: only runs and suites go on."""
    if args[:1] not in (["run"], ["bench"]):
        return "nothing of it is kept"
    # What began a new run goes on with it only without being told to begin another.
    return f"{shlex.join(['akgflow', *(one for one in args if one != '--fresh')])} goes on where it stopped"


def _document(as_json: bool, error: str, code: ExitCode, problems: Sequence[Problem] = (), more: int = 0) -> None:
    """Print why the command failed as a document, where it was asked for one."""
    if as_json:
        from akgflow.cli._options import echo_json

        echo_json("error", {"error": error, "exit_code": code, "problems": problems, "more": more})


def _bug(wrong: Exception, as_json: bool) -> int:
    _document(as_json, f"a bug in akgflow: {type(wrong).__name__}: {wrong}", ExitCode.BUG)
    echo(traceback.format_exc(), err=True, end="")
    echo("this is a bug in akgflow, please report it with the lines above", err=True)
    return ExitCode.BUG


def _said(wrong: AkgflowError, as_json: bool) -> int:
    """Say the problems, each with its place, also as JSON where the command was asked for JSON; the exit code."""
    color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    if not isinstance(wrong, ConfigError):
        _document(as_json, str(wrong), wrong.exit_code)
        write((_RED if color else "%s\n") % f"error: {visible(str(wrong))}", err=True)
        return wrong.exit_code
    _document(as_json, str(wrong), wrong.exit_code, wrong.problems, wrong.more)
    for problem in wrong.problems:
        write(f"{api.format_problem(_visible(problem), color)}\n", err=True)
    if wrong.more:
        echo(f"… and {wrong.more} more", err=True)
    count = len(wrong.problems) + wrong.more
    spent = "; nothing was run and nothing was spent" * wrong.before_anything
    echo(f"{count} problem{'s' * (count != 1)}{spent}", err=True)
    return wrong.exit_code


def _visible(problem: Problem) -> Problem:
    mark = problem.mark and replace(problem.mark, file=visible(problem.mark.file))
    # What is written out is longer: the caret would stand elsewhere.
    snippet = visible(problem.snippet)
    caret = problem.caret if snippet == problem.snippet else 0
    return Problem(mark, visible(problem.message), visible(problem.hint), snippet, caret)
