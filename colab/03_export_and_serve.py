# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Export and serve
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/03_export_and_serve.ipynb)
#
# This notebook exports a SavedModel that takes original item ids and returns the best items. It serves the export over
# gRPC and sends requests to it.

# %% tags=["install"]
KERASREC = "git+https://github.com/OWNER/REPO"  # what pip installs: this address, the path of a wheel, or "kerasrec"
# %pip install -q "{KERASREC}"

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

import json
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasrec.serving import Client, Server, ServingError

table = kerasrec.generate(n_users=500, n_items=120, seed=5)
split = kerasrec.HeldOutUsers(held_out=60).split(table)
model = kerasrec.EASE(split.train.n_items, reg=50.0)
history = model.fit(split.train, verbose=0)

# %% [markdown]
# ## Export
#
# Each call writes the next version. A server that watches the folder loads the new version and serves the old one until
# it is ready.

# %%
version = kerasrec.export_saved_model(
    model,
    "served/ease",
    split.train,
    top_k=20,
    metadata={"test": kerasrec.evaluate(model, split.test).as_dict()},
)
print(version)
print(*sorted(str(p.relative_to(version)) for p in version.rglob("*") if p.is_file()), sep="\n")
metadata = json.loads((version / "assets.extra" / "kerasrec.json").read_text())
print("NDCG@100 of the test users:", round(metadata["test"]["ndcg_100"], 4))

# %% [markdown]
# ## The export does not need kerasrec
#
# The graph has only stock TensorFlow operations. The vocabulary of the ids is in its assets.

# %%
loaded = tf.saved_model.load(str(version))
for name, signature in loaded.signatures.items():
    inputs = {field: tuple(spec.shape) for field, spec in sorted(signature.structured_input_signature[1].items())}
    print(f"{name:16} {inputs}")
outputs = loaded.signatures["serving_default"](history=tf.constant([[-1, 3, 13, 23]], tf.int64))
outputs["item_ids"][0, :5].numpy()

# %% [markdown]
# ## Serve
#
# `Server` replaces TF Serving in a notebook or a test. It has the same protocol: Predict, metadata, status, health.

# %%
server = Server("served/ease", port=0).start()
client = Client(f"127.0.0.1:{server.port}", model="ease")
client.wait_until_ready()
print("versions:", client.status(), "it takes:", client.input_types())
item_ids, scores = client.recommend([[3, 13, 23], [8]], k=5)
item_ids, scores

# %% [markdown]
# The signature `recommend` also takes items to exclude, or the only items that the list may contain.

# %%
without, _ = client.recommend([[3, 13, 23]], k=5, exclude=item_ids[0][:2].tolist())
only, _ = client.recommend([[3, 13, 23]], k=5, candidates=[1, 2, 4, 5, 6])
assert not set(item_ids[0][:2]) & set(without[0])
print(without, only, sep="\n")

# %% [markdown]
# A wrong request raises `ServingError` with a message of one line.

# %%
try:
    client.recommend([[3]], k=10_000)
except ServingError as error:
    print(error)

# %% [markdown]
# ## Latency

# %%
histories = [split.test.inputs.item_ids[split.test.inputs.row(u)].tolist() for u in range(40)]
milliseconds = []
for history in histories:
    start = time.perf_counter()
    client.recommend([history], k=20)
    milliseconds.append(1000 * (time.perf_counter() - start))
print(f"median {np.median(milliseconds):.1f} ms per request, {len(histories)} requests one after another")

# %%
client.close()
server.stop()
assert Path("served/ease/1/saved_model.pb").exists()

# %% [markdown]
# In production, TF Serving loads the folder `served/ease` as it is. `export/` in the repository has a compose file.
