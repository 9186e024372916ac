import zipfile

import numpy as np
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ratings_text, write

from kerasrec.data import DataError, read

MOVIELENS = {
    "1m": {
        "ratings.dat": ratings_text("::", header=""),
        "movies.dat": "10::Léon (1994)::Action\n30::Plan 9: from Outer Space (1959)::Horror\n",
        "users.dat": "1::F::1::10::48067\n",
        "README": "Read me",
    },
    "100k": {
        "u.data": ratings_text("\t", header=""),
        "u.item": "10|Léon (1994)|01-Jan-1994||http://x|0\n30|Plan 9: from Outer Space (1959)|||http://y|1\n",
        "u1.base": "1\t1\t1\t1\n",
    },
    "latest": {
        "ratings.csv": ratings_text(header="userId,movieId,rating,timestamp"),
        "movies.csv": 'movieId,title,genres\n10,Léon (1994),Action\n30,"Plan 9: from Outer Space (1959)",Horror\n',
        "tags.csv": "userId,movieId,tag,timestamp\n",
    },
}


def movielens(release):
    """File name → content, in the encodings of MovieLens."""
    return {
        name: text.encode("latin-1" if name in ("movies.dat", "u.item") else "utf-8")
        for name, text in MOVIELENS[release].items()
    }


@pytest.mark.parametrize("release", MOVIELENS)
@pytest.mark.parametrize("zipped", [False, True])
def test_ratings_and_titles_are_read_from_a_folder_and_a_zip(tmp_path, release, zipped):
    path = tmp_path / ("data.zip" if zipped else "data")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.mkdir("ml")
            for name, content in movielens(release).items():
                archive.writestr(f"ml/{name}", content)
    else:
        path.mkdir()
        for name, content in movielens(release).items():
            (path / name).write_bytes(content)
    table = read(path)
    assert entries(table) == RATING_ENTRIES
    assert table.item_titles.tolist() == ["Léon (1994)", "Plan 9: from Outer Space (1959)"]


def test_titles_are_optional(tmp_path):
    write(tmp_path / "ml" / "u.data", MOVIELENS["100k"]["u.data"])
    assert read(tmp_path / "ml").item_titles is None


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_file_of_items_may_have_only_ids_and_titles(tmp_path, line_end):
    write(tmp_path / "ml" / "ratings.dat", MOVIELENS["1m"]["ratings.dat"])
    write(tmp_path / "ml" / "movies.dat", f"10::Jam{line_end}30::Léon{line_end}", "latin-1")
    assert read(tmp_path / "ml").item_titles.tolist() == ["Jam", "Léon"]


def test_spaces_around_integers_and_titles_are_ignored(tmp_path):
    write(tmp_path / "ml" / "ratings.csv", "user, item, rating\n1, 2, 3\n 4 ,5,6\n")
    write(tmp_path / "ml" / "movies.csv", "item, title\n 2 , Jam\n5,Plan 9 \n")
    table = read(tmp_path / "ml")
    assert entries(table) == [(1, 2, 3, None), (4, 5, 6, None)]
    assert table.item_titles.tolist() == ["Jam", "Plan 9"]


def test_an_item_without_a_title_is_an_error(tmp_path):
    write(tmp_path / "ml" / "u.data", MOVIELENS["100k"]["u.data"])
    write(tmp_path / "ml" / "u.item", "10|Léon (1994)|\n30\n", "latin-1")
    with pytest.raises(DataError, match=r"u\.item, line 2: expected an item id and a title, got '30'\. Fix: correct"):
        read(tmp_path / "ml")


def test_titles_in_another_encoding_are_an_error(tmp_path):
    write(tmp_path / "ml" / "ratings.csv", MOVIELENS["latest"]["ratings.csv"])
    write(tmp_path / "ml" / "movies.csv", MOVIELENS["latest"]["movies.csv"], "latin-1")
    with pytest.raises(DataError, match=r"movies\.csv, line 2: expected UTF-8, got byte 0xe9\. Fix: .*the `encoding`"):
        read(tmp_path / "ml")
    assert "é" in "".join(read(tmp_path / "ml", encoding="latin-1").item_titles)


@pytest.mark.parametrize("text, message", [
    ("1::2::3::978300760\n1::2::978300760\n", "line 2: expected 4 columns, as in the first line, got 3"),
    ("1::2::3::978300760\n1:5:2::3::978300760\n", "line 2: expected 4 columns, as in the first line, got 3"),
    ("1::2::3::978300760\n1::x::three::978300760\n", r"line 2, column 3 \(value\): expected a number, got 'three'"),
    ("1::2::3::978300760\n1::4::3::978300760000\n", "line 2, column 4 .* pass time_unit='ms' if that is the unit"),
])  # fmt: skip
def test_an_invalid_line_of_ratings_is_an_error(tmp_path, text, message):
    with pytest.raises(DataError, match=r"ratings\.dat, " + message):
        read(write(tmp_path / "ml" / "ratings.dat", text).parent)


@pytest.mark.realdata
def test_rows_and_titles_of_movielens_1m(data_dir):
    table = read(data_dir / "ml-1m")
    assert table.item_ids[table.row(0)][:3].tolist() == [1193, 661, 914]
    assert table.times[:2].tolist() == [978_300_760, 978_302_109]
    assert table.item_titles[np.flatnonzero(table.item_ids == 1)[0]] == "Toy Story (1995)"
    assert any("Misérables, Les" in title for title in table.item_titles), "the file is Latin-1"
