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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/01_your_own_data.ipynb)
#
# This notebook shows what kerasrec reads, which error a wrong file gives, and how to choose a protocol.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}" matplotlib pandas

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

from pathlib import Path

import numpy as np
import pandas as pd

# %% [markdown]
# ## A file
#
# `read` takes CSV, TSV or Parquet with named columns, a MovieLens folder or zip, or one line per user. In Colab, upload
# a file with the folder symbol on the left. This cell writes a file first.

# %%
generated = kerasrec.generate(n_users=400, n_items=120, seed=3)
frame = pd.DataFrame(
    {
        "user": generated.user_ids[generated.users],
        "item": generated.item_ids[generated.items],
        "rating": generated.values,
        "timestamp": generated.times,
    }
)
frame.to_csv("ratings.csv", index=False)
table = kerasrec.read("ratings.csv")
table

# %% [markdown]
# If the columns have other names, pass them.

# %%
frame.rename(columns={"user": "customer", "item": "sku"}).to_csv("orders.csv", index=False)
kerasrec.read("orders.csv", user="customer", item="sku")

# %% [markdown]
# `read` raises `DataError` with the line number if a value is not a number.

# %%
lines = Path("ratings.csv").read_text().splitlines()
lines[7] = "12,34,five stars,1590000000"
Path("broken.csv").write_text("\n".join(lines))
try:
    kerasrec.read("broken.csv")
except kerasrec.DataError as error:
    print(error)

# %% [markdown]
# ## A pandas frame, arrays, TensorFlow Datasets
#
# `kerasrec.read("movielens/100k-ratings")` reads from TensorFlow Datasets and downloads the data on the first call.

# %%
from_frame = kerasrec.Interactions.from_frame(frame, user="user", item="item", value="rating", time="timestamp")
assert from_frame.shape == table.shape and len(from_frame) == len(table)
kerasrec.Interactions.from_arrays(users=["ann", "bob", "bob"], items=["tea", "tea", "jam"])

# %% [markdown]
# ## Look at the data
#
# Most data sets have long tails: a few items have most of the interactions, and most users have few. `core` removes
# users and items with too few interactions.

# %%
print("items per user: median", int(np.median(table.counts)), "most", table.counts.max())
print("users per item: median", int(np.median(table.item_counts)), "most", table.item_counts.max())
table.core(users=5, items=5)

# %% [markdown]
# ## Likes or ratings
#
# Rating models (AutoRec, DeepRec, CFN) predict ratings. The other models rank items by likes. `at_least(4)` keeps the
# ratings of 4 and more. The protocols for likes call it themselves; their argument is `min_value`.

# %%
table.at_least(4)

# %% [markdown]
# ## Choose a protocol
#
# | question | protocol |
# |---|---|
# | What does a new user with a short history like? | `HeldOutUsers` |
# | How does a known user rate an item? | `RandomRatings` |
# | What else does a known user like? | `OwnItems` |
# | What does a user like next? | `TemporalUsers`, `LeaveOneOut` |

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
# ## Train
#
# EASE has one setting and no epochs, so it is a good first model.

# %%
split = kerasrec.HeldOutUsers(held_out=50).split(table)
model = kerasrec.EASE(split.train.n_items, reg=50.0)
model.fit(split.train, verbose=0)
evaluation = kerasrec.evaluate(model, split.test, ["ndcg_10", "recall_20", "plain_recall_20"])
print(evaluation)
assert evaluation.means["ndcg_10"] > 0

# %% [markdown]
# Save the split to evaluate other models on the same users later.

# %%
split.save("split")
loaded = kerasrec.Split.load("split")
assert loaded.train == split.train
