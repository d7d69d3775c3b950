"""Opening listening sockets: of hosts, of paths, and those that the process has been given."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tpserver.errors import AddressError
from tpserver.transport import unix_socket
from tpserver.transport.endpoint import Endpoint, parse_endpoint
from tpserver.transport.listening import (
    SocketOptions,
    bind_sockets,
    endpoint_of,
    listen,
    open_sockets,
    remove_files,
    socket_files,
)
from tpserver.transport.unix_socket import AF_UNIX

needs_unix = pytest.mark.skipif(AF_UNIX is None, reason="this Python has no unix sockets")


@contextlib.contextmanager
def opened(*texts: str, **options: Any) -> Iterator[list[socket.socket]]:
    sockets = open_sockets([parse_endpoint(text) for text in texts], SocketOptions(**options))
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: paths of unix sockets are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(sock: socket.socket) -> bool:
    """Whether a client gets through to a listening socket."""
    with socket.socket(sock.family) as client:
        client.connect(sock.getsockname())
        accepted, _ = sock.accept()
        accepted.close()
    return not sock.getblocking()


def test_several_addresses_are_opened_in_their_order() -> None:
    with opened("127.0.0.1:0", "127.0.0.1:0") as sockets:
        assert all(map(answers, sockets))
        assert len({sock.getsockname()[1] for sock in sockets}) == 2


def test_one_that_cannot_be_opened_is_named_and_none_stays_open() -> None:
    with opened("127.0.0.1:0") as (taken,), socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free, port = probe.getsockname()[1], taken.getsockname()[1]
        probe.close()
        with pytest.raises(AddressError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: "):
            open_sockets([Endpoint("127.0.0.1", free), Endpoint("127.0.0.1", port)])
        with opened(f"127.0.0.1:{free}"):
            pass


def test_a_name_that_is_not_known_is_told() -> None:
    with pytest.raises(AddressError, match=r"^cannot listen on host\.invalid:0: "):
        open_sockets([Endpoint("host.invalid", 0)])


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("2001:db8::7:80", r"; for a port write \[2001:db8::7\]:80$"),
        ("2001:db8::8000", r"; for a port write \[2001:db8::\]:8000$"),
        ("2001:db8::7:abc", r"(?<!:80)$"),
        ("192.0.2.1", r"(?<!:80)$"),
    ],
)
def test_an_address_of_ipv6_that_has_a_port_without_brackets_is_explained(host: str, advice: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with pytest.raises(AddressError, match=advice) as raised:
        open_sockets([Endpoint(host, 0)])
    assert ("for a port" in str(raised.value)) == ("for a port" in advice)


@needs_unix
def test_a_unix_socket_takes_clients_and_its_file_is_removed_at_the_end(folder: Path) -> None:
    endpoint = parse_endpoint("unix:sock")
    with opened("unix:sock") as (sock,):
        assert answers(sock)
        assert endpoint_of(sock) == endpoint
        remove_files(socket_files([endpoint]))
        assert not (folder / "sock").exists()


@needs_unix
def test_a_file_that_another_server_has_put_there_is_not_removed(folder: Path) -> None:
    with opened("unix:sock"):
        files = socket_files([parse_endpoint("unix:sock")])
        (folder / "sock").unlink()
        with opened("unix:sock") as (other,):
            remove_files(files)
            assert answers(other)


@needs_unix
def test_the_permissions_of_a_unix_socket_are_those_asked_for(folder: Path) -> None:
    with opened("unix:sock", unix_mode=0o600):
        assert stat.S_IMODE((folder / "sock").stat().st_mode) == 0o600


@needs_unix
def test_the_owner_of_a_unix_socket_is_the_one_asked_for(folder: Path) -> None:
    import grp
    import pwd

    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    other = 12345 if os.getuid() == 0 else os.getgid()  # only root may give files away
    for owner, expected in (
        (user, (os.getuid(), os.getgid())),
        (f"{user}:{group}", (os.getuid(), os.getgid())),
        (f":{other}", (os.getuid(), other)),
    ):
        with opened("unix:sock", unix_owner=owner):
            status = (folder / "sock").stat()
        assert (status.st_uid, status.st_gid) == expected


@needs_unix
def test_an_owner_that_is_not_known_is_told_and_no_file_stays(folder: Path) -> None:
    with pytest.raises(AddressError, match="unix-owner no-such-user"):
        open_sockets([parse_endpoint("unix:sock")], SocketOptions(unix_owner="no-such-user"))
    assert not (folder / "sock").exists()


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")
def test_processes_that_both_ask_for_it_share_a_port() -> None:
    with opened("127.0.0.1:0", reuse_port=True) as (one,):
        port = one.getsockname()[1]
        with opened(f"127.0.0.1:{port}", reuse_port=True):
            pass
        with pytest.raises(AddressError):
            open_sockets([Endpoint("127.0.0.1", port)])


def test_where_a_port_cannot_be_shared_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(AddressError, match="this system has no SO_REUSEPORT"):
        open_sockets([Endpoint("127.0.0.1", 0)], SocketOptions(reuse_port=True))


@needs_unix
def test_a_file_that_no_process_listens_on_is_taken_over(folder: Path) -> None:
    with opened("unix:sock"):
        pass
    assert (folder / "sock").exists()
    with opened("unix:sock") as (sock,):
        assert answers(sock)


@needs_unix
@pytest.mark.parametrize("full", [False, True])
def test_a_file_that_a_process_listens_on_is_left_to_it(folder: Path, full: bool) -> None:
    with socket.socket(AF_UNIX or 0) as other, contextlib.ExitStack() as clients:
        other.bind("sock")
        other.listen(0)
        while full:
            client = clients.enter_context(socket.socket(AF_UNIX or 0))
            client.setblocking(False)
            full = client.connect_ex("sock") == 0
        with pytest.raises(AddressError, match=r"^cannot listen on unix:sock: another process listens on it"):
            open_sockets([parse_endpoint("unix:sock")])
        assert (folder / "sock").exists()


@needs_unix
def test_two_servers_that_start_at_once_do_not_take_the_file_from_each_other(folder: Path) -> None:
    """The first has bound it, and is not yet told to listen."""
    with opened("unix:sock"):
        pass  # its file is left over
    (first,) = bind_sockets([parse_endpoint("unix:sock")])
    with first:
        with pytest.raises(AddressError, match="another process listens on it"):
            open_sockets([parse_endpoint("unix:sock")])
        listen([first])
        assert answers(first)


@needs_unix
def test_a_file_that_another_server_puts_there_meanwhile_is_not_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("unix:sock"):
        pass
    others = []

    def refused(*_: object) -> int:
        (folder / "sock").rename(folder / "left")  # so that its inode is not used again
        others.extend(bind_sockets([parse_endpoint("unix:sock")]))
        return errno.ECONNREFUSED

    monkeypatch.setattr(unix_socket, "_alone", contextlib.nullcontext)
    monkeypatch.setattr(unix_socket, "_try_to_connect", refused)
    with pytest.raises(AddressError, match="in use"):
        open_sockets([parse_endpoint("unix:sock")])
    listen(others)
    assert answers(others[0])
    others[0].close()


@needs_unix
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_servers_that_start_in_one_folder_take_turns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    lock, locked = fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        lock(descriptor, how)
        locked.append((how, (folder / "sock").exists()))

    monkeypatch.setattr(fcntl, "flock", flock)
    with opened("unix:sock") as (sock,):
        assert locked == [(fcntl.LOCK_EX, False)]
        assert answers(sock)
        here = os.open(folder, os.O_RDONLY)
        lock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the next one may
        os.close(here)


@needs_unix
def test_a_file_that_is_no_socket_is_never_removed(folder: Path) -> None:
    (folder / "notes.txt").write_text("text")
    with pytest.raises(AddressError, match="which is no socket"):
        open_sockets([parse_endpoint("unix:notes.txt")])
    assert (folder / "notes.txt").read_text() == "text"


@needs_unix
def test_a_link_to_a_socket_is_no_socket(folder: Path) -> None:
    with opened("unix:sock"):
        pass
    (folder / "link").symlink_to("sock")
    with pytest.raises(AddressError, match="which is no socket"):
        open_sockets([parse_endpoint("unix:link")])
    assert (folder / "sock").exists()


@needs_unix
def test_a_path_that_is_too_long_is_told_with_the_limit(folder: Path) -> None:
    with pytest.raises(AddressError, match=r"the path of a unix socket has 10\d bytes at most"):
        open_sockets([Endpoint(path="x" * 120)])


@needs_unix
def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(AddressError, match=r"^cannot listen on unix:none/sock: "):
        open_sockets([parse_endpoint("unix:none/sock")])


@needs_unix
def test_where_a_later_address_fails_no_file_stays(folder: Path) -> None:
    with opened("127.0.0.1:0") as (taken,), pytest.raises(AddressError):
        open_sockets([parse_endpoint("unix:sock"), Endpoint("127.0.0.1", taken.getsockname()[1])])
    assert not (folder / "sock").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
@needs_unix
def test_an_abstract_name_has_no_file_and_is_free_at_once() -> None:
    text = f"unix:@tpserver-{os.getpid()}"
    for _ in range(2):
        with opened(text) as (sock,):
            assert answers(sock)
            assert str(endpoint_of(sock)) == text
            with pytest.raises(AddressError, match="in use"):
                open_sockets([parse_endpoint(text)])


@pytest.mark.skipif(AF_UNIX is not None, reason="this Python has unix sockets")
def test_without_unix_sockets_it_is_told() -> None:
    with pytest.raises(AddressError, match="Python has no unix sockets"):
        open_sockets([parse_endpoint("unix:sock")])


@pytest.mark.parametrize("listening", [False, True])
def test_a_socket_that_the_process_has_been_given_is_served(listening: bool) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    if not listening:
        given.close()
        given = socket.socket()
        given.bind(("127.0.0.1", 0))
    given.set_inheritable(True)
    with opened(f"fd:{given.detach()}") as (sock,):
        assert answers(sock)
        assert not sock.get_inheritable()


def test_a_descriptor_that_is_not_open_is_told() -> None:
    with socket.socket() as sock:
        number = sock.fileno()
    with pytest.raises(AddressError, match=f"^cannot listen on fd:{number}: "):
        open_sockets([Endpoint(descriptor=number)])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells nothing of a socket that is not bound")
def test_a_socket_of_another_kind_stays_open_and_is_told() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket() as unbound:
        for sock, told in ((datagrams, "no socket for streams"), (unbound, "bound to no address")):
            with pytest.raises(AddressError, match=told):
                open_sockets([Endpoint(descriptor=sock.fileno())])
            sock.getsockname() if sock is datagrams else sock.bind(("127.0.0.1", 0))


def test_a_connection_of_the_parent_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        with pytest.raises(AddressError, match="it is a connection, not a socket that listens"):
            open_sockets([Endpoint(descriptor=client.fileno())])
        server.accept()[0].close()


def test_one_that_listens_keeps_its_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listening(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = Listening(fileno=os.dup(server.fileno())) if sys.platform != "win32" else server
        with sock:
            listen([sock])


def test_all_ipv4_and_all_ipv6_addresses_have_the_same_port() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with opened("[::]:0") as (both,):
        port = both.getsockname()[1]
        assert not both.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    with opened(f"0.0.0.0:{port}", f"[::]:{port}") as (four, six):
        assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        assert four.getsockname()[1] == six.getsockname()[1] == port
