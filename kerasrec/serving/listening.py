"""Addresses that a server listens on, of IPv4 and IPv6."""

from __future__ import annotations

import socket
import sys

if sys.platform == "win32":
    ADDRESS_OPTION = socket.SO_EXCLUSIVEADDRUSE  # SO_REUSEADDR would let two processes listen on the same port
else:
    ADDRESS_OPTION = socket.SO_REUSEADDR

BACKLOG = 2048
"""Connections that the system holds until the server accepts them."""


def host_port(host: str, port: int) -> str:
    """Host and port as text; an IPv6 address is in brackets.

    Example:
        >>> host_port("::1", 8500)
        '[::1]:8500'
    """
    host = host.strip("[]")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address, with or without brackets; port 0 selects a free port.

    Raises:
        OSError: The port is in use, or the address is not one of this machine.
    """
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol IPPROTO_TCP asyncio disables Nagle's algorithm, which delays answers by 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, ADDRESS_OPTION, 1)
    listening.setblocking(False)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def listen_error(address: str, error: Exception, option: str) -> str:
    """The message for an address on which a server cannot listen."""
    reason = getattr(error, "strerror", None) or "the port is in use"
    return f"cannot listen on {address}: {reason}. Fix: choose a free port with `{option}`, or an address with `host`"
