"""A server whose connections are encrypted, where the options say so: certificates, and the port that redirects."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from tpserver.config import OPTIONS, Config
from tpserver.engine import server as engine
from tpserver.errors import UsageError
from tpserver.logs.log import Log
from tpserver.options.option import option_name
from tpserver.protocol import HTTPProtocol
from tpserver.system.clock import clock
from tpserver.tls.clear_text import ClearTextReceiver
from tpserver.tls.redirecting import redirecting_sockets
from tpserver.transport.listening import endpoint_of

if TYPE_CHECKING:
    from tpserver.tls.certificates import Certificates
    from tpserver.transport.tls import TLS

_log = Log("tpserver")

# Seconds between two looks whether the files of certificates have changed.
LOOK: Final = 3.0  # two looks, and a rest of the watcher, are less than the 10 seconds that --tls-cert says


class TLSServer(engine.Server):
    """As the engine's, with what `make_tls` makes for it."""

    protocol: HTTPProtocol
    _certificates: Certificates | None = None
    _redirect_port = -1
    _reload_due = False
    _next_look = 0.0

    def make_tls(self, config: Config) -> TLS | None:
        """For the engine's constructor; None without a certificate. Raises `UsageError` and `StartError`."""
        self._certificates = _certificates(config)
        if self._certificates is None:
            return None
        self._redirect_port = config.redirect_http
        from tpserver.transport.tls import TLS  # imports ssl

        tls = TLS(self._certificates.load())
        tls.behind_header = config.proxy_protocol
        return tls

    def server_bind(self) -> None:
        """Binds to the port that redirects as well. The sockets for TLS come first: the server is named by them."""
        super().server_bind()
        if self._redirect_port >= 0 and self.tls is not None:
            beside = [] if self.given else redirecting_sockets(self.sockets, self._redirect_port)
            self.tls.clear_port = endpoint_of(beside[0]).port if beside else self._redirect_port
            if not self._redirect_port:
                _log.info("--redirect-http 0: port %d redirects", self.tls.clear_port)
            self.others = [*self.others, *beside]
            encrypted = self.served_sockets
            if not encrypted:
                raise UsageError(f"--redirect-http {self._redirect_port}: no other socket is left for TLS")
            self.socket, *self.others = sorted(self.sockets, key=lambda sock: sock not in encrypted)
            self.name_server()
        port = next((port for sock in self.served_sockets if (port := endpoint_of(sock).port)), self.server_port)
        self.protocol.clear_text_receiver = partial(ClearTextReceiver, self.protocol, port)

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.tls is None else "https"

    @property
    def served_sockets(self) -> list[socket.socket]:
        """Those that listen, without those that only redirect."""
        port = None if self.tls is None else self.tls.clear_port
        return [sock for sock in self.sockets if port is None or endpoint_of(sock).port != port]

    def reload_certificates(self) -> None:
        """Reads the files of certificates again, soon. Connections keep what they have. Any thread; signal handlers."""
        self._reload_due = True

    def service_actions(self) -> None:
        """The watcher, in each round of checks."""
        if self._certificates is None or not (self._reload_due or clock.monotonic() >= self._next_look):
            return
        due, self._reload_due = self._reload_due, False
        self._next_look = clock.monotonic() + LOOK
        if due or self._certificates.have_changed():
            self._replace_contexts(self._certificates)

    def _replace_contexts(self, certificates: Certificates) -> None:
        assert self.tls is not None
        try:
            self.tls.replace_contexts(certificates.load())
        except UsageError as error:
            _log.error("the certificates have changed and cannot be used, the old ones stay: %s", error)
        else:
            _log.info("new connections use the certificates as they are now")


def _certificates(config: Config) -> Certificates | None:
    """Those that the options name; None without TLS. Raises `UsageError`, and `StartError` without `cryptography`."""
    if not config.encrypted:
        for name in ("tls_key", "tls_password_file", "tls_client_ca", "redirect_http", "hsts"):
            if getattr(config, name) != OPTIONS[name].default:
                raise UsageError(f"{option_name(name)} is for TLS: give a certificate by --tls-cert as well")
        return None
    certificates, keys = config.tls_cert, config.tls_key
    if config.tls is not None:
        if certificates or keys:
            raise UsageError("--tls self-signed and --tls-cert: give one of them")
        from tpserver.tls.self_signed import self_signed_file

        certificates = (self_signed_file(),)
    if len(keys) not in (0, len(certificates)):
        raise UsageError(f"{len(certificates)} --tls-cert and {len(keys)} --tls-key: give each certificate its key")
    from tpserver.tls.certificates import Certificates  # imports ssl

    pairs = list(zip(certificates, keys or certificates, strict=True))
    return Certificates(pairs, config.tls_password_file, config.tls_client_ca)
