"""The command line: arguments -> `Config` -> run, or a command. A clear line and an exit status for what is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from tpserver.compress.command import compress
from tpserver.config import Config, option_name, options, parse_count, shown_default
from tpserver.ending import end_if_log_is_stuck, limit_wait_for_threads
from tpserver.errors import StartError, TpserverError, UsageError
from tpserver.run import run
from tpserver.version import __version__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tpserver",
        description="Serve a folder of files, a WSGI application, or both.",
        epilog="There is one command: tpserver compress DIR writes compressed files beside those of a folder.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "application", nargs="?", metavar="MODULE:CALLABLE", help="the WSGI application (same as --app)"
    )
    for declared, option in options():
        how: dict[str, Any] = {
            "default": argparse.SUPPRESS,
            "help": f"{option.meaning} (default: {shown_default(declared, option)})".replace("%", "%%"),
        }
        if declared.default is False:
            how["action"] = "store_true"
        else:
            how |= {"metavar": option.metavar, "type": _typed(option.parse), "choices": option.choices}
            if declared.default == ():
                how["action"] = "append"
        parser.add_argument(option_name(declared), **how)
    parser.add_argument("--version", action="version", version=f"tpserver {__version__}")
    return parser


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def typed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def parse(arguments: Sequence[str] | None = None) -> Config:
    """Command-line arguments -> `Config`. Raises `UsageError`."""
    values = vars(_parser().parse_args(arguments))
    application = values.pop("application")
    if application is not None:
        if "app" in values:
            raise UsageError("the application was given twice, by itself and by --app")
        values["app"] = application
    return Config(**values)


def _compress(arguments: Sequence[str]) -> int:
    """The command `compress`; the process's exit status. Raises `UsageError`."""
    parser = _Parser(
        prog="tpserver compress",
        description="Write compressed files (.br, .zst, .gz) beside those of a folder, for the server to send."
        " What is up to date is left as it is.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="the folder, with all that is below it")
    parser.add_argument(
        "--jobs", metavar="N", type=_typed(parse_count), help="files at once (default: one for each processor)"
    )
    given = parser.parse_args(arguments)
    return compress(given.folder, jobs=given.jobs)


# What comes instead of an application: a word of its own, which is no MODULE:CALLABLE.
COMMANDS: Final[dict[str, Callable[[Sequence[str]], int]]] = {"compress": _compress}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server, or a command; the process's exit status: 0 stopped or done, 1 failed, 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given and given[0] in COMMANDS:
            return COMMANDS[given[0]](given[1:])
        server = run(parse(given))
    except TpserverError as error:
        print(f"tpserver: error: {error}", file=sys.stderr)
        if isinstance(error, StartError) and error.cause_text:
            print(error.cause_text, end="", file=sys.stderr)
        return error.exit_status
    end_if_log_is_stuck(server.log_stuck, server.exit_status)
    return server.exit_status


def command() -> int:
    """As `main`, for a process of its own, which ends then: it does not wait for ever for the application's threads."""
    status = main()
    limit_wait_for_threads(status)
    return status
