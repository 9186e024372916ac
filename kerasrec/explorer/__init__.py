"""A local web page on which a trained run can be watched at work: `kerasrec explore RUN`."""

from kerasrec.explorer.answers import Explorer
from kerasrec.explorer.server import PageServer, saved_page

__all__ = ["Explorer", "PageServer", "saved_page"]
