from decimal import Decimal

import pyarrow as pa
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ratings_text, write
from pyarrow import parquet

from kerasrec.data import DataError, read


@pytest.mark.parametrize("header", [
    "userId,movieId,rating,timestamp", "customer_id,product_id,star_rating_without_usual_name,time",
    "USER,Item ID,Score,Date", "reviewerID,asin,overall,unixReviewTime", "uid,iid,value,created_at",
])  # fmt: skip
def test_columns_are_found_by_usual_names(tmp_path, header):
    table = read(write(tmp_path / "x.csv", ratings_text(header=header)))
    values = [1.0 if "without_usual_name" in header else value for _, _, value, _ in RATING_ENTRIES]
    assert entries(table) == [(u, i, v, t) for (u, i, _, t), v in zip(RATING_ENTRIES, values, strict=True)]


def test_the_log_states_which_columns_are_read(tmp_path, caplog):
    path = write(tmp_path / "x.csv", "Kunde,Artikel,Farbe,title\n1,2,5,a\n")
    with caplog.at_level("INFO", "kerasrec"):
        read(path, user="Kunde", item="Artikel")
    assert caplog.messages == [f"{path}: user is column 'Kunde', item is column 'Artikel'; not read: Farbe, title"]


def test_an_unknown_or_ambiguous_name_is_an_error(tmp_path):
    path = write(tmp_path / "x.csv", ratings_text())
    with pytest.raises(DataError, match="expected different columns as `value` and `time`, got 'rating' as both"):
        read(path, time="rating")
    message = r"expected a column 'who' \(`user`\), got the columns user_id, item_id, rating, timestamp\. Fix: pass the"
    with pytest.raises(DataError, match=message):
        read(path, user="who")


def test_decimal_ids_keep_all_digits(tmp_path):
    ids = [Decimal(2**53), Decimal(2**53 + 1)]
    table = pa.table({"user": pa.array([1, 2]), "item": pa.array(ids, pa.decimal128(38, 0))})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").item_ids.tolist() == [2**53, 2**53 + 1]
