"""The packages of the extras in setup.cfg, for messages about a missing package."""

from __future__ import annotations

import re
import shlex
from importlib import metadata


def install_command(extra: str) -> str:
    """Returns the pip command that installs the packages of an extra.

    The command names the packages themselves. `pip install 'kerasrec[…]'` would ask the package index for kerasrec,
    which is the wrong source if kerasrec was installed from a clone.

    Args:
        extra: name of the extra.

    Example:
        >>> from kerasrec.extras import install_command
        >>> install_command("plots")
        "pip install 'matplotlib>=3.9'"
    """
    try:
        requirements = metadata.requires("kerasrec") or []
    except metadata.PackageNotFoundError:  # the source folder is imported without an installation
        requirements = []
    marker = re.compile(rf"(?P<package>[^;]+); extra == ['\"]{re.escape(extra)}['\"]")
    packages = [match["package"].strip() for match in map(marker.fullmatch, requirements) if match]
    return f"pip install {shlex.join(packages)}" if packages else f"pip install '.[{extra}]' in the clone of kerasrec"
