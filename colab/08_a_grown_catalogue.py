# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Fine-tune on a grown catalogue
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/08_a_grown_catalogue.ipynb)
#
# A shop gets new items and new users every day. This notebook trains a model, adds the newest interactions and items, and
# continues the training with the learned weights (a warm start) instead of beginning again.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}" matplotlib

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
import numpy as np

from kerasrec import plots

# %% [markdown]
# ## Yesterday and today
#
# Today's table is a generated one. Yesterday's table lacks a tenth of the items and all interactions after some moment.

# %%
likes = kerasrec.generate(n_users=700, n_items=150, seed=8).at_least(4)
split = kerasrec.HeldOutUsers(held_out=100).split(likes)
today = split.train
is_new = np.isin(today.item_ids, today.item_ids[-15:])
yesterday = today.select(~is_new[today.items] & (today.times < np.quantile(today.times, 0.9)))
print("yesterday:", yesterday)
print("today:    ", today)

# %% [markdown]
# ## Train on yesterday's table

# %%
EPOCHS, SETTINGS = 20, {"hidden_dims": (100,), "latent_dim": 20, "seed": 1}
older = kerasrec.MultVAE.for_interactions(yesterday, EPOCHS, 100, **SETTINGS)
older.compile()
history = older.fit(yesterday, epochs=EPOCHS, batch_size=100, verbose=0)
print(f"loss {history.history['loss'][0]:.1f} to {history.history['loss'][-1]:.1f}")

# %% [markdown]
# ## Continue on today's table
#
# `warm_start` returns a new model for the larger catalogue. Items of both tables keep their weights, new items begin with
# initial weights. β does not rise from 0 again. A quarter of the epochs suffices.

# %%
FEW = EPOCHS // 4
warm = older.warm_start(today, yesterday)
history = warm.fit(today, epochs=FEW, batch_size=100, verbose=0)
print(f"loss {history.history['loss'][0]:.1f} to {history.history['loss'][-1]:.1f}")

# %% [markdown]
# ## Is it better than a new model?
#
# A model that begins with random weights gets the same few epochs, and another one gets all of them.

# %%
models = {f"warm start, {FEW} epochs": warm}
for epochs in (FEW, EPOCHS):
    cold = kerasrec.MultVAE.for_interactions(today, epochs, 100, **SETTINGS)
    cold.compile()
    cold.fit(today, epochs=epochs, batch_size=100, verbose=0)
    models[f"new model, {epochs} epochs"] = cold
evaluations = {name: kerasrec.evaluate(model, split.test, ["ndcg_100"]) for name, model in models.items()}
for name, evaluation in evaluations.items():
    print(f"{name:22} NDCG@100 {evaluation.means['ndcg_100']:.4f} ± {evaluation.standard_errors['ndcg_100']:.4f}")
warm_ndcg, short_ndcg, _ = (evaluation.means["ndcg_100"] for evaluation in evaluations.values())
assert warm_ndcg > short_ndcg
plots.comparison(evaluations)

# %% [markdown]
# ## New items
#
# The warm model recommends items that yesterday's model did not contain.

# %%
lists = warm.recommend(split.test.inputs, k=20).item_ids
share = np.isin(lists, today.item_ids[is_new]).mean()
print(f"{share:.1%} of the recommended items are new; {is_new.mean():.1%} of the catalogue is")
assert share > 0

# %% [markdown]
# On the command line, `kerasrec refit deployed --data events.csv --warm-start --out tonight` does this for a run folder.
# `docs/howto/every-night.md` has the whole nightly job, with a test that decides whether the new model is deployed.
