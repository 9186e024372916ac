"""Inference: recommendation, evaluation, comparison and item vectors of any model."""

from kerasrec.inference.comparison import Comparison, compare
from kerasrec.inference.evaluation import Evaluation, evaluate, format_error
from kerasrec.inference.item_vectors import ProjectorCallback, item_vectors, write_projector
from kerasrec.inference.recommend import Recommendations, recommend

__all__ = [
    "Comparison",
    "Evaluation",
    "ProjectorCallback",
    "Recommendations",
    "compare",
    "evaluate",
    "format_error",
    "item_vectors",
    "recommend",
    "write_projector",
]
