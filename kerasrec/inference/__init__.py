"""Inference: recommendation, evaluation, comparison and item vectors of any model."""

from kerasrec.inference.comparison import Comparison, ComparisonTable, PairedTest, compare, compare_all
from kerasrec.inference.evaluation import Evaluation, evaluate, format_error
from kerasrec.inference.item_vectors import ProjectorCallback, item_vectors, write_projector
from kerasrec.inference.recommend import Recommendations, recommend

__all__ = [
    "Comparison",
    "ComparisonTable",
    "Evaluation",
    "PairedTest",
    "ProjectorCallback",
    "Recommendations",
    "compare",
    "compare_all",
    "evaluate",
    "format_error",
    "item_vectors",
    "recommend",
    "write_projector",
]
