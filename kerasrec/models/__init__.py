"""The models, one file a paper."""

from kerasrec.models.auto_rec import AutoRec
from kerasrec.models.base import Recommendations, Recommender
from kerasrec.models.cdae import CDAE
from kerasrec.models.cfn import CFN
from kerasrec.models.deep_rec import DeepRec
from kerasrec.models.ease import EASE
from kerasrec.models.ease_sgd import EASESGD
from kerasrec.models.edlae import EDLAE
from kerasrec.models.elsa import ELSA
from kerasrec.models.mult_dae import MultDAE
from kerasrec.models.mult_vae import MultVAE
from kerasrec.models.popularity import Popularity
from kerasrec.models.rec_vae import RecVAE
from kerasrec.models.svae import SVAE

ZOO: dict[str, type[Recommender]] = {
    "auto_rec": AutoRec,
    "cdae": CDAE,
    "cfn": CFN,
    "deep_rec": DeepRec,
    "ease": EASE,
    "ease_sgd": EASESGD,
    "edlae": EDLAE,
    "elsa": ELSA,
    "mult_dae": MultDAE,
    "mult_vae": MultVAE,
    "popularity": Popularity,
    "rec_vae": RecVAE,
    "svae": SVAE,
}
"""The models by the name that the command line knows them by."""

__all__ = [
    "CDAE",
    "CFN",
    "EASE",
    "EASESGD",
    "EDLAE",
    "ELSA",
    "SVAE",
    "ZOO",
    "AutoRec",
    "DeepRec",
    "MultDAE",
    "MultVAE",
    "Popularity",
    "RecVAE",
    "Recommendations",
    "Recommender",
]
