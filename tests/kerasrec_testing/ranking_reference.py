"""EASE and the ranking metrics in plain numpy, to judge splits by."""

import numpy as np


def popularity_scores(train, inputs):
    return np.tile(train.item_counts.astype(float), (inputs.n_users, 1))


def ease_scores(train, inputs, weight):
    """x·B with B = I - P / diag(P), P = (XᵀX + λI)⁻¹, in float64."""
    x = train.matrix.astype(np.float64)
    gram = (x.T @ x).toarray()
    gram[np.diag_indices_from(gram)] += weight
    inverse = np.linalg.inv(gram)
    b = -inverse / np.diag(inverse)
    np.fill_diagonal(b, 0)
    return inputs.matrix.astype(np.float64) @ b


def figures(scores, part):
    """NDCG@100 and capped recall@20 and @50, means over the rows with targets."""
    scores = np.where(part.inputs.matrix.toarray() > 0, -np.inf, scores)
    relevant = part.targets.matrix.toarray() > 0
    best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    hits = np.take_along_axis(relevant, best, 1)
    n = relevant.sum(1)
    rows = n > 0
    discount = 1 / np.log2(np.arange(2, 102))
    ideal = np.concatenate([[0], np.cumsum(discount)])[np.minimum(n, 100)]
    return {
        "ndcg_100": ((hits * discount).sum(1)[rows] / ideal[rows]).mean(),
        "recall_20": (hits[:, :20].sum(1)[rows] / np.minimum(n, 20)[rows]).mean(),
        "recall_50": (hits[:, :50].sum(1)[rows] / np.minimum(n, 50)[rows]).mean(),
    }
