"""Layers that autoencoder recommenders are made of."""

from kerasrec.layers.add_negative_elbo import AddNegativeELBO
from kerasrec.layers.dense import BFloat16Dense, Logits, xavier_dense
from kerasrec.layers.densify import Densify
from kerasrec.layers.gaussian_sampling import GaussianSampling
from kerasrec.layers.kernel_dense import KernelDense
from kerasrec.layers.next_item_logits import NextItemLogits
from kerasrec.layers.row_dense import RowDense
from kerasrec.layers.sampled_logits import SampledLogits

__all__ = [
    "AddNegativeELBO",
    "BFloat16Dense",
    "Densify",
    "GaussianSampling",
    "KernelDense",
    "Logits",
    "NextItemLogits",
    "RowDense",
    "SampledLogits",
    "xavier_dense",
]
