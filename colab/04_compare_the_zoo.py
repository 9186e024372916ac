# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Compare the zoo
#
# Several models, the same users, standard errors, and a paired test: which differences are real?

# %% tags=["install"]
# %pip install -q "kerasrec[plots]"

# %%
# %matplotlib inline
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import time

from tqdm.auto import tqdm

import kerasrec
from kerasrec import plots

split = kerasrec.HeldOutUsers(held_out=100).split(kerasrec.read("generated"))
print(split.describe())

# %% [markdown]
# ## Train
#
# Small nets and few epochs, as the data is small. Settings are chosen on validation, never on test.

# %%
ZOO = {
    "popularity": (kerasrec.Popularity, {}),
    "EASE": (kerasrec.EASE, {"reg": 100.0}),
    "EDLAE": (kerasrec.EDLAE, {"dropout": 0.5, "reg": 50.0}),
    "Mult-DAE": (kerasrec.MultDAE, {"latent_dim": 50}),
    "Mult-VAE": (kerasrec.MultVAE, {"hidden_dims": (100,), "latent_dim": 40}),
}
EPOCHS, BATCH_SIZE = 12, 100
models, seconds = {}, {}
for name, (cls, arguments) in tqdm(ZOO.items(), unit="model"):
    began = time.perf_counter()
    model = cls.for_interactions(split.train, EPOCHS, BATCH_SIZE, seed=1, **arguments)
    model.compile()
    model.fit(split.train, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0)
    models[name], seconds[name] = model, time.perf_counter() - began

# %% [markdown]
# ## Measure
#
# All on the same test users. Popularity is what every figure must be read beside.

# %%
measured = {name: kerasrec.evaluate(model, split.test) for name, model in models.items()}
for name, evaluation in measured.items():
    cells = "  ".join(f"{m} {v:.4f} ± {evaluation.standard_errors[m]:.4f}" for m, v in evaluation.means.items())
    print(f"{name:12} {cells}  {seconds[name]:5.1f} s")
plots.comparison(measured)

# %% [markdown]
# ## Is the difference real?
#
# Standard errors beside each other see little: users differ more than models do. Pair by pair, each user is compared
# with themselves.

# %%
for name in ("EDLAE", "Mult-DAE", "Mult-VAE"):
    found = kerasrec.compare(measured[name], measured["EASE"])["ndcg_100"]
    print(f"{name:9} - EASE: {found.difference:+.4f} ± {found.standard_error:.4f}, p = {found.p_value:.2g}")

# %% [markdown]
# ## Where do they differ?
#
# On popular items everybody is good. The tail tells.

# %%
plots.recall_by_popularity({name: models[name] for name in ("popularity", "EASE", "Mult-VAE")}, split)

# %%
assert measured["EASE"].means["ndcg_100"] > measured["popularity"].means["ndcg_100"]
assert measured["Mult-VAE"].means["ndcg_100"] > measured["popularity"].means["ndcg_100"]
