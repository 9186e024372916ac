"""HTTP connections with a time limit for the head of a request, and a limit of their number.

uvicorn has neither: idle sockets would occupy all files of the process. asyncio then logs a thousand lines for each
attempt to accept a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from kerasrec.serving.logs import LOG

WRITE_TIMEOUT = 60.0
"""Seconds in which a client must read some of its answer."""

ACCEPT_PAUSE = 0.1
"""Seconds until the next attempt if the system cannot open another connection."""


class Connections:
    """The open connections of a server.

    Args:
        max_connections: most open connections.
        header_timeout: seconds to receive the head of a request, or for a TLS handshake.

    Attributes:
        n_rejected: number of connections that were closed at once, because all others had a request.
        n_replaced: number of idle connections that were closed for new ones.
    """

    def __init__(self, max_connections: int, header_timeout: float) -> None:
        self.max_connections = max_connections
        self.header_timeout = header_timeout
        self.n_rejected = self.n_replaced = 0
        self._open: set[Connection] = set()
        # In the order in which they began to wait for a request. A client without any request yet is replaced first.
        self._unproven: dict[Connection, None] = {}
        self._waiting: dict[Connection, None] = {}
        self._handshakes: set[asyncio.Future[Any]] = set()

    def __len__(self) -> int:
        return len(self._open) + len(self._handshakes)

    def add(self, connection: Connection) -> None:
        self._open.add(connection)
        self.mark_waiting(connection)

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.mark_busy(connection)

    def mark_waiting(self, connection: Connection) -> None:
        """The connection has no complete request. It keeps its place if it has waited before."""
        if connection in self._open:
            (self._waiting if connection.had_request else self._unproven).setdefault(connection)

    def mark_busy(self, connection: Connection) -> None:
        """The connection has a complete request."""
        self._unproven.pop(connection, None)
        self._waiting.pop(connection, None)

    async def accept(
        self, listening: socket.socket, protocol: Callable[[], Connection], tls: ssl.SSLContext | None
    ) -> None:
        """Accepts connections until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # `sock_accept` does not pause while connections wait, which would stop all answers
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # such as too many open files
                LOG.error("cannot accept an HTTP connection: %s", error)
                self._close_longest_waiting()
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            if len(self) >= self.max_connections and not self._close_longest_waiting():
                LOG.error("rejected an HTTP connection: %d are open", len(self))
                self.n_rejected += 1
                connection.close()
                continue
            handshake = asyncio.ensure_future(
                loop.connect_accepted_socket(
                    protocol, connection, ssl=tls, ssl_handshake_timeout=self.header_timeout if tls else None
                )
            )
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._finish_handshake)

    def _finish_handshake(self, handshake: asyncio.Future[Any]) -> None:
        self._handshakes.discard(handshake)
        if not handshake.cancelled() and (error := handshake.exception()):
            LOG.info("an HTTP connection failed: %s", error)

    def _close_longest_waiting(self) -> bool:
        """Closes the connection that has waited longest for a request; returns False if there is none.

        Many new connections must not close those of clients that pause between two requests.
        """
        connection = next(iter(self._unproven or self._waiting), None)
        if connection is None:
            return False
        self.n_replaced += 1
        self.discard(connection)
        connection.transport.abort()
        return True


class Connection(H11Protocol):
    """An HTTP connection of `Connections`.

    Attributes:
        had_request: whether the connection has received a complete request.
    """

    def __init__(self, connections: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.had_request = False
        self._owner = connections
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def _has_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._owner.add(self)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.discard(self)
        self._cancel_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A client may close its connection while it still sends.
        with contextlib.suppress(ConnectionError):
            super().data_received(data)
        if not self._has_request:
            self._await_head()
            return
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self.cycle.more_body:
            self._owner.mark_waiting(self)
        else:
            self.had_request = True
            self._owner.mark_busy(self)

    def on_response_complete(self) -> None:
        self._owner.mark_waiting(self)  # before the next request, which may have arrived already
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _await_head(self) -> None:
        self._owner.mark_waiting(self)
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._owner.header_timeout, self.transport.abort)

    def _cancel_timers(self) -> None:
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
