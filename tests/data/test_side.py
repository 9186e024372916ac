import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from kerasrec_testing.tables import write

from kerasrec.data import DataError, Interactions, side_information
from kerasrec.data.side import checked_side

TABLE = Interactions.from_arrays([1, 2], [10, 20])


def test_features_follow_the_order_of_the_table(tmp_path):
    write(tmp_path / "movies.dat", "20::Léon (1994)::Action|Drama\n10::Jam (1990)::Comedy\n", "latin-1")
    write(tmp_path / "users.dat", "2::F::25::7::55117\n1::M::25::4::48067\n")
    genres, names = side_information(tmp_path, TABLE)
    assert names == ["Action", "Comedy", "Drama"]
    assert genres.tolist() == [[0, 1, 0], [1, 0, 1]]
    features, names = side_information(tmp_path, TABLE, of="users")
    assert names == ["age 25", "gender F", "gender M", "occupation 4", "occupation 7"]
    assert features.tolist() == [[1, 0, 1, 1, 0], [1, 1, 0, 0, 1]]


def test_a_folder_without_side_information_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder with movies\.dat, got none\. Fix: pass the folder of Movi"):
        side_information(tmp_path, TABLE)
    with pytest.raises(DataError, match=r"movielens/1m-ratings: expected a folder with users\.dat, got none"):
        side_information("movielens/1m-ratings", TABLE, of="users")


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.jsonl"])
def test_features_of_a_table_in_any_format(tmp_path, name):
    frame = pd.DataFrame({
        "item_id": [20, 10, 99], "genres": ["Drama|War", "Drama", "Comedy"], "price": [1.0, 3.0, 7.0],
        "title": ["Tea", "Jam", "Oil"],
    })  # fmt: skip
    save = {"csv": frame.to_csv, "parquet": frame.to_parquet, "jsonl": frame.to_json}[name.partition(".")[2]]
    save(tmp_path / name, **({"orient": "records", "lines": True} if "json" in name else {"index": False}))
    features, names = side_information(tmp_path / name, TABLE, columns=["genres", "title"])
    assert names == ["genres Drama", "genres War", "title Jam", "title Tea"]
    assert features.tolist() == [[1, 0, 1, 0], [1, 1, 0, 1]]
    table = Interactions.from_arrays([1, 2, 3, 4], [10, 20, 99, 50])
    features, names = side_information(tmp_path / name, table, columns=["price"])
    assert names == ["price"]
    assert features[:, 0] == pytest.approx([-0.267, -1.069, 0, 1.336], abs=1e-3)  # ids 10, 20, 50, 99


def test_text_with_many_distinct_values_is_no_feature(tmp_path, caplog):
    ids = range(600)
    pd.DataFrame({"id": ids, "text": [f"t{i}" for i in ids], "kind": [f"k{i % 2}" for i in ids]}).to_csv(
        tmp_path / "x.csv", index=False
    )
    with caplog.at_level("INFO", "kerasrec"):
        _, names = side_information(tmp_path / "x.csv", Interactions.from_arrays(ids, ids), of="users")
    assert names == ["kind k0", "kind k1"]
    assert "too many distinct values: text" in caplog.text
    table = Interactions.from_arrays(ids, ids)
    features, _ = side_information(tmp_path / "x.csv", table, of="users", columns=["text"])  # chosen by name
    assert features.shape == (600, 600) and (features.sum(axis=1) == 1).all()


@pytest.mark.parametrize("text, message", [
    ("code,genre\n10,a\n", "expected a column of ids of items, got the columns code, genre. Fix: rename the column"),
    ("id,genre\n7,a\n", "expected rows of the items of the interactions, for example 10, got other ids"),
    ("id,kind\n10,a\n", "expected a column 'genre', got the columns id, kind"),
])  # fmt: skip
def test_a_table_without_features_is_an_error(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        side_information(write(tmp_path / "x.csv", text), TABLE, columns=["genre"])


@pytest.mark.parametrize("line", ["10::Jam (1990)", "x::Jam (1990)::Comedy"])
def test_an_invalid_line_is_an_error(tmp_path, line):
    write(tmp_path / "movies.dat", f"20::Léon (1994)::Action\n{line}\n", "latin-1")
    with pytest.raises(DataError, match=r"movies\.dat, line 2: expected an integer id and 2 other fields .*, got '"):
        side_information(tmp_path, TABLE)


def test_side_information_is_of_items_or_users(tmp_path):
    with pytest.raises(ValueError, match="expected `of` to be 'items' or 'users', got 'genres'"):
        side_information(tmp_path, TABLE, of="genres")


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (np.ones(2), r"a matrix with 2 rows, one per item of the table, got \(2,\)"),
        (np.ones((3, 1)), r"a matrix with 2 rows, one per item of the table, got \(3, 1\)"),
        (np.ones((2, 0)), r"a matrix with 2 rows, one per item of the table, got \(2, 0\)"),
        ([["tea"], ["jam"]], "a matrix of numbers"),
        ([[1.0], [np.nan]], "finite numbers, got NaN or infinite ones"),
    ],
)
def test_features_that_are_no_matrix_of_finite_numbers_are_refused(side, message):
    with pytest.raises(ValueError, match=f"`side`: expected {message}"):
        checked_side(side, 2, "items")
    np.testing.assert_array_equal(checked_side(sp.csr_array([[0, 1], [2, 0]]), 2, "items"), [[0, 1], [2, 0]])
