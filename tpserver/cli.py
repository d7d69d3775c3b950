"""The command line: arguments -> `Config` -> run, or a command. An error is one line on stderr and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from tpserver.config import OPTIONS, Config
from tpserver.environment import add_environment
from tpserver.errors import TpserverError, UsageError
from tpserver.habits import answer_unknown, understand
from tpserver.options.option import option_name, parse_count, shown_default
from tpserver.serving.ending import limit_wait_for_threads, outlive_rotation
from tpserver.serving.serve import run
from tpserver.version import __version__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tpserver",
        description="Serve a folder of files, a WSGI application, or both.",
        epilog="Commands: tpserver compress DIR writes compressed files beside those of a folder;"
        " tpserver hash-password USER writes a line for --auth;"
        " tpserver service install NAME makes a service of Windows.",
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
    for number, (argument, following) in enumerate(zip(arguments, [*arguments, ""][1:], strict=True)):
        if argument in bare and following not in ("*", "null") and "://" not in following:
            given[number] = f"{argument}={bare[argument]}"
    return given


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line -> those arguments of `Config` that it has. Raises `UsageError`."""
    parsed, unknown = _parser().parse_known_intermixed_args(_with_values(arguments))
    if unknown:
        raise answer_unknown(unknown, [option_name(name) for name in OPTIONS])
    values = vars(parsed)
    understand(values.pop("words"), values)
    return parsed


def parse(arguments: Sequence[str]) -> Config:
    """As `read`, without what the environment adds. Raises `UsageError`."""
    return Config(**vars(read(arguments)))


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


def _service(arguments: Sequence[str]) -> int:
    """Runs the command `service`; returns the exit status of the process. Raises `UsageError` and `ServiceError`."""
    parser = _Parser(
        prog="tpserver service",
        usage="%(prog)s install NAME [--log FILE] [tpserver's options] [WHAT ...]\n"
        "       %(prog)s {remove,start,stop,status} NAME",
        description="Run tpserver as a service of Windows, which starts with the machine. Needs an administrator.",
        epilog="The options of install are those of tpserver, and paths among them are relative to the current folder,"
        " which the service gets as well. The service runs as NT AUTHORITY\\LocalService, which must be able to read"
        " Python, the packages and the site. After a failure it is started again, after 1, 10 and then 60 seconds."
        " Exit status: 0 done, 1 failed or not running (status), 2 wrong usage.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "action",
        choices=("install", "remove", "start", "stop", "status"),
        help="install it; stop and remove it; start it, and wait until it serves; stop it, and wait until all requests"
        " are answered or --drain-timeout is over; say whether it runs",
    )
    parser.add_argument("name", metavar="NAME", help="name of the service: letters, digits and - _ .")
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="file that gets stdout and stderr: the server's log, and the access log unless --access-log names another"
        " (default: %%PROGRAMDATA%%\\tpserver\\NAME.log)",
    )
    given, options = parser.parse_known_args(arguments)
    from tpserver.service.command import service  # not for the server

    return service(given.action, given.name, given.log, options, parse)


def _run_service(arguments: Sequence[str]) -> int:
    """What Windows's service manager starts; returns the exit status of the process. Raises `UsageError`."""
    from tpserver.service.process import run_service

    return run_service(arguments, parse)


# An application or a folder of such a name is ./compress, or given by an option.
_COMMANDS: Final = {
    "compress": _compress,
    "hash-password": _hash_password,
    "service": _service,
    "run-service": _run_service,
}


def _main(arguments: Sequence[str]) -> int:
    try:
        if arguments and arguments[0] in _COMMANDS:
            return _COMMANDS[arguments[0]](arguments[1:])
        values = vars(read(arguments))
        origin = add_environment(values)
        outlive_rotation()
        return run(Config(**values), origin=origin)
    except TpserverError as error:
        return error.report()


def _open_standard_streams() -> None:
    """Opens the null device for each of descriptors 0 to 2 that is closed, for this process and those that it starts.

    Else a socket would get the number, and another process would take it for a standard stream. (Not on Windows: a
    socket has no descriptor there.)
    """
    for number in range(0 if sys.platform == "win32" else 3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it has the lowest number that is free


def command() -> int:
    """Runs the server or a command, in a process that ends then without a long wait for the application's threads.

    Returns the exit status: 0 stopped or done, 1 failed, 2 wrong usage.
    """
    _open_standard_streams()
    status = _main(sys.argv[1:])
    limit_wait_for_threads(status)
    return status
