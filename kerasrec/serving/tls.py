"""TLS credentials from PEM files, for servers and clients."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class TLS:
    """Certificate, private key and trusted authorities of one end of a connection, all in PEM files.

    A server needs `cert` and `key`; with `ca` it requires client certificates of that authority
    (mutual TLS). A client needs `ca`, and for mutual TLS also `cert` and `key`.

    Args:
        cert: certificate of this end, followed by any intermediate certificates.
        key: private key of `cert`.
        ca: certificates of the authorities that must have signed the certificate of the other end.
            If omitted, a client trusts the authorities of gRPC and a server requires no client certificate.

    Raises:
        ValueError: Only one of `cert` and `key` is set.
    """

    cert: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    ca: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            present, missing = ("key", "cert") if self.cert is None else ("cert", "key")
            raise ValueError(f"expected `cert` and `key` together, got only `{present}`. Fix: set `{missing}`")

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server.

        Raises:
            ValueError: `cert` is not set, or `cert` and `key` do not match.
        """
        if self.cert is None:
            raise ValueError("expected `cert` and `key` for a TLS server, got neither")
        try:  # gRPC reports only that it cannot listen
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"expected a certificate and its private key in PEM, got {self.cert} and {self.key} "
                f"({error.strerror or error})"
            ) from None
        pair = (_read(self.key), _read(self.cert))
        return grpc.ssl_server_credentials([pair], _read(self.ca), require_client_auth=self.ca is not None)

    def client_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a gRPC client."""
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))


def _read(file: str | os.PathLike[str] | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
