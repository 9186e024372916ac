"""Plots of training histories, results and models. Each function returns a matplotlib figure."""

from kerasrec.plots.plots import (
    History,
    comparison,
    costs,
    curves,
    latent_map,
    read_costs,
    recall_by_history_length,
    recall_by_popularity,
    reconstruction,
    train_validation,
)

__all__ = [
    "History",
    "comparison",
    "costs",
    "curves",
    "latent_map",
    "read_costs",
    "recall_by_history_length",
    "recall_by_popularity",
    "reconstruction",
    "train_validation",
]
