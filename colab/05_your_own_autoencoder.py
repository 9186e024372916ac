# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Your own autoencoder on kerasrec's pieces
#
# A model of the zoo is a `keras.Model` with `build`, `call` and `compute_loss`. The base class brings batches, masks, ranking,
# metrics, checkpoints and the export. First a model of thirty lines; then one with a training step of its own: DeepRec's
# dense re-feeding.

# %% tags=["install"]
# %pip install -q kerasrec

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import kerasrec
from kerasrec.losses import MaskedMeanSquaredError, MultinomialNLL

tf.get_logger().setLevel("ERROR")  # several models are made here, which TensorFlow takes for a mistake
table = kerasrec.generate(n_users=600, n_items=120, seed=6)

# %% [markdown]
# ## A model of thirty lines
#
# A denoising autoencoder with one hidden layer. `self.dense_inputs` turns the batch's ids into rows, `self.targets` what
# should come out; `regularization_losses` is the weight decay, scaled for several GPUs.


# %%
@keras.saving.register_keras_serializable("mine")
class Denoising(kerasrec.Recommender):
    def __init__(self, n_items, latent_dim=32, dropout=0.5, seed=None, **kwargs):
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items, self.latent_dim, self.dropout = n_items, latent_dim, dropout
        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"))
        glorot = keras.initializers.GlorotUniform
        self.encoder = keras.layers.Dense(latent_dim, "tanh", kernel_initializer=glorot(self.seed_for("encoder")))
        self.logits = keras.layers.Dense(n_items, dtype="float32", kernel_initializer=glorot(self.seed_for("logits")))
        self.nll = MultinomialNLL()

    def build(self, input_shape=None):
        self.encoder.build((None, self.n_items))
        self.logits.build((None, self.latent_dim))

    def call(self, inputs, training=False):
        return self.logits(self.encoder(self.drop(self.dense_inputs(inputs), training=training)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.nll(self.dense_targets(x if y is None else y), y_pred, sample_weight) + self.regularization_losses()

    def get_config(self):
        own = {"n_items": self.n_items, "latent_dim": self.latent_dim, "dropout": self.dropout}
        return {**super().get_config(), **own}


# %% [markdown]
# That is all. It trains, is measured, is saved and answers like any other.

# %%
split = kerasrec.HeldOutUsers(held_out=80).split(table)
mine = Denoising(split.train.n_items, seed=1)
mine.compile()
mine.fit(split.train, epochs=30, batch_size=100, validation_data=split.validation, verbose=0)
popularity = kerasrec.Popularity(split.train.n_items)
popularity.fit(split.train, verbose=0)
ours, theirs = (kerasrec.evaluate(model, split.test) for model in (mine, popularity))
print(ours)
assert ours.means["ndcg_100"] > theirs.means["ndcg_100"]

mine.save("mine.keras")
again = keras.saving.load_model("mine.keras")
np.testing.assert_array_equal(again.recommend(split.test.inputs).item_ids, mine.recommend(split.test.inputs).item_ids)
print(kerasrec.export_saved_model(mine, "served/mine", split.train))

# %% [markdown]
# ## A training step of your own: dense re-feeding
#
# DeepRec (Kuchaiev and Ginsburg 2017) learns from a batch $r$ of ratings with the masked loss, in which only observed
# entries count. Then it feeds its own dense answer $f(r)$ again: a good $f$ leaves it as it is, so
# $\mathrm{MSE}(f(f(r)), f(r))$ has an update of its own. Two updates a batch need a `train_step`.


# %%
@keras.saving.register_keras_serializable("mine")
class Refeeding(kerasrec.Recommender):
    feedback = "ratings"  # values matter
    serving_inputs = ("history", "ratings")  # what a served request must tell

    def __init__(self, n_items, units=32, refeed=True, seed=None, **kwargs):
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items, self.units, self.refeed = n_items, units, refeed
        glorot = keras.initializers.GlorotUniform
        self.encoder = keras.layers.Dense(units, "selu", kernel_initializer=glorot(self.seed_for("encoder")))
        self.ratings = keras.layers.Dense(
            n_items, "selu", dtype="float32", kernel_initializer=glorot(self.seed_for("ratings"))
        )
        self.squared_error = MaskedMeanSquaredError(per="entry")

    def build(self, input_shape=None):
        self.encoder.build((None, self.n_items))
        self.ratings.build((None, self.units))

    def call(self, inputs, training=False):
        return self.ratings(self.encoder(self.dense_inputs(inputs)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        # `self.targets` is NaN where nothing was observed: the loss leaves those entries out.
        return self.squared_error(self.dense_targets(x if y is None else y), y_pred, sample_weight)

    def train_step(self, data):
        (x,) = data
        logs = super().train_step(data)  # the update on what was observed
        if self.refeed:
            dense = tf.stop_gradient(self(x, training=True))  # every entry of it counts as observed
            with tf.GradientTape() as tape:
                loss = self.squared_error(dense, self(dense, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return logs

    def get_config(self):
        return {**super().get_config(), "n_items": self.n_items, "units": self.units, "refeed": self.refeed}


# %% [markdown]
# The library's `DeepRec` does one thing more: it re-feeds the very output that the first update saw, which saves a
# pass, and it does the same on JAX. See `kerasrec/models/deep_rec.py`. Re-feeding is a regulariser for deep nets on
# large data; on these few ratings and one small layer it costs more than it brings, which is worth seeing too.

# %%
split = kerasrec.RandomRatings().split(table)
for refeed in (False, True):
    model = Refeeding(split.train.n_items, refeed=refeed, seed=1)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(split.train, epochs=30, batch_size=64, verbose=0)
    rmse = kerasrec.evaluate(model, split.test, ["rmse"])
    print(f"re-feeding {refeed!s:5} RMSE {rmse.means['rmse']:.4f} ± {rmse.standard_errors['rmse']:.4f}")
    assert rmse.means["rmse"] < 1.01  # always 3 would give 1.02
