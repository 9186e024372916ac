import pytest
from kerasrec_testing.tables import write

from kerasrec.data import DataError, Interactions, side_information

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


@pytest.mark.parametrize("line", ["10::Jam (1990)", "x::Jam (1990)::Comedy"])
def test_an_invalid_line_is_an_error(tmp_path, line):
    write(tmp_path / "movies.dat", f"20::Léon (1994)::Action\n{line}\n", "latin-1")
    with pytest.raises(DataError, match=r"movies\.dat, line 2: expected an integer id and 2 other fields .*, got '"):
        side_information(tmp_path, TABLE)


def test_side_information_is_of_items_or_users(tmp_path):
    with pytest.raises(ValueError, match="expected `of` to be 'items' or 'users', got 'genres'"):
        side_information(tmp_path, TABLE, of="genres")
