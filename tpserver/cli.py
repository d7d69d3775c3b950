"""The command line: arguments -> `Config` -> run, or a command. An error is one line on stderr and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from tpserver.config import OPTIONS, Config
from tpserver.ending import limit_wait_for_threads, outlive_rotation
from tpserver.errors import StartError, TpserverError, UsageError
from tpserver.habits import answer_unknown, understand
from tpserver.option import option_name, parse_count, shown_default
from tpserver.run import run
from tpserver.version import __version__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tpserver",
        description="Serve a folder of files, a WSGI application, or both.",
        epilog="Commands: tpserver compress DIR writes compressed files beside those of a folder;"
        " tpserver hash-password USER writes a line for --auth.",
        allow_abbrev=False,
        add_help=False,
        usage="%(prog)s [options] [WHAT ...]",  # else argparse writes it to parse arguments, and imports shutil for it
    )
    # In groups, where argparse does not try out the help of each argument when it is added: that takes 4 ms.
    positional, options = parser.add_argument_group("positional arguments"), parser.add_argument_group("options")
    positional.add_argument(
        "words",
        nargs="*",
        metavar="WHAT",
        help="folder to serve (as --root), WSGI application (as --app), or port (as --port)",
    )
    options.add_argument("-h", "--help", action="help", help="show this help message and exit")
    for field_name, option in OPTIONS.items():
        name = option_name(field_name)
        text = f"{option.meaning} (default: {shown_default(option)})".replace("%", "%%")
        if option.default is False:
            options.add_argument(name, *option.also, default=argparse.SUPPRESS, help=text, action="store_true")
        else:
            options.add_argument(
                name,
                *option.also,
                default=argparse.SUPPRESS,
                help=text,
                action="append" if option.default == () else "store",
                metavar=option.metavar,
                type=_typed(option.parse),
                choices=option.choices,
            )
    options.add_argument("--version", action="version", version=f"tpserver {__version__}")
    return parser


def _typed(parse: Callable[[str], object]) -> Callable[[str], object]:
    """`parse` with the error that argparse reports with its own words around the text."""

    def typed(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _with_values(arguments: Sequence[str]) -> list[str]:
    """The same, with a value for each option that has none and may have none: what follows may be a folder."""
    bare = {option_name(name): option.bare for name, option in OPTIONS.items() if option.bare}
    given = list(arguments)
    for number, (argument, following) in enumerate(zip(arguments, [*arguments[1:], ""], strict=True)):
        if argument in bare and following not in ("*", "null") and "://" not in following:
            given[number] = f"{argument}={bare[argument]}"
    return given


def parse(arguments: Sequence[str]) -> Config:
    """The command line -> the options. Raises `UsageError`."""
    parsed, unknown = _parser().parse_known_intermixed_args(_with_values(arguments))
    if unknown:
        raise answer_unknown(unknown, [option_name(name) for name in OPTIONS])
    values = vars(parsed)
    understand(values.pop("words"), values)
    return Config(**values)


def _compress(arguments: Sequence[str]) -> int:
    """Runs the command `compress`; returns the exit status of the process. Raises `UsageError`."""
    parser = _Parser(
        prog="tpserver compress",
        description="Write compressed files (.br, .zst, .gz) beside those of a folder, for the server to send."
        " Files that are up to date are not changed.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="folder whose files are compressed, with all folders below it")
    parser.add_argument(
        "--jobs", metavar="N", type=_typed(parse_count), help="files compressed at once (default: one per processor)"
    )
    given = parser.parse_args(arguments)
    from tpserver.compress.command import compress  # not for the server

    return compress(given.folder, jobs=given.jobs)


def _hash_password(arguments: Sequence[str]) -> int:
    """Runs the command `hash-password`; returns the exit status of the process. Raises `UsageError`."""
    parser = _Parser(
        prog="tpserver hash-password",
        description="Read a password from the terminal, or one line of stdin, and write its hash for a file of --auth.",
        allow_abbrev=False,
    )
    parser.add_argument("user", metavar="USER", nargs="?", help="name that the line begins with: USER:scrypt$...")
    given = parser.parse_args(arguments)
    from tpserver.hash_password import write_hash  # not for the server

    return write_hash(given.user)


def _main(arguments: Sequence[str]) -> int:
    try:
        # An application or a folder of that name is ./compress, or given by an option.
        if arguments[:1] == ["compress"]:
            return _compress(arguments[1:])
        if arguments[:1] == ["hash-password"]:
            return _hash_password(arguments[1:])
        config = parse(arguments)
        outlive_rotation()
        return run(config)
    except TpserverError as error:
        print(f"tpserver: error: {error}", file=sys.stderr)
        if isinstance(error, StartError) and error.cause_text:
            print(error.cause_text, end="", file=sys.stderr)
        return error.exit_status


def command() -> int:
    """Runs the server or a command, in a process that ends then without a long wait for the application's threads.

    Returns the exit status: 0 stopped or done, 1 failed, 2 wrong usage.
    """
    status = _main(sys.argv[1:])
    limit_wait_for_threads(status)
    return status
