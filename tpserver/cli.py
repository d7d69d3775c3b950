"""The command line: arguments -> `Config` -> run. One clear line and an exit status for whatever is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tpserver.config import Config, option_name, options, shown_default
from tpserver.errors import StartError, TpserverError, UsageError
from tpserver.run import end_process_if_hung, run
from tpserver.version import __version__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tpserver",
        description="Serve a folder of files, a WSGI application, or both.",
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server; the process's exit status: 0 stopped, 1 could not start, 2 wrong usage."""
    try:
        server = run(parse(arguments))
    except TpserverError as error:
        print(f"tpserver: error: {error}", file=sys.stderr)
        if isinstance(error, StartError) and error.cause_text:
            print(error.cause_text, end="", file=sys.stderr)
        return error.exit_status
    end_process_if_hung(server)
    return 0
