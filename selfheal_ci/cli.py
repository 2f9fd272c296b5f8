"""The command line: flags from the options, errors to exit codes. Everything heavy is imported when a command runs."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from selfheal_ci import __version__
from selfheal_ci.config import DOCTOR, HEAL, OPTIONS, PUBLISH, SHELL, Option
from selfheal_ci.errors import MachineError, SelfhealError

COMMAND_LAST = {"allow_interspersed_args": False}  # what follows the first word of a command is the command's own
BROKEN, INTERRUPTED = 7, 130
VERBOSE, QUIET = "Tell every run, with its command.", "Tell the outcome alone."
TYPES: dict[str, Any] = {"number": float, "integer": int}


class Command(click.Command):
    """A command that ends with a message and an exit code whatever breaks, never with a traceback; no secret in either.

    How loud it is can be said behind its name as well as before.
    """

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.params += [
            click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_loudness, help=VERBOSE),
            click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_loudness, help=QUIET),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        _heed(signal.SIGTERM, signal.SIGHUP)  # a cancelled job, a closed terminal: nothing may be left behind
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except SelfhealError as error:
            _end(ctx, str(error), error.exit_code)
        except KeyboardInterrupt:
            _end(ctx, "interrupted; nothing is left running", INTERRUPTED)
        except OSError as refused:
            _trace(ctx, refused)
            _end(ctx, str(MachineError(refused)), BROKEN)
        except Exception as bug:  # noqa: BLE001  the edge: what nobody foresaw
            _trace(ctx, bug)
            hint = "this is a bug of selfheal's: please report it with what `selfheal -v` prints"
            _end(ctx, f"{type(bug).__name__}: {bug}\n  {hint}", BROKEN)


def _loudness(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj[option.name] = True


def _heed(*signals: signal.Signals) -> None:
    """End as at Ctrl-C, once: a shell that ends sends more than one. What is ignored (nohup) stays so."""

    def interrupt(*_: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in signals:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, interrupt)


def _trace(ctx: click.Context, error: Exception) -> None:
    if ctx.obj and ctx.obj["verbose"]:
        _say("".join(traceback.format_exception(error)))


def _end(ctx: click.Context, message: str, exit_code: int) -> None:
    _say(f"selfheal: {message}")
    ctx.exit(exit_code)


def _say(text: str) -> None:
    from selfheal_ci.credentials import known_secrets
    from selfheal_ci.redact import Redactor
    from selfheal_ci.words import printable

    click.echo(printable(Redactor(known_secrets(os.environ, Path())).text(text)), err=True)


def options(command: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flags of one command, with their environment variables."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(OPTIONS):
            if option.flag and command in option.commands:
                function = _flag(option)(function)
        return function

    return decorate


def _flag(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    assert option.flag  # noqa: S101  options() looked
    more: dict[str, Any] = {"is_flag": True, "default": None} if option.kind == "switch" else {"default": None}
    if option.kind == "choice":
        more["type"] = click.Choice(option.choices)
    elif option.repeatable:
        more |= {"multiple": True}
    elif option.kind == "names":
        more |= {"callback": _names, "metavar": "A,B,…"}
    elif option.kind in TYPES:
        more["type"] = TYPES[option.kind]
    return click.option(option.flag, option.field, envvar=option.variable, help=option.help, **more)


def _names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="selfheal")
@click.option("-v", "--verbose", is_flag=True, help=VERBOSE)
@click.option("-q", "--quiet", is_flag=True, help=QUIET)
@click.pass_context
def main(ctx: click.Context, *, verbose: bool, quiet: bool) -> None:
    """Heal failing CI steps: find out why they fail, try remedies, keep only what is proven."""
    ctx.obj = {"verbose": verbose, "quiet": quiet}


@main.command(cls=Command, context_settings=COMMAND_LAST)
@options(HEAL)
@click.option("--json", "as_json", is_flag=True, help="Print heal.json to standard output.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def heal(ctx: click.Context, /, command: tuple[str, ...], *, as_json: bool, **asked: Any) -> None:
    """Run the step, diagnose, try remedies, verify. Writes selfheal-out/; never the repository or a remote.

    After `--` follows a command to heal instead of a configured step.
    """
    from selfheal_ci.wiring import run_heal

    _leave(ctx, run_heal(asked, command, environ=os.environ, **_saying(ctx, as_json=as_json)))


@main.command(cls=Command, context_settings=COMMAND_LAST)
@options(HEAL)
@click.option("--json", "as_json", is_flag=True, help="Print heal.json to standard output.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def diagnose(ctx: click.Context, /, command: tuple[str, ...], *, as_json: bool, **asked: Any) -> None:
    """The same up to the diagnosis: no remedy, no model."""
    from selfheal_ci.wiring import run_heal

    saying = _saying(ctx, as_json=as_json)
    _leave(ctx, run_heal(asked, command, environ=os.environ, only_diagnose=True, **saying))


@main.command(cls=Command)
@options(PUBLISH)
@click.option("--input", "folder", default="selfheal-out", show_default=True, help="Folder that `heal` wrote.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print publish.json to standard output.")
@click.pass_context
def publish(ctx: click.Context, /, *, folder: str, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Check selfheal-out/ again, create the fix branch and push it."""
    from selfheal_ci.wiring import run_publish

    _leave(ctx, run_publish(asked, folder, environ=os.environ, dry_run=dry_run, **_saying(ctx, as_json=as_json)))


@main.command(cls=Command)
@click.option("--input", "folder", default="selfheal-out", show_default=True, help="Folder that `heal` wrote.")
@click.option("--source", default=".", show_default=True, help="Working tree that gets the patch.")
@click.pass_context
def apply(ctx: click.Context, /, *, folder: str, source: str) -> None:
    """Put the verified patch into the working tree: all of it, or nothing."""
    from selfheal_ci.commands.apply import run_apply

    _leave(ctx, run_apply(Path(folder), Path(source)))


@main.command(cls=Command)
@options(SHELL)
@click.option("--with", "patch", type=click.Path(path_type=Path), default=None, help="Patch to look at, such as fix.patch.")
@click.pass_context
def shell(ctx: click.Context, /, *, patch: Path | None, **asked: Any) -> None:
    """An interactive shell in the prepared sandbox, to see what a step sees."""
    from selfheal_ci.wiring import run_shell

    _leave(ctx, run_shell(asked, patch, environ=os.environ))


@main.command(cls=Command)
@click.option("--source", default=".", show_default=True, help="Checkout of the project.")
@click.option("--print", "show", is_flag=True, help="Print the configuration, and write nothing.")
@click.option("--force", is_flag=True, help="Replace the .selfheal.toml that is there.")
@click.pass_context
def init(ctx: click.Context, /, *, source: str, show: bool, force: bool) -> None:
    """Write .selfheal.toml from what the repository has: its CI's files, else the usual commands of its languages."""
    from selfheal_ci.commands.init import run_init

    _leave(ctx, run_init(Path(source), environ=os.environ, show=show, force=force))


@main.command(cls=Command)
@click.option("--engine", type=click.Choice(["local", "dagger"]), default="local", show_default=True)
@click.pass_context
def demo(ctx: click.Context, /, *, engine: str) -> None:
    """Break a small project, heal it and publish the fix to a bare repository: no key, no daemon, no network."""
    from selfheal_ci.commands.demo import run_demo

    _leave(ctx, run_demo(environ=os.environ, engine=engine))


@main.command(cls=Command)
@options(DOCTOR)
@click.option("--clean", is_flag=True, help="Remove every prepared state that no healing uses.")
@click.pass_context
def doctor(ctx: click.Context, /, *, clean: bool, cache_dir: str | None) -> None:
    """What this machine can do, by trying; what to install next."""
    from selfheal_ci.commands.doctor import run_clean, run_doctor

    _leave(ctx, (run_clean if clean else run_doctor)(cache_dir, environ=os.environ))


@main.command(cls=Command)
@click.argument("name", type=click.Choice(["heal", "config", "publish"]), default="heal")
def schema(name: str) -> None:
    """The JSON Schema of heal.json, of the configuration, or of publish.json."""
    from selfheal_ci.commands.schema import schema_text

    click.echo(schema_text(name))


def _saying(ctx: click.Context, *, as_json: bool) -> dict[str, Any]:
    from selfheal_ci.observers.console import Verbosity
    from selfheal_ci.wiring import Saying

    loud = Verbosity.QUIET if ctx.obj["quiet"] else Verbosity.VERBOSE if ctx.obj["verbose"] else Verbosity.NORMAL
    return {"saying": Saying(loud, as_json)}


def _leave(ctx: click.Context, exit_code: int) -> None:
    sys.stdout.flush()
    ctx.exit(exit_code)
