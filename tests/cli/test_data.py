"""`kerasrec data describe`."""

from kerasrec_testing.command import error_of, invoke


def test_describe_prints_counts_ranges_and_the_most_popular_item():
    lines = invoke("data", "describe", "generated").output.splitlines()
    assert "2,000 users × 500 items" in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == [
        "items per user",
        "users per item",
        "user ids",
        "most popular item",
    ]


def test_an_error_names_the_option_that_corrects_it(tmp_path):
    (tmp_path / "a.csv").write_text("buyer,item\n1,2\n")
    error = error_of("data", "describe", tmp_path / "a.csv")
    assert error.endswith("got the columns buyer, item. Fix: pass the name of one of them as --user")
    error = error_of("data", "describe", tmp_path / "a.csv", "--user", "Buyer")
    assert "expected a column 'Buyer' (--user), got the columns buyer, item. Fix: " in error
    (tmp_path / "dates.csv").write_text("user,item,time\n1,2,13/02/2001\n")
    assert error_of("data", "describe", tmp_path / "dates.csv").endswith("--date-format '%d/%m/%Y %H:%M'")


def test_a_date_format_is_used(tmp_path):
    (tmp_path / "dates.csv").write_text("user,item,time\n1,2,13/02/2001\n")
    result = invoke("data", "describe", tmp_path / "dates.csv", "--date-format", "%d/%m/%Y")
    assert "2001-02-13" in result.output
