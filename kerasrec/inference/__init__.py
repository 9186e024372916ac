"""Inference: recommendation, evaluation, comparison and item vectors of any model."""

from kerasrec.inference.comparison import Comparison, ComparisonTable, PairedTest, compare, compare_all
from kerasrec.inference.evaluation import Evaluation, evaluate, format_error
from kerasrec.inference.explain import Explanations
from kerasrec.inference.item_vectors import ProjectorCallback, item_vectors, write_projector
from kerasrec.inference.recommend import recommend, recommend_batches
from kerasrec.inference.recommendation_files import check_format, write_recommendations
from kerasrec.inference.recommendations import Recommendations

__all__ = [
    "Comparison",
    "ComparisonTable",
    "Evaluation",
    "PairedTest",
    "Explanations",
    "ProjectorCallback",
    "Recommendations",
    "check_format",
    "compare",
    "compare_all",
    "evaluate",
    "format_error",
    "item_vectors",
    "recommend",
    "recommend_batches",
    "write_projector",
    "write_recommendations",
]
