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
# A SavedModel that takes original ids and returns the best items, served over gRPC inside this notebook.

# %% tags=["install"]
# %pip install -q kerasrec

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import kerasrec
from kerasrec.serving import Client, Server, ServingError

table = kerasrec.generate(n_users=500, n_items=120, seed=5)
split = kerasrec.HeldOutUsers(held_out=60).split(table)
model = kerasrec.EASE(split.train.n_items, reg=50.0)
model.fit(split.train, verbose=0)

# %% [markdown]
# ## Export
#
# Each call writes the next version. A server that watches the folder takes it up; the old one goes on meanwhile.

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
print(json.loads((version / "assets.extra" / "kerasrec.json").read_text())["test"])

# %% [markdown]
# ## It needs no kerasrec
#
# Stock TensorFlow ops only, the ids' vocabulary in the assets.

# %%
loaded = tf.saved_model.load(str(version))
for name, signature in loaded.signatures.items():
    inputs = {field: tuple(spec.shape) for field, spec in signature.structured_input_signature[1].items()}
    print(f"{name:16} {inputs}")
answer = loaded.signatures["serving_default"](history=tf.constant([[3, 13, 23]], tf.int64))
answer["item_ids"][0, :5].numpy()

# %% [markdown]
# ## Serve and ask
#
# `Server` stands in for TF Serving in a notebook or a test: the same protocol (Predict, metadata, status, health).

# %%
server = Server("served/ease", port=0).start()
client = Client(f"127.0.0.1:{server.port}", model="ease")
client.wait_until_ready()
print("versions:", client.status(), "it takes:", client.input_types())
item_ids, scores = client.recommend([[3, 13, 23], [8]], k=5)
item_ids, scores

# %% [markdown]
# The signature `recommend` also takes what must never come back, or the only items that may.

# %%
without, _ = client.recommend([[3, 13, 23]], k=5, exclude=item_ids[0][:2].tolist())
only, _ = client.recommend([[3, 13, 23]], k=5, candidates=[1, 2, 4, 5, 6])
assert not set(item_ids[0][:2]) & set(without[0])
print(without, only, sep="\n")

# %% [markdown]
# A wrong question gets a sentence, not a stack trace.

# %%
try:
    client.recommend([[3]], k=10_000)
except ServingError as error:
    print(error)

# %% [markdown]
# ## How fast

# %%
histories = [split.test.inputs.item_ids[split.test.inputs.row(u)].tolist() for u in range(40)]
taken = []
for history in histories:
    began = time.perf_counter()
    client.recommend([history], k=20)
    taken.append(1000 * (time.perf_counter() - began))
print(f"median {np.median(taken):.1f} ms a request, {len(histories)} requests one after another")

# %%
client.close()
server.stop()
assert Path("served/ease/1/saved_model.pb").exists()

# %% [markdown]
# In production the folder `served/ease` goes to TF Serving as it is; `export/` in the repository has the compose file.
