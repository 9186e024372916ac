"""Log lines of a server: their format, request ids, and a limit of repeated lines."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import threading
import time
from contextvars import ContextVar
from typing import TextIO

LOG = logging.getLogger("kerasrec.serving")
ACCESS_LOG = logging.getLogger("kerasrec.serving.access")
"""One line for each request, at level INFO."""

LIMITED_LINES = 20
"""Lines of one kind in a period; further ones are counted."""

PERIOD_SECONDS = 60.0

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that runs in this context."""

_VALID_ID = re.compile(r"[\w.:/+=-]{1,64}", re.ASCII)


def new_request_id(given: str = "") -> str:
    """Sets the id of the current request: the one that the client has sent if it is valid, else a random one."""
    value = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
    request_id.set(value)
    return value


class RepetitionLimit(logging.Filter):
    """Rejects log records of one kind after the first `LIMITED_LINES` in a minute, and states their number later.

    Records are of one kind if logger, level and unformatted message are equal. An attack must not fill the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._periods: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == ACCESS_LOG.name or record.levelno < logging.INFO:
            return True
        kind = (record.name, record.levelno, str(record.msg))
        with self._lock:
            start, n_records = self._periods.get(kind, (record.created, 0))
            n_omitted = 0
            if record.created - start >= PERIOD_SECONDS:
                n_omitted = max(0, n_records - LIMITED_LINES)
                start, n_records = record.created, 0
            self._periods[kind] = (start, n_records + 1)
        if n_omitted:
            record.msg, record.args = f"{record.getMessage()} ({n_omitted:,} similar lines omitted)", None
        return n_records < LIMITED_LINES


class _TextFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (a method of logging)
        line = super().formatMessage(record)
        value = request_id.get()
        return f"{line} request_id={value}" if value and record.name != ACCESS_LOG.name else line


class _JsonFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if request_id.get():
            fields["request_id"] = request_id.get()
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def configure_logs(
    level: str = "info", log_format: str = "text", access: bool = False, to: TextIO | None = None
) -> None:
    """Writes the log of this process to a stream. A server in a notebook leaves the log as it is.

    Args:
        level: `"debug"`, `"info"`, `"warning"` or `"error"`.
        log_format: `"text"`, or `"json"` for one JSON object in each line.
        access: whether to write a line for each request.
        to: the stream; standard error if omitted.
    """
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    handler.addFilter(RepetitionLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(level.upper())
    ACCESS_LOG.setLevel(logging.INFO if access else logging.CRITICAL)


def log_request(**fields: object) -> None:
    """Writes the line of a request to the access log, if it is enabled."""
    if ACCESS_LOG.isEnabledFor(logging.INFO):
        value = request_id.get()
        line = " ".join(f"{name}={field}" for name, field in {**fields, "request_id": value}.items())
        ACCESS_LOG.info(line, extra={"fields": fields})
