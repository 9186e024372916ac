# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From interactions to an endpoint, in five minutes
#
# Read who liked what, train Mult-VAE, measure it beside popularity, export it and ask it over the network.
# A CPU is enough.

# %% tags=["install"]
# %pip install -q "kerasrec[plots]"

# %%
# %matplotlib inline
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import kerasrec
from kerasrec import plots

# %% [markdown]
# ## 1. Data
#
# Generated here, so that nothing is downloaded. Put in its place the name of a file (`"ratings.csv"`), of a MovieLens
# folder or zip, or of a TensorFlow data set (`"movielens/100k-ratings"`): notebook 01 has all of these.

# %%
DATA = "generated"
table = kerasrec.read(DATA)
table

# %% [markdown]
# ## 2. Split
#
# A figure means little without the way it was measured. Here whole users are held out: the model has never seen them.
# It is shown 80 % of what each of them liked, and must find the other 20 %.

# %%
split = kerasrec.HeldOutUsers(held_out=200).split(table)
print(split.describe())

# %% [markdown]
# ## 3. Train
#
# `compile` and `fit` are Keras' own.

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
# ## 4. Measure
#
# On the test users, beside what everybody likes. `±` is the standard error.

# %%
popularity = kerasrec.Popularity(split.train.n_items)
popularity.fit(split.train, verbose=0)
measured = {
    "popularity": kerasrec.evaluate(popularity, split.test),
    "Mult-VAE": kerasrec.evaluate(model, split.test),
}
for name, evaluation in measured.items():
    print(f"{name}\n{evaluation}\n")
assert measured["Mult-VAE"].means["ndcg_100"] > measured["popularity"].means["ndcg_100"]
plots.comparison(measured)

# %% [markdown]
# ## 5. Recommend
#
# For anybody: a history is a list of item ids.

# %%
titles = dict(zip(table.item_ids.tolist(), table.item_titles.tolist(), strict=True))
history_ids = [3, 13, 23]
known = kerasrec.Interactions.from_histories([history_ids], split.train)
answer = model.recommend(known, k=5)
print("has seen:", *(titles[i] for i in history_ids), sep="\n  ")
print("gets:", *(titles[i] for i in answer.item_ids[0]), sep="\n  ")

# %% [markdown]
# ## 6. Export and ask
#
# The export is a plain TensorFlow SavedModel: ids in, the best ids and their scores out. `Server` speaks TF Serving's
# protocol, so the same client later asks TF Serving.

# %%
kerasrec.export_saved_model(model, "served/mult_vae", split.train)

# %%
from kerasrec.serving import Client, Server

with Server("served/mult_vae", port=0) as server, Client(f"127.0.0.1:{server.port}", model="mult_vae") as client:
    item_ids, scores = client.recommend([history_ids], k=5)
for item, score in zip(item_ids[0], scores[0], strict=True):
    print(f"{score:8.3f}  {titles[item]}")
assert item_ids.tolist() == answer.item_ids.tolist()  # the endpoint says what the model says
