"""TensorBoard's projector reads one row per item."""

import csv

import numpy as np

from kerasrec import EASE, generate
from kerasrec.inference.item_vectors import item_vectors, write_projector


def test_the_projector_has_a_row_for_each_item(tmp_path):
    table = generate(n_users=300, n_items=60, seed=1)
    model = EASE(table.n_items, reg=20.0)
    model.fit(table, verbose=0)
    write_projector(model, table, tmp_path)
    vectors = np.loadtxt(tmp_path / "item_vectors.tsv")
    np.testing.assert_allclose(vectors, item_vectors(model, table), rtol=1e-4, atol=1e-6)
    with open(tmp_path / "items.tsv", newline="") as file:
        assert len(list(csv.reader(file, delimiter="\t"))) == 1 + table.n_items
