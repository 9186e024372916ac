"""`kerasrec data describe`."""

from kerasrec_testing.command import error_of, invoke


def test_describe_prints_counts_ranges_and_the_most_popular_item():
    lines = invoke("data", "describe", "generated").output.splitlines()
    assert "2,000 users × 500 items" in lines[0]
    read, kept = lines[1].split(" rows read = ")
    assert kept == f"{read} kept"
    assert [line.split(":")[0] for line in lines[2:]] == [
        "items per user",
        "users per item",
        "user ids",
        "most popular item",
    ]


def test_describe_prints_what_became_of_each_row(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n1,2\n1,2\n,\n3,4\n")
    lines = invoke("data", "describe", tmp_path / "a.csv").output.splitlines()
    assert lines[2] == "4 rows read = 2 kept + 1 merged as duplicates + 1 dropped (1 empty)"


def test_describe_reads_the_stated_encoding_and_quotes(tmp_path):
    (tmp_path / "a.csv").write_text('user,item,title\n1,\u010daj,"Boo\n2,\u010daj,y\n', "cp1250")
    options = ("--encoding", "cp1250", "--quote", "")
    assert "\u010daj" in invoke("data", "describe", tmp_path / "a.csv", *options).output
    assert "pass --quote ''" in error_of("data", "describe", tmp_path / "a.csv", "--encoding", "cp1250")


def test_rows_with_missing_fields_are_dropped_on_request(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,title\n1,2,x\n,2,guest\n")
    assert "expected an id, got a missing one" in error_of("data", "describe", tmp_path / "a.csv")
    output = invoke("data", "describe", tmp_path / "a.csv", "--drop-missing").output
    assert "2 rows read = 1 kept + 1 dropped (1 missing user)" in output


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
