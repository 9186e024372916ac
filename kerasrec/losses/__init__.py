"""Losses of autoencoder recommenders, each a `keras.losses.Loss` for any Keras model.

Every loss computes one number per row, `(batch,)`, which Keras averages over the rows. All losses compute in float32
under any dtype policy.
"""

from kerasrec.losses.elbo import NegativeELBO, gaussian_kl
from kerasrec.losses.focal import FocalLoss
from kerasrec.losses.likelihoods import LIKELIHOODS, GaussianNLL, LogisticNLL, MultinomialNLL
from kerasrec.losses.pointwise import OBJECTIVES, PointwiseLoss
from kerasrec.losses.ratings import MaskedMeanSquaredError
from kerasrec.losses.row_loss import RowLoss, RowMean

__all__ = [
    "LIKELIHOODS",
    "OBJECTIVES",
    "FocalLoss",
    "GaussianNLL",
    "LogisticNLL",
    "MaskedMeanSquaredError",
    "MultinomialNLL",
    "NegativeELBO",
    "PointwiseLoss",
    "RowLoss",
    "RowMean",
    "gaussian_kl",
]
