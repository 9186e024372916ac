"""Certificates from files, for both ends of a connection."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class TLS:
    """One end's certificate, and whom it trusts; all in PEM files.

    A server needs `cert` and `key`; with `ca` it answers only clients that hold a certificate of
    that authority (mutual TLS). A client needs `ca`, the authority that signed the server's
    certificate (absent: those that the system trusts), and for mutual TLS `cert` and `key`.

    Args:
        cert: this end's certificate, and any intermediate ones behind it.
        key: its private key.
        ca: certificates of the authorities that the other end is held against.

    Raises:
        ValueError: one of `cert` and `key` is given without the other.
    """

    cert: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    ca: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ValueError("TLS needs `cert` and `key` together: a certificate is of no use without its key")

    def of_server(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server.

        Raises:
            ValueError: there is no certificate, or key and certificate are not a pair.
        """
        if self.cert is None:
            raise ValueError("a server needs `cert` and `key` to speak TLS")
        try:  # gRPC would say no more than that it cannot listen
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"{self.cert} and {self.key} are no certificate and its key in PEM ({error.strerror or error})"
            ) from None
        pair = (_read(self.key), _read(self.cert))
        return grpc.ssl_server_credentials([pair], _read(self.ca), require_client_auth=self.ca is not None)

    def of_client(self) -> grpc.ChannelCredentials:
        """Credentials of a gRPC client."""
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))


def _read(file: str | os.PathLike[str] | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
