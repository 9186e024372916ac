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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/04_compare_the_zoo.ipynb)
#
# This notebook evaluates several models on the same users, with standard errors and a paired test.

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
import time

from tqdm.auto import tqdm

from kerasrec import plots

split = kerasrec.HeldOutUsers(held_out=100).split(kerasrec.read("generated"))
print(split.describe())

# %% [markdown]
# ## Train
#
# The data is small, so the networks are small and train for few epochs. Choose settings on the validation data, never
# on the test data.

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
    start = time.perf_counter()
    model = cls.for_interactions(split.train, EPOCHS, BATCH_SIZE, seed=1, **arguments)
    model.compile()
    model.fit(split.train, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0)
    models[name], seconds[name] = model, time.perf_counter() - start

# %% [markdown]
# ## Evaluate
#
# All models are evaluated on the same test users. Popularity is the baseline.

# %%
evaluations = {name: kerasrec.evaluate(model, split.test) for name, model in models.items()}
for name, evaluation in evaluations.items():
    cells = "  ".join(f"{m} {v:.4f} ± {evaluation.standard_errors[m]:.4f}" for m, v in evaluation.means.items())
    print(f"{name:12} {cells}  {seconds[name]:5.1f} s")
plots.comparison(evaluations)

# %% [markdown]
# ## Is the difference significant?
#
# Users differ more than models do, so two means with standard errors rarely show a difference. A paired test compares
# the two models on each user.

# %%
for name in ("EDLAE", "Mult-DAE", "Mult-VAE"):
    ndcg = kerasrec.compare(evaluations[name], evaluations["EASE"])["ndcg_100"]
    print(f"{name:9} - EASE: {ndcg.difference:+.4f} ± {ndcg.standard_error:.4f}, p = {ndcg.p_value:.2g}")

# %% [markdown]
# ## Where do they differ?
#
# All models recommend popular items well. They differ on the rare ones.

# %%
plots.recall_by_popularity({name: models[name] for name in ("popularity", "EASE", "Mult-VAE")}, split)

# %%
assert evaluations["EASE"].means["ndcg_100"] > evaluations["popularity"].means["ndcg_100"]
assert evaluations["Mult-VAE"].means["ndcg_100"] > evaluations["popularity"].means["ndcg_100"]
