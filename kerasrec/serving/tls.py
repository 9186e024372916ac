"""TLS credentials from PEM files, for servers and clients."""

from __future__ import annotations

import contextlib
import os
import socket
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


def handshake_problem(address: str, tls: TLS | None, timeout: float) -> str | None:
    """Why a server rejects the connections of a client; None if TLS is not the reason.

    gRPC reports only "Socket closed" if a server rejects a certificate, so the handshake is repeated.

    Args:
        address: `host:port`.
        tls: certificates of the client; None if it does not use TLS.
        timeout: seconds for each step.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    context = ssl.create_default_context(cafile=None if tls is None else tls.ca)
    if tls is None or tls.ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls is not None and tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, int(port)), timeout) as connection,
            context.wrap_socket(connection, server_hostname=host) as encrypted,
        ):
            if tls is None:
                return "the server requires TLS. Fix: set `tls`"
            # In TLS 1.3 the server checks the client's certificate after the handshake, and gRPC then only closes the
            # connection. A server that accepts the client sends its settings.
            with contextlib.suppress(ConnectionError):
                if encrypted.recv(1):
                    return None
            return _certificate_problem(tls)
    except ssl.SSLCertVerificationError as error:
        return (
            f"the server's certificate is not valid ({error.verify_message}). Fix: set its authority as `ca` of `tls`"
        )
    except ssl.SSLError as error:
        return None if tls is None else _explained(error.reason or str(error), tls)
    except (OSError, ValueError):
        pass
    return None


def _certificate_problem(tls: TLS) -> str:
    if tls.cert is None:
        return "the server requires a client certificate. Fix: set `cert` and `key` of `tls`"
    return "the server rejects the client's certificate. Fix: set another `cert` and `key` of `tls`"


def _explained(reason: str, tls: TLS) -> str:
    """The reason of OpenSSL for a failed handshake, such as `TLSV13_ALERT_CERTIFICATE_REQUIRED`."""
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return "the server does not use TLS. Fix: leave out `tls`"
    if "ALERT" in reason:
        return _certificate_problem(tls)
    return f"the TLS handshake failed ({reason})"


def _read(file: str | os.PathLike[str] | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
