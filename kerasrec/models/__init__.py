"""The models, one file per paper."""

from kerasrec.models.zoo import *  # noqa: F403 - every model of the registry, and `ZOO`
