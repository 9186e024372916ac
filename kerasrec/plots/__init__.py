"""Plots of training histories, results, models and runs. Each function returns a matplotlib figure.

    figure = plots.curves(history)
    figure.savefig("curves.png", dpi=150)

In a notebook, `%matplotlib inline` displays a returned figure.
"""

from kerasrec.plots.coverage import coverage
from kerasrec.plots.differences import differences
from kerasrec.plots.efficiency import efficiency
from kerasrec.plots.history import History, curves, train_validation
from kerasrec.plots.leaderboard import leaderboard
from kerasrec.plots.models import latent_map, reconstruction
from kerasrec.plots.recall import recall_by_history_length, recall_by_popularity
from kerasrec.plots.results import comparison, costs, read_costs
from kerasrec.plots.runs import RUN_PLOTS, draw_all, run_title
from kerasrec.plots.style import NotApplicableError
from kerasrec.plots.tuning import trials

__all__ = [
    "RUN_PLOTS",
    "History",
    "NotApplicableError",
    "comparison",
    "costs",
    "coverage",
    "curves",
    "differences",
    "draw_all",
    "efficiency",
    "latent_map",
    "leaderboard",
    "read_costs",
    "recall_by_history_length",
    "recall_by_popularity",
    "reconstruction",
    "run_title",
    "train_validation",
    "trials",
]
