# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Recommendations for everyone
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/06_recommend_to_everyone.ipynb)
#
# This notebook computes the lists of all users in one call, writes them to a file, restricts them to some items, and
# finds similar items. It needs no endpoint.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}" pandas

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

import pandas as pd

from kerasrec.inference import recommend_batches, write_recommendations

# %% [markdown]
# ## A model of all interactions
#
# A model to deploy is trained on all rows. Choose it and its settings on a split before: notebook 07 does this. EASE has
# no epochs, so it is quick to train.

# %%
table = kerasrec.read("generated").at_least(4)
titles = pd.Series(table.item_titles, index=table.item_ids, name="title")
model = kerasrec.EASE(table.n_items, reg=100.0)
model.fit(table, verbose=0)
table

# %% [markdown]
# ## The lists of all users
#
# `recommend` never returns an item of the user's history.

# %%
lists = model.recommend(table, k=10).to_frame()
lists["title"] = lists["item_id"].map(titles)
lists.head(10)

# %% [markdown]
# For millions of users, `recommend_batches` computes the lists batch by batch, and `write_recommendations` writes each
# batch at once. The memory does not grow with the number of users. The suffix of the file sets the format: `.parquet`,
# `.csv` or `.jsonl`.

# %%
n_rows = write_recommendations(recommend_batches(model, table, k=10), "lists.parquet")
stored = pd.read_parquet("lists.parquet")
assert n_rows == len(stored) == 10 * table.n_users
assert (stored["item_id"].to_numpy() == lists["item_id"].to_numpy()).all()
print(f"{n_rows:,} rows, {stored['user_id'].nunique():,} users")

# %% [markdown]
# `kerasrec recommend RUN --all -k 10 --to lists.parquet` does the same on the command line.
#
# ## Do the lists differ?
#
# If all users get the same items, a list of popular items would do. `coverage` is the share of the catalogue that is in
# at least one list.

# %%
popularity = kerasrec.Popularity(table.n_items)
popularity.fit(table, verbose=0)
for name, each in (("popularity", popularity), ("EASE", model)):
    items = each.recommend(table, k=10).item_ids
    print(f"{name:10} coverage {len(set(items.ravel().tolist())) / table.n_items:.0%}")

# %% [markdown]
# ## Only some items
#
# Items that are sold out are excluded; a campaign recommends only its own items. A list is shorter if fewer than k items
# are left.

# %%
three_users = table.take_users([0, 1, 2])
campaign = table.item_ids[:40]
sold_out = campaign[:10]
restricted = model.recommend(three_users, k=5, candidates=campaign, exclude=sold_out).to_frame()
assert set(restricted["item_id"]) <= set(campaign) - set(sold_out)
restricted.head()

# %% [markdown]
# ## Similar items
#
# For a page that shows one item, `similar` returns the items that users like together with it.

# %%
similar = model.similar(table, [3, 14], k=5).to_frame().rename(columns={"user_id": "similar_to"})
similar["title"] = similar["item_id"].map(titles)
similar

# %% [markdown]
# All items at once, for a table beside the catalogue:

# %%
similar = model.similar(table, table.item_ids, k=10).to_frame().rename(columns={"user_id": "similar_to"})
similar.to_parquet("similar.parquet")
print(len(similar), "rows")

# %% [markdown]
# ## Why this item?
#
# `explain` returns the items of the history that raise the score of each recommendation most. For a linear model such as
# EASE, the contributions of all items of the history sum to the score.

# %%
reasons = model.explain(three_users, k=3, n_reasons=2)
for item, reason_ids in zip(reasons.item_ids[0], reasons.reason_ids[0], strict=True):
    print(f"{titles[item]}, because of {' and '.join(titles[reason] for reason in reason_ids if reason != -1)}")
