"""Greedy layer-wise pre-training of stacked autoencoders."""

from __future__ import annotations

from typing import Any

from kerasrec.data.interactions import Interactions
from kerasrec.models.base import Recommender


def pretrain(
    model: Recommender, train: Interactions, epochs: int, batch_size: int | None = None, verbose: Any = "auto"
) -> None:
    """Starts a stack of layers from the outside in, so that `fit` only has to tune it.

    Stage d trains the network of the d outermost pairs of layers (an encoder layer and the decoder
    layer that undoes it) by the model's own loss, corruption and optimizer; pairs of earlier stages
    are held. Only the weights of `model` are changed, by the last stage.

        n → 500 → n,   then   n → 500 → 250 → 500 → n   with the outer two held

    Args:
        model: one of `AutoRec`, `CFN`, `MultDAE`, whose layers come in pairs of equal widths.
        train: the training table.
        epochs: of each stage.
        batch_size: of each stage, if not the model's default.
        verbose: as in `keras.Model.fit`.

    Raises:
        ValueError: the model has no such pairs.

    Example:
        >>> from kerasrec import AutoRec, generate
        >>> from kerasrec.models.pretraining import pretrain
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = AutoRec.for_interactions(table, epochs=5, hidden_dims=(20, 10, 20), seed=1)
        >>> pretrain(model, table, epochs=2, verbose=0)
        >>> model.compile()
        >>> history = model.fit(table, epochs=5, verbose=0)

    Source: Bengio, Lamblin, Popovici and Larochelle, Greedy Layer-Wise Training of Deep Networks, NIPS
    2006; Vincent et al., Stacked Denoising Autoencoders, JMLR 2010; as the AutoRec paper does for
    its deep variant.
    """
    if not model.built:
        model.build()
    n_rows = train.n_items if model.rows == "items" else train.n_users
    learned: list[list[Any]] = []
    for depth in range(1, len(model.layer_pairs()) + 1):
        stage = model.truncated(depth)
        stage.planned_steps = stage.steps_for(n_rows, epochs, batch_size)
        for pair, weights in zip(stage.layer_pairs(), learned, strict=False):
            _assign(pair, weights)
            for layer in pair:
                layer.trainable = False
        stage.compile()
        stage.fit(train, epochs=epochs, batch_size=batch_size, verbose=verbose)
        learned = [[layer.get_weights() for layer in pair] for pair in stage.layer_pairs()]
    for pair, weights in zip(model.layer_pairs(), learned, strict=True):
        _assign(pair, weights)


def _assign(pair: list[Any], weights: list[Any]) -> None:
    for layer, values in zip(pair, weights, strict=True):
        layer.set_weights(values)
