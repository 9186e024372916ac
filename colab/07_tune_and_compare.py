# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Tune and compare on your data
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/07_tune_and_compare.ipynb)
#
# This notebook goes from a file to the model that you deploy: it tries several models, tunes the settings of one, tests
# whether the differences are larger than chance, and trains the chosen model on all rows.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}" matplotlib optuna sqlalchemy

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer messages of TensorFlow
stderr = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow prints some when it starts all the same
try:
    import kerasrec
except ModuleNotFoundError as error:
    raise SystemExit(
        f"{error}. Fix: run the cell above. If pip fails there, set KERASREC to an address of the repository that "
        'pip can read, to the path of a wheel that you have uploaded, or to "kerasrec".'
    ) from None
finally:
    os.dup2(stderr, 2)

# %matplotlib inline
import dataclasses
import logging
import math

from kerasrec import plots
from kerasrec.runs import RunConfig, compare_runs, refit, try_models, tune

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # TensorFlow warns if one process trains several models

# %% [markdown]
# ## Data
#
# Set `DATA` to a file of yours. Notebook 01 shows what `read` accepts.

# %%
DATA = "generated"


def read_data():
    return kerasrec.read(DATA)


config = RunConfig("", DATA, "held-out-users", seed=1, split_options={"held_out": 150})  # fewer if your file is small
read_data()

# %% [markdown]
# ## Try some models
#
# Each model trains with its default settings on the same split. The ranking is that of the validation users; the test
# users are for the last comparison only.

# %%
MODELS = ["popularity", "item_knn", "ease"]
board = try_models(config, read_data, "try", MODELS, seconds=math.inf)
plots.leaderboard(board)

# %%
for entry in board.ranking():
    print(f"{entry.model:12} NDCG@100 {entry.value:.4f}")

# %% [markdown]
# ## Tune the winner
#
# The first trial has the default settings, so the result on the validation users is never worse. The search continues if
# you raise `trials` and run the cell again.

# %%
winner = board.winner.model
tuned = tune(dataclasses.replace(config, model=winner), read_data, "tuned", 3)
print(winner, tuned.config.model_options)

# %% [markdown]
# ## Compare on the test users
#
# The p-values are of paired tests and are corrected for their number. A difference below two standard errors does not
# justify a slower model.

# %%
from kerasrec.runs import Run

runs = [Run(f"try/{entry.model}") for entry in board.ranking()[1:]]
compare_runs([tuned, *runs], metrics=["ndcg_100"])

# %%
plots.comparison({**{run.config.model: run.evaluate()["test"] for run in runs}, "tuned": tuned.evaluate()["test"]})

# %% [markdown]
# ## The model to deploy
#
# It is trained on all rows, the test users included, with the chosen settings. Notebook 03 exports and serves a model.

# %%
final = refit(tuned, "final", read_data=read_data)
print("catalogue:", final.split().train.n_items, "items; users:", final.split().train.n_users)

# %% [markdown]
# ## The same on MovieLens
#
# This cell downloads MovieLens latest small (610 users, 100,836 ratings) with TensorFlow Datasets. A like is a rating of
# at least 4. The licence of MovieLens forbids to distribute the data, so only results are stored here.

# %% tags=["network"]
MOVIELENS = "movielens/latest-small-ratings"
config = RunConfig("", MOVIELENS, "held-out-users", seed=1, split_options={"held_out": 100})
board = try_models(config, lambda: kerasrec.read(MOVIELENS), "movielens", MODELS, seconds=math.inf)
plots.leaderboard(board)

# %% tags=["network"]
compare_runs([Run(f"movielens/{name}") for name in reversed(MODELS)], metrics=["ndcg_100"])
