# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From interactions to an endpoint, in three minutes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/00_quickstart.ipynb)
#
# This notebook reads interactions, trains Mult-VAE, compares it with the popularity baseline, exports it and sends a
# request to it. A CPU is enough.

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
from kerasrec import plots

# %% [markdown]
# ## 1. Data
#
# The data is generated, so nothing is downloaded. To use your own, set `DATA` to a file (`"ratings.csv"`), a MovieLens
# folder or zip, or a TensorFlow data set (`"movielens/100k-ratings"`). Notebook 01 shows all of them.

# %%
DATA = "generated"
table = kerasrec.read(DATA)
table

# %% [markdown]
# ## 2. Split
#
# A metric has a meaning only together with its protocol. This protocol holds out whole users, so the model never
# trains on them: a tenth for validation, a tenth for the test. For each of them the model reads 80 % of the liked
# items and must find the other 20 %.

# %%
split = kerasrec.HeldOutUsers().split(table)
print(split.describe())

# %% [markdown]
# ## 3. Train
#
# `compile` and `fit` work as for any Keras model.

# %%
EPOCHS = 40
model = kerasrec.MultVAE.for_interactions(
    split.train, EPOCHS, batch_size=200, hidden_dims=(200,), latent_dim=50, seed=1
)
model.compile()
history = model.fit(
    split.train,
    epochs=EPOCHS,
    batch_size=200,
    validation_data=split.validation,
    callbacks=[kerasrec.callbacks.EpochBar()],
    verbose=0,
)
plots.curves(history.history)

# %% [markdown]
# ## 4. Evaluate
#
# Both models are evaluated on the test users. `±` is the standard error.

# %%
popularity = kerasrec.Popularity(split.train.n_items)
popularity.fit(split.train, verbose=0)
evaluations = {
    "popularity": kerasrec.evaluate(popularity, split.test),
    "Mult-VAE": kerasrec.evaluate(model, split.test),
}
for name, evaluation in evaluations.items():
    print(f"{name}\n{evaluation}\n")
plots.comparison(evaluations)

# %% [markdown]
# ## 5. Recommend
#
# The model needs only a history: a list of item ids. The user may be unknown.

# %%
names = table.item_ids if table.item_titles is None else table.item_titles
titles = dict(zip(table.item_ids.tolist(), names.tolist(), strict=True))
history_ids = table.item_ids[[2, 12, 22]].tolist()
histories = kerasrec.Interactions.from_histories([history_ids], split.train)
recommendations = model.recommend(histories, k=5)
print("history:", *(titles[i] for i in history_ids), sep="\n  ")
print("recommended:", *(titles[i] for i in recommendations.item_ids[0]), sep="\n  ")

# %% [markdown]
# ## 6. Export and serve
#
# The export is a plain TensorFlow SavedModel: item ids in, the best item ids and their scores out. `Server` has the
# protocol of TF Serving, so the same client works with both.

# %%
kerasrec.export_saved_model(model, "served/mult_vae", split.train)

# %%
from kerasrec.serving import Client, Server

with Server("served/mult_vae", port=0) as server, Client(f"127.0.0.1:{server.port}", model="mult_vae") as client:
    item_ids, scores = client.recommend([history_ids], k=5)
for item, score in zip(item_ids[0], scores[0], strict=True):
    print(f"{score:8.3f}  {titles[item]}")
assert item_ids.tolist() == recommendations.item_ids.tolist()  # the endpoint returns what the model returns
