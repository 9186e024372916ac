"""Elastic net of every column of a matrix on its other columns, from XᵀX."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from kerasrec.ops.variables import aligned_empty
from kerasrec.types import FloatArray, IntArray

TARGETS = 2048
"""Columns of W that are solved for at a time."""

COORDINATES = 64
"""Rows of W whose outer part of the gradient is one matrix product."""

MAX_SUPPORT = 1000
"""Columns with more positive weights are solved by coordinate descent alone: the exact solution would take longer."""


def non_negative_elastic_net(
    gram: FloatArray,
    l1_reg: float,
    l2_reg: float,
    progress: tqdm,
    tolerance: float = 1e-4,
    max_sweeps: int = 100,
) -> FloatArray:
    """Minimises ½‖X - X W‖² + l2_reg / 2 · ‖W‖² + l1_reg · Σ W_ij over W ≥ 0 with diag(W) = 0.

    The columns of W are independent problems with one matrix XᵀX. Each iteration has two steps that lower the
    objective: `sweep`, coordinate descent over all rows of W, finds which weights are positive, and `solve_on_support`
    finds their values. Coordinate descent alone needs several times as many iterations.

    Args:
        gram: XᵀX, float32 `(n, n)`, symmetric.
        l1_reg: penalty of the absolute values, 0 or more.
        l2_reg: penalty of the squares, above 0.
        progress: a bar, to advance by 60.
        tolerance: a column is solved when no entry of it changes by more than this in a sweep.
        max_sweeps: the largest number of sweeps. A warning counts the columns that are not solved then.

    Returns:
        W, float32 `(n, n)`, C-contiguous and aligned for `kerasrec.ops.variables`.
    """
    n = len(gram)
    weights = aligned_empty(n, n)
    n_unsolved = 0
    for start in range(0, n, TARGETS):
        targets: IntArray = np.arange(start, min(start + TARGETS, n))
        solution = np.zeros((n, len(targets)), np.float32)
        for _ in range(max_sweeps):
            solved = sweep(gram, solution, targets, l1_reg, l2_reg) <= tolerance
            if solved.any():
                weights[:, targets[solved]] = solution[:, solved]
                targets, solution = targets[~solved], solution[:, ~solved]
                progress.update(60 * solved.sum() / n)
            if not len(targets):
                break
            solve_on_supports(gram, solution, targets, l1_reg, l2_reg)
        weights[:, targets] = solution
        n_unsolved += len(targets)
    if n_unsolved:
        warnings.warn(
            f"{n_unsolved:,} of {n:,} columns changed by more than {tolerance:g} in sweep {max_sweeps}. "
            "Fix: raise the L2 penalty",
            stacklevel=2,
        )
    return weights


def sweep(gram: FloatArray, solution: FloatArray, targets: IntArray, l1_reg: float, l2_reg: float) -> FloatArray:
    """Updates each row of `solution` once, in place, to its minimum given the other rows.

    Rows are taken in blocks, so that most of the work is a matrix product.

    Args:
        gram: XᵀX, `(n, n)`.
        solution: the columns `targets` of W, `(n, n_targets)`.
        targets: `(n_targets,)`.
        l1_reg: as in `non_negative_elastic_net`.
        l2_reg: likewise.

    Returns:
        The largest change of each column, `(n_targets,)`.
    """
    largest = np.zeros(len(targets), np.float32)
    for start in range(0, len(gram), COORDINATES):
        block = slice(start, start + COORDINATES)
        inner, part = gram[block, block], solution[block]  # `part` is a view
        # Xᵀ(X - X W) without the rows of the block.
        outer = gram[block][:, targets] - gram[block] @ solution + inner @ part
        for i in range(len(part)):
            gradient = outer[i] - inner[i] @ part + inner[i, i] * part[i]
            row = np.maximum(gradient - l1_reg, 0.0) / (inner[i, i] + l2_reg)
            row[targets == start + i] = 0.0
            np.maximum(largest, np.abs(row - part[i]), out=largest)
            part[i] = row
    return largest


def solve_on_supports(gram: FloatArray, solution: FloatArray, targets: IntArray, l1_reg: float, l2_reg: float) -> None:
    """Replaces the positive weights of each column, in place; arguments as in `sweep`."""

    def solve(column: int) -> None:
        support = np.flatnonzero(solution[:, column])
        if 0 < len(support) <= MAX_SUPPORT:
            matrix = gram[np.ix_(support, support)]
            matrix[np.diag_indices_from(matrix)] += l2_reg
            right = gram[support, targets[column]] - l1_reg
            solution[support, column] = solve_on_support(matrix, right, solution[support, column])

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(solve, range(len(targets)), chunksize=64):
            pass


def solve_on_support(matrix: FloatArray, right: FloatArray, weights: FloatArray) -> FloatArray:
    """Minimises ½ wᵀ matrix w - right · w over weights that are not negative, beginning with `weights`.

    Each step moves the positive weights towards their joint minimum. It stops where the first of them becomes 0, and
    that weight stays 0. The objective never rises.
    """
    positive = np.arange(len(weights))
    weights = weights.copy()
    for _ in range(20):
        exact = np.linalg.solve(matrix[np.ix_(positive, positive)], right[positive])
        step = exact - weights[positive]
        falling = exact < 0
        if not falling.any():
            weights[positive] = exact
            break
        length = (weights[positive][falling] / -step[falling]).min()
        weights[positive] = np.maximum(weights[positive] + length * step, 0.0)
        positive = positive[weights[positive] > 1e-9]
        weights[np.setdiff1d(np.arange(len(weights)), positive)] = 0.0
        if not len(positive):
            break
    return weights
