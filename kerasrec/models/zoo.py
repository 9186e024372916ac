"""The registry of the models: one import line per model file, from which everything else is derived."""

# A line `from … import Model as Model` is a re-export: type checkers and `from kerasrec.models.zoo import *` see it.
from kerasrec import _registry
from kerasrec.models.auto_rec import AutoRec as AutoRec
from kerasrec.models.base import Recommender as Recommender
from kerasrec.models.bias import Bias as Bias
from kerasrec.models.blend import Blend as Blend
from kerasrec.models.cdae import CDAE as CDAE
from kerasrec.models.cfn import CFN as CFN
from kerasrec.models.dan import DAN as DAN
from kerasrec.models.deep_rec import DeepRec as DeepRec
from kerasrec.models.ease import EASE as EASE
from kerasrec.models.ease_sgd import EASESGD as EASESGD
from kerasrec.models.edlae import EDLAE as EDLAE
from kerasrec.models.elsa import ELSA as ELSA
from kerasrec.models.feature_ease import FeatureEASE as FeatureEASE
from kerasrec.models.feature_vae import FeatureVAE as FeatureVAE
from kerasrec.models.ials import IALS as IALS
from kerasrec.models.inf_ae import InfAE as InfAE
from kerasrec.models.item_knn import ItemKNN as ItemKNN
from kerasrec.models.kernel_net import KernelNet as KernelNet
from kerasrec.models.mult_dae import MultDAE as MultDAE
from kerasrec.models.mult_vae import MultVAE as MultVAE
from kerasrec.models.popularity import Popularity as Popularity
from kerasrec.models.rdlae import RDLAE as RDLAE
from kerasrec.models.rec_vae import RecVAE as RecVAE
from kerasrec.models.rlae import RLAE as RLAE
from kerasrec.models.sansa import SANSA as SANSA
from kerasrec.models.slim import SLIM as SLIM
from kerasrec.models.svae import SVAE as SVAE
from kerasrec.models.vasp import VASP as VASP

ZOO: dict[str, type[Recommender]] = {
    model.__module__.rpartition(".")[2]: model
    for model in sorted(_registry.registry.values(), key=lambda cls: cls.__module__)
    if issubclass(model, Recommender) and model.__module__.startswith("kerasrec.models.") and model is not Blend
}
"""The models by the names of the command line, which are the names of their files. `Blend` consists of such models."""
