"""What a connection says of TLS: how it is encrypted, or that it is not."""

from __future__ import annotations

from collections.abc import Mapping


class Encryption:
    """How one connection is encrypted. It does not change, but for `variables`."""

    __slots__ = ("certificate", "certificate_der", "cipher", "key_bits", "protocol", "variables")

    def __init__(
        self,
        protocol: str,
        cipher: str,
        key_bits: int,
        certificate: Mapping[str, object] | None = None,
        certificate_der: bytes | None = None,
    ) -> None:
        """`certificate` is the client's, which has been verified, as `ssl.SSLSocket.getpeercert` has it."""
        self.protocol = protocol  # "TLSv1.3"
        self.cipher = cipher  # OpenSSL's name
        self.key_bits = key_bits
        self.certificate = certificate
        self.certificate_der = certificate_der
        self.variables: dict[str, str] | None = None  # the same in the words of who asked, kept for the next request


class Unencrypted:
    """The base of `Connection`. A `TLSConnection` answers otherwise."""

    __slots__ = ()
    encrypted = False

    @property
    def encryption(self) -> Encryption | None:
        """How it is encrypted; None where it is not. Any thread."""
        return None

    @property
    def stuck(self) -> bool:
        """The leader: whether no byte that comes will tell when to receive: it does when the socket can be written."""
        return False

    def begin_encryption(self, rest: bytes) -> bytes:
        """The leader: the header of a proxy has come in clear text, and `rest` behind it; returns `rest` as it is read.

        Raises OSError where the client does not keep to the protocol.
        """
        return rest

    def tell_end(self) -> bool:
        """The leader, when all is sent: tells the client so, behind it. False: the socket has no room for that now."""
        return True
