"""A local web page that shows how a trained model computes its recommendations: `kerasrec explore RUN`."""

from kerasrec.explorer.explorer import Explorer
from kerasrec.explorer.question import Question
from kerasrec.explorer.server import PageServer
from kerasrec.explorer.static_page import saved_page

__all__ = ["Explorer", "PageServer", "Question", "saved_page"]
