# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Several devices
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/09_several_devices.ipynb)
#
# `keras.distribution` trains on several devices with JAX. This notebook simulates four devices on one CPU, so that you
# can try the code without GPUs. On a machine with GPUs, delete the line with `XLA_FLAGS`.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}" jax

# %%
import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer messages of TensorFlow
stderr = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow prints some when it starts all the same
try:
    import tensorflow  # noqa: F401 - Keras imports it for ModelParallel

    import kerasrec
except ModuleNotFoundError as error:
    raise SystemExit(
        f"{error}. Fix: run the cell above. If pip fails there, set KERASREC to an address of the repository that "
        'pip can read, to the path of a wheel that you have uploaded, or to "kerasrec".'
    ) from None
finally:
    os.dup2(stderr, 2)

import keras
import numpy as np

devices = keras.distribution.list_devices()
print(len(devices), "devices:", *devices)
train = kerasrec.generate(n_users=800, n_items=120, seed=9).at_least(4)
train = train.with_catalogue(train.item_ids[: train.n_items // 4 * 4])  # ModelParallel needs a multiple of 4 items

# %% [markdown]
# ## One device
#
# This is the result to compare with. ELSA draws no random numbers in training, so the others must agree with it.


# %%
def loss_of(model):
    model.compile()
    return model.fit(train, epochs=3, batch_size=200, verbose=0).history["loss"][-1]


losses = {"one device": loss_of(kerasrec.ELSA.for_interactions(train, 3, 200, latent_dim=16, seed=1))}

# %% [markdown]
# ## Divide the users: DataParallel
#
# Each device computes a quarter of each batch; all devices have all weights.

# %%
keras.distribution.set_distribution(keras.distribution.DataParallel())
losses["DataParallel"] = loss_of(kerasrec.ELSA.for_interactions(train, 3, 200, latent_dim=16, seed=1))

# %% [markdown]
# ## Divide the catalogue: ModelParallel
#
# Each device has the weights of a quarter of the items: for a catalogue whose weights do not fit on one device.
# `layout_map` divides each weight along its dimension of items. A layout applies to weights when they are created, so
# the model is created again.

# %%
keras.distribution.set_distribution(None)
model = kerasrec.ELSA.for_interactions(train, 3, 200, latent_dim=16, seed=1)
mesh = keras.distribution.DeviceMesh((1, 4), ("batch", "model"), devices)
layouts = model.layout_map(mesh)
keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch"))
model = keras.models.clone_model(model)
losses["ModelParallel"] = loss_of(model)
for weight in model.weights:
    parts = {shard.data.shape for shard in weight.value.addressable_shards}
    if parts != {weight.shape}:
        print(f"{weight.path}: {weight.shape}, on each device {parts.pop()}")

# %%
for name, loss in losses.items():
    print(f"{name:14} loss {loss:.5f}")
assert np.ptp(list(losses.values())) < 1e-3 * losses["one device"]

# %% [markdown]
# The devices here share one CPU, so the training is not faster. `docs/howto/devices.md` explains several hosts and the
# limits. The model is exported with TensorFlow: save it with `model.save`, and load it where `KERAS_BACKEND` is
# `tensorflow`.
