"""The files of the page, and the headers that they are sent with.

`kerasrec_cli` loads this file without its package, whose import takes seconds. So it imports the standard library only.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("page")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class PageFile(NamedTuple):
    """A file of the page."""

    content: bytes
    content_type: str


def page_file(path: str) -> PageFile | None:
    """The file at a path of the page's address, such as `/app.js`; `None` if there is none."""
    file = PAGE / (path.lstrip("/") or "index.html")
    if file.parent != PAGE or not file.is_file():
        return None
    return PageFile(file.read_bytes(), TYPES[file.suffix])
