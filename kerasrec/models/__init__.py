"""The models, one file a paper."""

from kerasrec.models.auto_rec import AutoRec
from kerasrec.models.base import Recommendations, Recommender
from kerasrec.models.cdae import CDAE
from kerasrec.models.ease import EASE
from kerasrec.models.mult_dae import MultDAE
from kerasrec.models.mult_vae import MultVAE
from kerasrec.models.popularity import Popularity

ZOO: dict[str, type[Recommender]] = {
    "auto_rec": AutoRec,
    "cdae": CDAE,
    "ease": EASE,
    "mult_dae": MultDAE,
    "mult_vae": MultVAE,
    "popularity": Popularity,
}
"""The models by the name that the command line knows them by."""

__all__ = ["CDAE", "EASE", "ZOO", "AutoRec", "MultDAE", "MultVAE", "Popularity", "Recommendations", "Recommender"]
