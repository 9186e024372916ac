"""Data preparation on Apache Beam (extra `beam`), where one machine is too small.

`prepare` writes events of any number as a packed folder, which `kerasrec.read` opens. `write_gram_matrix` computes XᵀX
of a packed folder. Both run on every runner of Beam. Workers import kerasrec.
"""

from kerasrec.beam.gram import write_gram_matrix
from kerasrec.beam.prepare import prepare

__all__ = ["prepare", "write_gram_matrix"]
