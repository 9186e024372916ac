"""The resident memory of another process, on Linux."""

from pathlib import Path


def resident_gigabytes(pid: int) -> dict[str, float]:
    """The anonymous memory `RssAnon` and the file-backed memory `RssFile` of a process in GB; empty if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    lines = dict(line.split(":") for line in status.splitlines() if line.startswith("Rss"))
    return {name: int(lines[name].split()[0]) / 1e6 for name in ("RssAnon", "RssFile") if name in lines}
