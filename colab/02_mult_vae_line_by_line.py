# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Mult-VAE from the paper, line by line
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/02_mult_vae_line_by_line.ipynb)
#
# Liang, Krishnan, Hoffman and Jebara: *Variational Autoencoders for Collaborative Filtering*, WWW 2018
# ([arXiv 1802.05814](https://arxiv.org/abs/1802.05814)). The notebook shows each formula of the paper with the line that
# computes it, and checks the line against the library.

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
import keras
import numpy as np
from keras import ops

from kerasrec import plots
from kerasrec.losses import MultinomialNLL, gaussian_kl

table = kerasrec.generate(n_users=600, n_items=120, seed=4)
split = kerasrec.HeldOutUsers(held_out=80).split(table)
model = kerasrec.MultVAE.for_interactions(
    split.train, epochs=30, batch_size=100, hidden_dims=(60,), latent_dim=12, seed=1
)
model.compile()

# %% [markdown]
# ## The data (section 2)
#
# $x_u \in \{0, 1\}^I$ is the row of the items that user $u$ liked. A batch contains lists of ids; the graph builds the
# rows from them. So a batch takes kilobytes and not megabytes.

# %%
batch = model.batches(split.train, 5)[0][0]
x = model.dense_inputs(batch)
print("ids   ", batch["ids"].shape, "first user:", batch["ids"][0][:6], "…")
print("row x ", x.shape, "with", int(ops.sum(x[0])), "ones")

# %% [markdown]
# ## The encoder (section 2.2 and 3.1)
#
# $q_\phi(z_u \mid x_u) = \mathcal N(\mu_\phi(x_u), \operatorname{diag} \sigma^2_\phi(x_u))$. The row is normalised to
# length 1. In training, dropout removes half of it. A tanh layer follows, then two layers for μ and log σ².

# %%
unit = x / ops.norm(x, axis=1, keepdims=True)
hidden = ops.tanh(unit @ model.encoder[0].kernel + model.encoder[0].bias)
mean = hidden @ model.mean.kernel + model.mean.bias
log_var = hidden @ model.log_var.kernel + model.log_var.bias

library_mean, library_log_var = model.encode(batch)
np.testing.assert_allclose(mean, library_mean, atol=1e-5)
np.testing.assert_allclose(log_var, library_log_var, atol=1e-5)

# %% [markdown]
# ## The reparametrisation trick (section 2.2)
#
# $z_u = \mu + \sigma \odot \varepsilon$ with $\varepsilon \sim \mathcal N(0, I)$. The noise does not depend on the weights,
# so the gradient flows through μ and σ. In inference $z_u = \mu$, so the same history always gives the same list.

# %%
noise = keras.random.normal(mean.shape, seed=1)
z = mean + ops.exp(log_var / 2) * noise

# %% [markdown]
# ## The decoder and the multinomial likelihood (section 2.1)
#
# $\pi(z_u) \propto \exp f_\theta(z_u)$ and $\log p(x_u \mid z_u) = \sum_i x_{ui} \log \pi_i(z_u)$. The probabilities of
# all items sum to one, so the items compete for probability, as they compete for the places of a top-K list.

# %%
logits = model.decode(z)
log_likelihood = ops.sum(x * ops.log_softmax(logits), axis=1)
np.testing.assert_allclose(-ops.mean(log_likelihood), MultinomialNLL()(x, logits), rtol=1e-5)

# %% [markdown]
# ## The KL term and β (section 2.2.1)
#
# $\mathcal L_\beta = \mathbb E_q[\log p(x_u \mid z_u)] - \beta \, \mathrm{KL}(q(z_u \mid x_u) \,\|\, \mathcal N(0, I))$ with
# $\mathrm{KL} = \tfrac12 \sum_k (\mu_k^2 + \sigma_k^2 - \log \sigma_k^2 - 1)$. The paper raises β from 0 to a maximum of
# 0.2. With a β of 1, z would contain too little information about the user.

# %%
kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - log_var - 1, axis=1)
np.testing.assert_allclose(kl, gaussian_kl(mean, log_var), rtol=1e-4)
print(f"β at the start: {float(model.current_beta()):.2f}")
print("β rises to", model.beta, "over", round(model.beta * model.anneal_steps), "of", model.planned_steps, "updates")

# %% [markdown]
# ## Training (section 4.3)

# %%
history = model.fit(split.train, epochs=30, batch_size=100, validation_data=split.validation, verbose=0)
print(f"β at the end:   {float(model.current_beta()):.2f}")
plots.curves(history.history)

# %% [markdown]
# ## The recommendation
#
# The model scores all items. The mask sets the score of every item in the history to $-\infty$. The k items with the
# highest scores are the recommendation.

# %%
first_user = model.batches(split.test.inputs, 1)[0][0]
scores = model(first_user, training=False)
masked = model.mask_seen(scores, first_user)
best = np.argsort(-np.asarray(masked)[0])[:5]
recommendations = model.recommend(split.test.inputs.take_users([0]), k=5)
assert recommendations.item_ids[0].tolist() == split.train.item_ids[best].tolist()
print(kerasrec.evaluate(model, split.test))

# %% [markdown]
# ## The noise of the code
#
# How certain is the model about a user? This cell draws z 20 times and prints how often each item is in the top 10.

# %%
mean, log_var = model.encode(first_user)
lists = []
for seed in range(20):
    z = mean + ops.exp(log_var / 2) * keras.random.normal(mean.shape, seed=seed)
    lists.append(np.argsort(-np.asarray(model.mask_seen(model.decode(z), first_user))[0])[:10])
items, times = np.unique(np.concatenate(lists), return_counts=True)
for item, n in sorted(zip(items, times, strict=True), key=lambda pair: -pair[1])[:10]:
    print(f"{n / 20:4.0%}  {split.train.item_titles[item]}")
