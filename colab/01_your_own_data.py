# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Your own data
#
# What kerasrec reads, what it says when a file is wrong, and how to choose a protocol.

# %% tags=["install"]
# %pip install -q "kerasrec[plots,pandas]"

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np
import pandas as pd

import kerasrec

# %% [markdown]
# ## A file
#
# CSV, TSV or Parquet with named columns, a MovieLens folder or zip, or one line a user. In Colab, upload it with the
# folder symbol on the left. Here one is written first.

# %%
made = kerasrec.generate(n_users=400, n_items=120, seed=3)
frame = pd.DataFrame(
    {
        "user": made.user_ids[made.users],
        "item": made.item_ids[made.items],
        "rating": made.values,
        "timestamp": made.times,
    }
)
frame.to_csv("ratings.csv", index=False)
table = kerasrec.read("ratings.csv")
table

# %% [markdown]
# Columns of other names are named in the call.

# %%
frame.rename(columns={"user": "customer", "item": "sku"}).to_csv("orders.csv", index=False)
kerasrec.read("orders.csv", user="customer", item="sku")

# %% [markdown]
# A mistake in a file is told with its line.

# %%
lines = Path("ratings.csv").read_text().splitlines()
lines[7] = "12,34,five stars,1590000000"
Path("broken.csv").write_text("\n".join(lines))
try:
    kerasrec.read("broken.csv")
except kerasrec.DataError as error:
    print(error)

# %% [markdown]
# ## A pandas frame, arrays, a data set of TensorFlow
#
# `kerasrec.read("movielens/100k-ratings")` reads a data set of TensorFlow Datasets, which it downloads at first.

# %%
same = kerasrec.Interactions.from_frame(frame, user="user", item="item", value="rating", time="timestamp")
assert same.shape == table.shape and len(same) == len(table)
kerasrec.Interactions.from_arrays(users=["ann", "bob", "bob"], items=["tea", "tea", "jam"])

# %% [markdown]
# ## What is in it
#
# Long tails are the rule: a few items have most of the interactions, and most users have few. `core` leaves out users
# and items with too few.

# %%
print("items a user:  median", int(np.median(table.counts)), "most", table.counts.max())
print("users an item: median", int(np.median(table.item_counts)), "most", table.item_counts.max())
table.core(users=5, items=5)

# %% [markdown]
# ## Likes or ratings
#
# Rating models (AutoRec, DeepRec) predict the value; the others rank what was liked. `at_least(4)` keeps the ratings from
# 4 on; the protocols for likes do that themselves (`min_value`).

# %%
table.at_least(4)

# %% [markdown]
# ## A protocol
#
# | question | protocol |
# |---|---|
# | users who come new, known by a short history | `HeldOutUsers` |
# | how a known user would rate | `RandomRatings` |
# | what else a known user would like | `OwnItems` |
# | what a user does next | `TemporalUsers`, `LeaveOneOut` |

# %%
for protocol in (
    kerasrec.HeldOutUsers(held_out=50),
    kerasrec.RandomRatings(),
    kerasrec.OwnItems(),
    kerasrec.TemporalUsers(held_out=50),
    kerasrec.LeaveOneOut(),
):
    print(protocol.split(table).describe(), end="\n\n")

# %% [markdown]
# ## Train on it
#
# EASE has no epochs and one setting: the best first model on any data.

# %%
split = kerasrec.HeldOutUsers(held_out=50).split(table)
model = kerasrec.EASE(split.train.n_items, reg=50.0)
model.fit(split.train, verbose=0)
evaluation = kerasrec.evaluate(model, split.test, ["ndcg_10", "recall_20", "plain_recall_20"])
print(evaluation)
assert evaluation.means["ndcg_10"] > 0

# %% [markdown]
# A split is kept, so that another model, or another day, measures on the very same users.

# %%
split.save("split")
again = kerasrec.Split.load("split")
assert again.train == split.train
