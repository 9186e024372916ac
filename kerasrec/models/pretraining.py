"""Greedy layer-wise pre-training of stacked autoencoders."""

from __future__ import annotations

from typing import Any

from kerasrec.data.interactions import Interactions
from kerasrec.data.table_argument import check_table
from kerasrec.models.base import Recommender


def pretrain(
    model: Recommender, train: Interactions, epochs: int, batch_size: int | None = None, verbose: Any = "auto"
) -> None:
    """Trains a stack of layers from the outside in, so that `fit` only fine-tunes it.

    Stage d trains a network of the d outermost layer pairs (an encoder layer and the decoder layer that mirrors it)
    with the model's own loss, corruption and optimizer. The pairs of earlier stages are frozen. The weights of the
    last stage become the weights of `model`.

        n → 500 → n,   then   n → 500 → 250 → 500 → n   with the outer two frozen

    Args:
        model: an `AutoRec`, `CFN` or `MultDAE`, whose layers form pairs of equal widths.
        train: the training table.
        epochs: epochs of each stage.
        batch_size: batch size of each stage. Default: the model's.
        verbose: as in `keras.Model.fit`.

    Raises:
        TypeError: `train` is not a table.
        ValueError: the layers of the model do not form pairs of equal widths.

    Example:
        >>> from kerasrec import AutoRec, generate
        >>> from kerasrec.models.pretraining import pretrain
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = AutoRec.for_interactions(table, epochs=5, hidden_dims=(20, 10, 20), seed=1)
        >>> pretrain(model, table, epochs=2, verbose=0)
        >>> model.compile()
        >>> history = model.fit(table, epochs=5, verbose=0)

    Source: Bengio, Lamblin, Popovici and Larochelle, Greedy Layer-Wise Training of Deep Networks, NIPS
    2006; Vincent et al., Stacked Denoising Autoencoders, JMLR 2010; as in the AutoRec paper for its deep variant.
    """
    check_table(train=train)
    n_rows = train.n_items if model.rows == "items" else train.n_users
    trained: list[list[Any]] = []
    for depth in range(1, len(model.layer_pairs()) + 1):
        stage = model.truncated(depth)
        stage.planned_steps, stage.run_start = stage.steps_for(n_rows, epochs, batch_size), 0
        for pair, weights in zip(stage.layer_pairs(), trained, strict=False):
            _set_weights(pair, weights)
            for layer in pair:
                layer.trainable = False
        stage.compile()
        stage.fit(train, epochs=epochs, batch_size=batch_size, verbose=verbose)
        trained = [[layer.get_weights() for layer in pair] for pair in stage.layer_pairs()]
    for pair, weights in zip(model.layer_pairs(), trained, strict=True):
        _set_weights(pair, weights)


def _set_weights(pair: list[Any], weights: list[Any]) -> None:
    for layer, values in zip(pair, weights, strict=True):
        layer.set_weights(values)
