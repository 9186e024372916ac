"""`kerasrec data describe`."""

import json

import pandas as pd
import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec import generate


def test_describe_prints_counts_ranges_and_the_most_popular_item():
    lines = invoke("data", "describe", "generated").stdout.splitlines()
    assert "2,000 users × 500 items" in lines[0]
    read, kept = lines[1].split(" rows read = ")
    assert kept == f"{read} kept"
    names = ["user", "item", "value", "likes", "time", "items per user", "users per item", "most popular item"]
    assert [line.split(":")[0] for line in lines[2:]] == names


def test_describe_prints_the_columns_and_the_meaning_of_values(tmp_path):
    rows = "".join(f"{n},B{n},9,{n},{8 + n % 3},{1_600_000_000_000 + n}\n" for n in range(9))
    (tmp_path / "a.csv").write_text(f"user_id,asin,sku,anonymous_id,score,timestamp\n{rows}")
    result = invoke("data", "describe", tmp_path / "a.csv")
    for line in (
        "user: column 'user_id', 9 ids, first 0, last 8",
        "item: column 'asin', 9 ids, first B0, last B8",
        "value: column 'score', ratings from 8 to 10",
        "likes: 9 of 9 interactions are likes: value >= 8",
        "time: column 'timestamp', 2020-09-13 12:26 to 2020-09-13 12:26 UTC",
    ):
        assert line in result.output.splitlines()
    assert "other columns of users: anonymous_id; --user selects one of them" in result.output
    assert "other columns of items: sku; --item selects one of them" in result.output


def test_describe_warns_about_values_that_are_no_likes_or_times(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,rating\n1,2,3\n1,3,2\n")
    result = invoke("data", "describe", tmp_path / "a.csv")
    assert "value: column 'rating', ratings from 2 to 3, assumed to be on a scale up to 5" in result.stdout.splitlines()
    assert "warning: no interaction is a like" in result.stderr
    (tmp_path / "a.csv").write_text("user,item,value\n1,2,1600000000000\n1,3,1600000000001\n")
    assert "look like times; pass their column as --time" in invoke("data", "describe", tmp_path / "a.csv").stderr


def test_rows_are_chosen_weighed_and_merged(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,event\n1,2,view\n1,2,buy\n3,2,view\n3,4,scroll\n")
    chosen = invoke("data", "describe", tmp_path / "a.csv", "--where", "event=view,buy", "--duplicates", "count").output
    assert "= 2 kept + 1 merged as duplicates (rows counted) + 1 dropped (1 event other than view, buy)" in chosen
    assert "value: column 'count', counts from 1 to 2" in chosen
    weighed = invoke("data", "describe", tmp_path / "a.csv", "--event-weights", "event:view=1,buy=10").output
    assert "counts from 1 to 11" in weighed
    assert (
        "all values of 'event' are read; --where and --event-weights choose or weigh them"
        in invoke("data", "describe", tmp_path / "a.csv").output
    )


@pytest.mark.parametrize("option, text", [("--where", "event"), ("--event-weights", "event:view")])
def test_an_incomplete_rule_is_an_error(option, text):
    result = invoke("data", "describe", "generated", option, text)
    assert result.exit_code == 2
    assert f"got '{text}'. Fix: write {option} event" in " ".join(result.output.split())


def test_a_table_without_a_header_is_read_on_request(tmp_path):
    (tmp_path / "a.csv").write_text("ann,tea\nbob,jam\n")
    assert "2 rows read = 2 kept" in invoke("data", "describe", tmp_path / "a.csv", "--no-header").output
    assert "--no-header" in invoke("data", "describe", tmp_path / "a.csv", "--user", "1", "--item", "2").output
    assert error_of("data", "describe", tmp_path / "a.csv").endswith("or --no-header if line 1 is an interaction")


def test_describe_prints_what_became_of_each_row(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n1,2\n1,2\n,\n3,4\n")
    lines = invoke("data", "describe", tmp_path / "a.csv").output.splitlines()
    assert "4 rows read = 2 kept + 1 merged as duplicates + 1 dropped (1 empty)" in lines


def test_describe_reads_the_stated_encoding_and_quotes(tmp_path):
    (tmp_path / "a.csv").write_text('user,item,title\n1,\u010daj,"Boo\n2,\u010daj,y\n', "cp1250")
    options = ("--encoding", "cp1250", "--quote", "")
    assert "\u010daj" in invoke("data", "describe", tmp_path / "a.csv", *options).output
    assert "pass --quote ''" in error_of("data", "describe", tmp_path / "a.csv", "--encoding", "cp1250")


def test_rows_with_missing_fields_are_dropped_on_request(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,title\n1,2,x\n,2,guest\n")
    error = error_of("data", "describe", tmp_path / "a.csv")
    assert error.endswith("got a missing one (''). Fix: fill it in, or pass --drop-missing to drop such rows")
    output = invoke("data", "describe", tmp_path / "a.csv", "--drop-missing").output
    assert "2 rows read = 1 kept + 1 dropped (1 missing user)" in output


def test_an_error_names_the_option_that_corrects_it(tmp_path):
    (tmp_path / "a.csv").write_text("who,item\n1,2\n")
    error = error_of("data", "describe", tmp_path / "a.csv")
    assert error.endswith("got the columns who, item. Fix: pass the name of one of them as --user")
    error = error_of("data", "describe", tmp_path / "a.csv", "--user", "Who")
    assert "expected a column 'Who' (--user), got the columns who, item. Fix: " in error
    (tmp_path / "dates.csv").write_text("user,item,time\n1,2,13/02/2001\n")
    assert error_of("data", "describe", tmp_path / "dates.csv").endswith("--date-format '%d/%m/%Y %H:%M'")


def test_a_date_format_is_used(tmp_path):
    (tmp_path / "dates.csv").write_text("user,item,time\n1,2,13/02/2001\n")
    result = invoke("data", "describe", tmp_path / "dates.csv", "--date-format", "%d/%m/%Y")
    assert "2001-02-13" in result.output


def test_packed_data_are_accepted_wherever_data_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = generate(n_users=90, n_items=40, mean_items=10, seed=2)
    columns = (table.user_ids[table.users], table.item_ids[table.items], table.values, table.times)
    pd.DataFrame(dict(zip(("user", "item", "rating", "timestamp"), columns, strict=True))).to_csv("a.csv", index=False)
    output = invoke("data", "pack", "a.csv", "--min-value", 4, "--out", "packed").output
    n_likes = int((table.values >= 4).sum())
    assert f"{n_likes:,} kept + {len(table) - n_likes:,} dropped ({len(table) - n_likes:,} value below 4)" in output
    assert f"written: packed, {n_likes:,} interactions" in output
    assert f"{n_likes:,} interactions" in invoke("data", "describe", "packed").output
    for data in ("a.csv", "packed"):
        options = ("--held-out", 10, "--split", "min_items=2", "--set", "reg=5")
        assert invoke("train", "ease", "--data", data, *options, "--out", f"{data}-run").exit_code == 0
        assert invoke("refit", f"{data}-run", "--out", f"{data}-final").exit_code == 0
        for run, to in ((f"{data}-run", f"{data}.csv"), (f"{data}-final", f"{data}-final.csv")):
            result = invoke("recommend", run, "--all", "-k", 5, "--to", to if data == "packed" else f"memory-{to}")
            assert result.exit_code == 0, result.output
    in_memory, packed = (
        json.loads((tmp_path / f"{data}-run" / "metrics.json").read_text()) for data in ("a.csv", "packed")
    )
    assert (in_memory["test"], in_memory["baseline"]) == (packed["test"], packed["baseline"])
    for suffix in ("", "-final"):
        lists = pd.read_csv(f"packed{suffix}.csv").sort_values(["user_id", "rank"], ignore_index=True)
        expected = pd.read_csv(f"memory-a.csv{suffix}.csv").sort_values(["user_id", "rank"], ignore_index=True)
        pd.testing.assert_frame_equal(lists, expected, rtol=1e-5)
    assert "nothing to do" in invoke("train", "ease", "--data", "packed", *options, "--out", "packed-run").output
    assert "Fix: pass them to `kerasrec data pack`" in error_of("data", "describe", "packed", "--user", "who")
    assert "expected a free name" in error_of("data", "pack", "a.csv", "--out", "packed")
