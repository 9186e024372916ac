"""What a server accepts: sizes of requests, and connections."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from kerasrec.validation import check_at_least

if sys.platform == "win32":

    def _max_open_files() -> float:
        return math.inf  # sockets are not counted as files

else:
    import resource

    def _max_open_files() -> float:
        soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return math.inf if soft_limit == resource.RLIM_INFINITY else soft_limit


RESERVED_FILES = 64
"""Files that a process needs besides its connections: libraries, versions that are loaded, logs."""


@dataclass(frozen=True)
class Limits:
    """What a server accepts from its clients. Everything beyond is rejected with an error that states the limit.

    Args:
        max_rows: users in one request.
        max_width: ids for each user in `history`, `exclude` or `candidates`, padding included.
        max_request_bytes: bytes of one request.
        max_connections: open connections of each protocol. If the process may open few files (`ulimit -n`), the
            limit is lower. At the limit, a new REST connection replaces the oldest one without any request, or else
            the one that has been idle longest; gRPC rejects new connections.
        header_timeout: seconds to receive the head of a request, or to complete the handshake of a connection.

    Raises:
        ValueError: A limit is below 1, or `header_timeout` is not above 0.
    """

    max_rows: int = 1000
    max_width: int = 10_000
    max_request_bytes: int = 16 * 1024 * 1024
    max_connections: int = 1000
    header_timeout: float = 10.0

    def __post_init__(self) -> None:
        check_at_least(
            1,
            max_rows=self.max_rows,
            max_width=self.max_width,
            max_request_bytes=self.max_request_bytes,
            max_connections=self.max_connections,
        )
        if not self.header_timeout > 0:
            raise ValueError(f"expected `header_timeout` above 0, got {self.header_timeout}")

    def connections_of(self, n_protocols: int) -> int:
        """Connections that each of `n_protocols` may have open, so that the process does not run out of files."""
        return max(1, int(min(self.max_connections, (_max_open_files() - RESERVED_FILES) / n_protocols)))
