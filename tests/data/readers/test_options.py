import pytest
from kerasrec_testing.tables import write

from kerasrec.data import DataError, read


@pytest.mark.parametrize("arguments, message", [
    ({"time_unit": "min"}, "expected `time_unit` to be one of s, ms, us, ns, got 'min'. Fix: "),
    ({"date_format": "%d/%q"}, "expected a format of dates, .* as `date_format`, got '%d/%q' .*bad directive.* Fix: "),
    ({"decimal": ";"}, "expected `decimal` to be '.' or ',', got ';'. Fix: "),
    ({"layout": "users"}, "expected `layout` to be one of user-items, count-items, got 'users'. Fix: "),
    ({"separator": "::"}, "expected one character as `separator`, got '::'. Fix: "),
])  # fmt: skip
def test_an_invalid_option_is_an_error(arguments, message):
    with pytest.raises(DataError, match=message):
        read("generated", **arguments)


def test_a_list_has_no_columns_to_name(tmp_path):
    path = write(tmp_path / "x.csv", "user,item\n1,2\n")
    with pytest.raises(DataError, match="expected names of columns or the layout of a list, got `user` and `layout`"):
        read(path, user="user", layout="user-items")
