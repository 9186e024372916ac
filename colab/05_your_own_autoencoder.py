# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Your own autoencoder
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/REPO/blob/main/colab/05_your_own_autoencoder.ipynb)
#
# A model is a subclass of `kerasrec.Recommender` with `build`, `call` and `compute_loss`. The base class provides
# batches, masks, ranking, metrics, checkpoints and export. The first model has thirty lines. The second one overrides
# `train_step` for DeepRec's dense re-feeding.

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

import keras
import numpy as np
import tensorflow as tf

from kerasrec.losses import MaskedMeanSquaredError, MultinomialNLL

tf.get_logger().setLevel("ERROR")  # TensorFlow warns if one process trains several models
table = kerasrec.generate(n_users=600, n_items=120, seed=6)

# %% [markdown]
# ## A model of thirty lines
#
# This is a denoising autoencoder with one hidden layer. `self.dense_inputs` builds rows from the ids of the batch.
# `self.dense_targets` builds the target rows. `regularization_losses` is the weight decay, scaled for several GPUs. The
# constructor stores each argument under its own name, so saving and loading need no further code.


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


# %% [markdown]
# Training, evaluation, saving and export work as for any model of the library.

# %%
split = kerasrec.HeldOutUsers(held_out=80).split(table)
mine = Denoising(split.train.n_items, seed=1)
mine.compile()
mine.fit(split.train, epochs=30, batch_size=100, validation_data=split.validation, verbose=0)
popularity = kerasrec.Popularity(split.train.n_items)
popularity.fit(split.train, verbose=0)
mine_on_test, popularity_on_test = (kerasrec.evaluate(model, split.test) for model in (mine, popularity))
print(mine_on_test)
assert mine_on_test.means["ndcg_100"] > popularity_on_test.means["ndcg_100"]

mine.save("mine.keras")
loaded = keras.saving.load_model("mine.keras")
np.testing.assert_array_equal(loaded.recommend(split.test.inputs).item_ids, mine.recommend(split.test.inputs).item_ids)
print(kerasrec.export_saved_model(mine, "served/mine", split.train))

# %% [markdown]
# ## A training step of your own: dense re-feeding
#
# DeepRec (Kuchaiev and Ginsburg 2017) makes two updates per batch $r$ of ratings. The first minimises the masked loss,
# in which only observed entries count. The second takes the model's own dense output $f(r)$ as input and as target, and
# minimises $\mathrm{MSE}(f(f(r)), f(r))$: an ideal $f$ does not change its own output. Two updates need a `train_step`.


# %%
@keras.saving.register_keras_serializable("mine")
class Refeeding(kerasrec.Recommender):
    feedback = "ratings"  # the model uses the values
    serving_inputs = ("history", "ratings")  # the inputs of a request to the exported model

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
        # `self.dense_targets` is NaN where no rating was observed; the loss ignores these entries.
        return self.squared_error(self.dense_targets(x if y is None else y), y_pred, sample_weight)

    def train_step(self, data):
        (x,) = data
        logs = super().train_step(data)  # the update on the observed entries
        if self.refeed:
            dense = tf.stop_gradient(self(x, training=True))  # every entry counts as observed
            with tf.GradientTape() as tape:
                loss = self.squared_error(dense, self(dense, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return logs


# %% [markdown]
# `kerasrec.DeepRec` re-feeds the output of the first update, which saves one forward pass. It also works on JAX; see
# `kerasrec/models/deep_rec.py`. Re-feeding regularises deep networks on large data. With one small layer and few ratings
# it raises the RMSE, as the results below show.

# %%
split = kerasrec.RandomRatings().split(table)
for refeed in (False, True):
    model = Refeeding(split.train.n_items, refeed=refeed, seed=1)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(split.train, epochs=30, batch_size=64, verbose=0)
    rmse = kerasrec.evaluate(model, split.test, ["rmse"])
    print(f"re-feeding {refeed!s:5} RMSE {rmse.means['rmse']:.4f} ± {rmse.standard_errors['rmse']:.4f}")
    assert rmse.means["rmse"] < 1.01  # predicting 3 for every rating gives 1.02
