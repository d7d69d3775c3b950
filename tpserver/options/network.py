"""The options for the addresses that clients reach: the second part of `Config`."""

from __future__ import annotations

import re

from tpserver.http.proxies import parse_trusted_proxy
from tpserver.options.option import flag, option, parse_port
from tpserver.record import Record
from tpserver.transport.endpoint import Endpoint, parse_endpoint
from tpserver.transport.listening import SocketOptions


def parse_mode(text: str) -> int:
    """Permissions, such as 660. Raises ValueError."""
    if re.fullmatch(r"(0o?)?[0-7]{3}", text) is None:
        raise ValueError(f"{text!r} is not the permissions of a file, such as 660")
    return int(text[-3:], 8)


def parse_owner(text: str) -> str:
    """USER, USER:GROUP or :GROUP. Raises ValueError."""
    if re.fullmatch(r"[\w.$@-]*(:[\w.$@-]+)?", text) is None or not text:
        raise ValueError(f"{text!r} is not USER, USER:GROUP or :GROUP")
    return text


class NetworkOptions(Record, frozen=True):
    """Where the server listens, and how it encrypts."""

    bind: tuple[Endpoint, ...] = option(
        (),
        "ADDRESS",
        "Address to listen on: HOST:PORT, [IPV6]:PORT, unix:PATH for a unix socket, unix:@NAME for one without a file"
        " (Linux; every user of the machine can connect), or fd:N for a socket that the process has got from its"
        " parent. May be repeated. [::]:PORT takes IPv4 clients, too. Without a port --port is used.",
        parse=parse_endpoint,
        parsed_type=Endpoint,
        shown="--host and --port",
        also=("-b",),
    )
    host: str = option(
        "127.0.0.1",
        "HOST",
        "Address to listen on where there is no --bind, or a name, which may have several. 0.0.0.0: all IPv4 addresses"
        " of this machine. On the command line a port may follow, as in 0.0.0.0:8000.",
    )
    port: int = option(
        8888,
        "PORT",
        "Port to listen on. 0: a free port; the server prints which.",
        most=65535,
        also=("-p",),
        parse=parse_port,
    )
    backlog: int = option(
        4096,
        "N",
        "Most connections that wait until they are accepted. The system may allow fewer (Linux: net.core.somaxconn).",
        least=1,
        most=2**31 - 1,
    )
    reuse_port: bool = flag(
        "Let other processes of the same user that do so as well listen on the same port; the system divides the"
        " connections (SO_REUSEPORT; not on Windows). When one of the processes stops, connections that it has not"
        " accepted yet are reset."
    )
    unix_mode: int = option(
        -1,
        "MODE",
        "Permissions of the files of unix sockets, such as 660. Who may write may connect.",
        parse=parse_mode,
        least=-1,
        most=0o777,
        shown="as the umask says",
    )
    unix_owner: str | None = option(
        None,
        "USER:GROUP",
        "Owner of the files of unix sockets: USER, USER:GROUP or :GROUP.",
        parse=parse_owner,
        shown="the user of the server",
    )

    @property
    def socket_options(self) -> SocketOptions:
        """How all of them are bound."""
        return SocketOptions(self.reuse_port, self.unix_mode, self.unix_owner)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All addresses to listen on."""
        if not self.bind:
            return (Endpoint(self.host, self.port),)
        return tuple(one._replace(port=self.port) if one.host and one.port is None else one for one in self.bind)

    trusted_proxy: tuple[str, ...] = option(
        (),
        "ADDRESS",
        "Proxy in front of the server: an address, a network such as 10.0.0.0/8, unix for the clients of a unix socket,"
        " or * for every client. What it says of its clients is believed: Forwarded, or X-Forwarded-For, -Proto, -Host,"
        " -Port and -Prefix; it has to set or to remove each of them. The client is the last address in the list that"
        " is no trusted proxy. May be repeated. On the command line the variable FORWARDED_ALLOW_IPS, a list with"
        " commas, stands in for it.",
        parse=parse_trusted_proxy,
    )
    untrusted_forwarded: str = option(
        "auto",
        "WHAT",
        "What happens to Forwarded, X-Forwarded-* and X-Real-IP in requests of others than trusted proxies, which are"
        " never believed. drop: the application does not see them. keep: it sees them as they came."
        " auto: drop where there are trusted proxies, else keep.",
        choices=("auto", "keep", "drop"),
    )
    proxy_protocol: bool = flag(
        "Each connection begins with a header of the PROXY protocol, version 1 or 2, by which a --trusted-proxy says"
        " who its client is (HAProxy: send-proxy-v2-ssl). Connections without it, and those of others, are refused."
    )

    @property
    def drops_forwarded(self) -> bool:
        """Whether strangers' requests lose the fields by which proxies speak."""
        return self.untrusted_forwarded == "drop" or (self.untrusted_forwarded == "auto" and bool(self.trusted_proxy))

    tls_cert: tuple[str, ...] = option(
        (),
        "FILE",
        "Certificate in PEM form, followed by those that lead to its authority: all connections are encrypted (TLS 1.2"
        " and 1.3). May be repeated: the names in the certificates decide which one a client gets, the first where none"
        " fits. Files that change are read again within 10 seconds, and upon SIGHUP; a pair that cannot be used is"
        " logged, and the old one stays.",
        also=("--certfile", "--cert", "--ssl-certfile", "--ssl-certificate"),
    )
    tls_key: tuple[str, ...] = option(
        (),
        "FILE",
        "Private key of a --tls-cert in PEM form; one for each, in the same order.",
        shown="in the file of the certificate",
        also=("--keyfile", "--key", "--ssl-keyfile"),
    )
    tls_password_file: str | None = option(
        None, "FILE", "File with the password of the private keys.", shown="keys without a password"
    )
    tls_client_ca: str | None = option(
        None,
        "FILE",
        "Certificates of authorities in PEM form: clients must have a certificate that one of these has signed. The"
        " application finds it in the variables SSL_CLIENT_..., named as those of Apache's mod_ssl.",
        shown="clients need none",
        also=("--ca-certs", "--ssl-ca-certs", "--ssl-ca"),
    )
    tls: str | None = option(
        None,
        "KIND",
        "Encrypt with a certificate of another kind. self-signed: one that this machine signs itself, for development;"
        " browsers warn of it. It is for localhost and the addresses of this machine, and is kept in the user's folder"
        " for caches. Needs the package cryptography (tpserver[tls]).",
        choices=("self-signed",),
        shown="no encryption without --tls-cert",
    )
    redirect_http: int = option(
        -1,
        "PORT",
        "Second port, usually 80, which redirects clients that do not encrypt to the port for TLS.",
        parse=parse_port,
        least=-1,
        most=65535,
        shown="none",
    )
    hsts: int = option(
        0,
        "SECONDS",
        "Seconds for which browsers may use encrypted connections only to this host (Strict-Transport-Security): begin"
        " with 300, later 31536000. There is no way back before they are over. Not where the application sends the"
        " field itself. 0: no such field.",
    )

    @property
    def encrypted(self) -> bool:
        """Whether the server has TLS."""
        return bool(self.tls_cert or self.tls)
