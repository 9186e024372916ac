"""Small files in the layouts that sites, shops and log pipelines export, and what they contain.

Each entry writes files with the same kind of content as the site's, and states what the reader must find.
"""

# ruff: noqa: E501

import bz2
import gzip
import lzma
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp

from kerasrec_testing.file_writers import frame, records, several, text, zstd

N = 12
"""Number of rows of most files."""

SECONDS = [1_300_000_000 + 1000 * n for n in range(N)]
USERS = [f"A{n % 4}ZX" for n in range(N)]
NUMBERS = [n % 4 + 1 for n in range(N)]
ITEMS = [n // 4 * 10 + n % 3 for n in range(N)]
CODES = [f"B00{i}" for i in ITEMS]
STARS = [n % 5 + 1 for n in range(N)]
PLAYS = [(n * n * 37) % 900 + 1 for n in range(N)]
DATES = [str(pd.Timestamp(s, unit="s")) for s in SECONDS]


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: site and file.
        write: function that writes it into a folder and returns the path to read.
        columns: role → name of the column that the site documents.
        kind: how the meaning of the values begins.
        n_rows: number of data rows.
        n_kept: number of interactions.
        options: options of `read`.
        times: whether the times are those of `SECONDS`.
    """

    name: str
    write: Any
    columns: dict[str, str]
    kind: str = "likes"
    n_rows: int = N
    n_kept: int = N
    options: dict[str, Any] = field(default_factory=dict)
    times: bool = True

    def __str__(self):
        return self.name


def roles(user, item, value=None, time=None):
    named = {"user": user, "item": item, "value": value, "time": time}
    return {role: name for role, name in named.items() if name is not None}


def rows_of(*columns):
    return list(zip(*columns, strict=True))


AMAZON_2014 = [
    {"reviewerID": u, "asin": i, "reviewerName": "J. Doe", "helpful": [2, 3], "reviewText": "Good, \"really\"",
     "overall": float(v), "summary": "ok", "unixReviewTime": t, "reviewTime": "09 13, 2009"}
    for u, i, v, t in rows_of(USERS, CODES, STARS, SECONDS)
]  # fmt: skip
AMAZON_2018 = [
    {"overall": float(v), "verified": True, "reviewTime": "09 13, 2009", "reviewerID": u, "asin": i,
     "style": {"Color:": " Red"}, "reviewText": "x", "unixReviewTime": t}
    for u, i, v, t in rows_of(USERS, CODES, STARS, SECONDS)
]  # fmt: skip
AMAZON_2023 = [
    {"rating": float(v), "title": "Nice", "text": "x", "images": [], "asin": f"V{i}", "parent_asin": i, "user_id": u,
     "timestamp": t * 1000, "helpful_vote": 0, "verified_purchase": True}
    for u, i, v, t in rows_of(USERS, CODES, STARS, SECONDS)
]  # fmt: skip
YELP = [
    {"review_id": f"r{n}", "user_id": u, "business_id": i, "stars": float(v), "useful": 0, "funny": 0, "cool": 0,
     "text": "x\ny", "date": d}
    for n, (u, i, v, d) in enumerate(rows_of(USERS, CODES, STARS, DATES))
]  # fmt: skip
GOODREADS = [
    {"user_id": u, "book_id": str(i), "review_id": f"r{n}", "is_read": True, "rating": v,
     "date_added": pd.Timestamp(t, unit="s", tz="UTC").strftime("%a %b %d %H:%M:%S %z %Y"), "n_votes": 3}
    for n, (u, i, v, t) in enumerate(rows_of(USERS, ITEMS, STARS, SECONDS))
]  # fmt: skip
SEGMENT = [
    {"anonymousId": f"anon{n}", "userId": u, "event": "Product Viewed", "type": "track", "messageId": f"m{n}",
     "properties": {"product_id": i, "sku": f"S{i}", "name": "Tea", "price": 2.5}, "timestamp": f"{d}Z",
     "context": {"ip": "1.2.3.4"}}
    for n, (u, i, d) in enumerate(rows_of(USERS, CODES, DATES))
]  # fmt: skip
GA4_EVENTS = [
    {"event_date": "20110313", "event_timestamp": t * 1_000_000, "event_name": "purchase", "user_id": None,
     "user_pseudo_id": u, "event_params": [{"key": "page", "value": {"string_value": "x", "int_value": None}}],
     "items": [{"item_id": i, "item_name": "Tea", "quantity": 1 + n % 3, "price": 2.5}]}
    for n, (u, i, t) in enumerate(rows_of(USERS, CODES, SECONDS))
]  # fmt: skip
GA4_PARAMETERS = [
    {"event_timestamp": t * 1_000_000, "event_name": "view", "user_pseudo_id": u, "event_params": [
        {"key": "session", "value": {"string_value": None, "int_value": 7}},
        {"key": "item_id", "value": {"string_value": i, "int_value": None}},
    ]}
    for u, i, t in rows_of(USERS, CODES, SECONDS)
]  # fmt: skip
GA4 = roles("user_pseudo_id", "items.item_id", "items.quantity", "event_timestamp")
INSTACART = (
    text("orders.csv", "order_id,user_id,eval_set,order_number", rows_of(range(N), NUMBERS, ["prior"] * N, range(N))),
    text("order_products__prior.csv", "order_id,product_id,add_to_cart_order,reordered",
         rows_of(range(N), ITEMS, [1] * N, [0] * N)),
    text("products.csv", "product_id,product_name,aisle_id", [(i, f"Tea {i}", 3) for i in sorted(set(ITEMS))]),
)  # fmt: skip
MOVIELENS = rows_of(NUMBERS, ITEMS, STARS, SECONDS)
NAMED = roles("userId", "movieId", "rating", "timestamp")
NUMBERED = roles("1", "2", "3", "4")
SHOP_HEADER = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku"
SHOPIFY = rows_of(
    [f"#{1000 + n}" for n in range(N)], [f"{u}@x.org" for u in USERS], ["paid"] * N, [f"{d} +0000" for d in DATES],
    [1 + n % 2 for n in range(N)], ["Tea"] * N, [2.5] * N, CODES,
)  # fmt: skip
SHOP = roles("Email", "Lineitem sku", "Lineitem quantity", "Created at")
STAR = "ratings from 1 to 5"

LAYOUTS = [
    Layout("MovieLens 1M", text("ratings.dat", "", MOVIELENS, "::"), NUMBERED, STAR),
    Layout("MovieLens 1M folder", several(
        text("ratings.dat", "", MOVIELENS, "::"), text("movies.dat", "", [(1, "Caf\xe9 (1990)", "Drama")], "::", "latin-1"),
    ), NUMBERED, STAR),
    Layout("MovieLens 100K", text("u.data", "", MOVIELENS, "\t"), NUMBERED, STAR),
    Layout("MovieLens 25M", text("ratings.csv", "userId,movieId,rating,timestamp", MOVIELENS), NAMED, STAR),
    Layout("MovieLens zip", several(
        text("ratings.csv", "userId,movieId,rating,timestamp", MOVIELENS),
        text("movies.csv", "movieId,title,genres", [(1, "Tea", "Drama")]), zipped=True,
    ), NAMED, STAR),
    Layout("Amazon 2014 reviews", records("reviews.json.gz", AMAZON_2014, compress=gzip.compress),
           roles("reviewerID", "asin", "overall", "unixReviewTime"), STAR),
    Layout("Amazon 2014 ratings", text("ratings_Beauty.csv", "", rows_of(USERS, CODES, map(float, STARS), SECONDS)), NUMBERED, STAR),
    Layout("Amazon 2018 reviews", records("Beauty_5.json", AMAZON_2018),
           roles("reviewerID", "asin", "overall", "unixReviewTime"), STAR),
    Layout("Amazon 2018 ratings", text("Beauty.csv", "", rows_of(CODES, USERS, map(float, STARS), SECONDS)),
           roles("2", "1", "3", "4"), STAR, options={"user": 2, "item": 1}),
    Layout("Amazon 2023 reviews", records("Beauty.jsonl", AMAZON_2023),
           roles("user_id", "parent_asin", "rating", "timestamp"), STAR),
    Layout("Amazon 2023 ratings", text(
        "Beauty.csv", "user_id,parent_asin,rating,timestamp", rows_of(USERS, CODES, STARS, [1000 * t for t in SECONDS])
    ), roles("user_id", "parent_asin", "rating", "timestamp"), STAR),
    Layout("Yelp", records("yelp_academic_dataset_review.json", YELP),
           roles("user_id", "business_id", "stars", "date"), STAR),
    Layout("Goodreads reviews", records("goodreads_reviews.json.gz", GOODREADS, compress=gzip.compress),
           roles("user_id", "book_id", "rating", "date_added"), STAR),
    Layout("Goodreads interactions", text(
        "goodreads_interactions.csv", "user_id,book_id,is_read,rating,is_reviewed",
        rows_of(NUMBERS, ITEMS, [1] * N, [0 if n % 2 else v for n, v in enumerate(STARS)], [0] * N),
    ), roles("user_id", "book_id", "rating"), "ratings from 0 to 5; 0 means an interaction without a rating", times=False),
    Layout("goodbooks-10k", several(
        text("ratings.csv", "user_id,book_id,rating", rows_of(NUMBERS, ITEMS, STARS)),
        text("books.csv", "book_id,title,authors", [(1, "Tea", "Ann")]),
    ), roles("user_id", "book_id", "rating"), STAR, times=False),
    Layout("Book-Crossing", text(
        "BX-Book-Ratings.csv", "User-ID,ISBN,Book-Rating",
        rows_of(NUMBERS, CODES, [0 if n % 2 else 2 * v for n, v in enumerate(STARS)]), ";", "latin-1", quoted=True,
    ), roles("User-ID", "ISBN", "Book-Rating"), "ratings from 0 to 10; 0 means an interaction without a rating", times=False),
    Layout("Book-Crossing folder", several(
        text("BX-Book-Ratings.csv", "User-ID,ISBN,Book-Rating", rows_of(NUMBERS, CODES, STARS), ";", quoted=True),
        text("BX-Books.csv", "ISBN,Book-Title,Book-Author", [(CODES[0], "Tea", "M\xfcller")], ";", "latin-1", quoted=True),
        text("BX-Users.csv", "User-ID,Location,Age", [(1, "x, y", "NULL")], ";", quoted=True),
    ), roles("User-ID", "ISBN", "Book-Rating"), STAR, times=False),
    Layout("Last.fm 360K", text(
        "usersha1-artmbid-artname-plays.tsv", "", rows_of([f"{n:040x}" for n in NUMBERS], CODES, ["a band"] * N, PLAYS), "\t"
    ), roles("1", "2", "4"), "counts", times=False),
    Layout("Last.fm HetRec", text("user_artists.dat", "userID,artistID,weight", rows_of(NUMBERS, ITEMS, PLAYS), "\t"),
           roles("userID", "artistID", "weight"), "counts", times=False),
    Layout("HetRec MovieLens", text(
        "user_ratedmovies-timestamps.dat", "userID,movieID,rating,timestamp",
        rows_of(NUMBERS, ITEMS, STARS, [1000 * t for t in SECONDS]), "\t",
    ), roles("userID", "movieID", "rating", "timestamp"), STAR),
    Layout("Steam 200K", text(
        "steam-200k.csv", "", rows_of([151603712 + n for n in NUMBERS], [f'"Game, {i}"' for i in ITEMS], ["play"] * N,
                                      [0.1 * v for v in PLAYS], [0] * N)
    ), roles("1", "2", "4"), "counts", times=False),
    Layout("Steam recommendations", text(
        "recommendations.csv", "app_id,helpful,funny,date,is_recommended,hours,user_id,review_id",
        rows_of(ITEMS, [0] * N, [0] * N, [d[:10] for d in DATES], ["true"] * N, [0.5 * v for v in PLAYS], NUMBERS, range(N)),
    ), roles("user_id", "app_id", "hours", "date"), "counts", times=False),
    Layout("Steam reviews", records("steam_reviews.json", [
        {"username": u, "hours": p, "product_id": i, "page": 1, "date": d[:10], "text": "x", "early_access": False}
        for u, i, p, d in rows_of(USERS, CODES, PLAYS, DATES)
    ]), roles("username", "product_id", "hours", "date"), "counts", times=False),
    Layout("RetailRocket", text(
        "events.csv", "timestamp,visitorid,event,itemid,transactionid",
        rows_of([1000 * t for t in SECONDS], NUMBERS, ["view"] * N, ITEMS, [""] * N),
    ), roles("visitorid", "itemid", time="timestamp")),
    Layout("RetailRocket weights", text(
        "events.csv", "timestamp,visitorid,event,itemid,transactionid",
        rows_of([1000 * t for t in SECONDS], NUMBERS, ["view", "addtocart"] * (N // 2), ITEMS, [""] * N),
    ), roles("visitorid", "itemid", "event weight", "timestamp"), "counts from 1 to 3",
           options={"event_weights": {"event": {"view": 1, "addtocart": 3, "transaction": 10}}}),
    Layout("RetailRocket purchases", text(
        "events.csv", "timestamp,visitorid,event,itemid,transactionid",
        rows_of([1000 * t for t in SECONDS], NUMBERS, ["view", "transaction"] * (N // 2), ITEMS, [""] * N),
    ), roles("visitorid", "itemid", time="timestamp"), n_kept=N // 2, options={"where": {"event": ["transaction"]}}, times=False),
    Layout("H&M", text(
        "transactions_train.csv", "t_dat,customer_id,article_id,price,sales_channel_id",
        rows_of([d[:10] for d in DATES], USERS, [f"0{i:09}" for i in ITEMS], [0.05] * N, [2] * N),
    ), roles("customer_id", "article_id", time="t_dat"), times=False),
    Layout("H&M folder", several(
        text("transactions_train.csv", "t_dat,customer_id,article_id,price,sales_channel_id",
             rows_of([d[:10] for d in DATES], USERS, [f"0{i:09}" for i in ITEMS], [0.05] * N, [2] * N)),
        text("articles.csv", "article_id,product_code,prod_name", [(f"0{i:09}", i, "Shirt, blue".replace(",", "")) for i in set(ITEMS)]),
        text("customers.csv", "customer_id,FN,Active,age", [(u, 1, 1, 30) for u in set(USERS)]),
    ), roles("customer_id", "article_id", time="t_dat"), times=False),
    Layout("Instacart folder", several(*INSTACART), roles("user_id", "product_id"), times=False),
    Layout("Instacart zip", several(*INSTACART, zipped=True), roles("user_id", "product_id"), times=False),
    Layout("Instacart without some orders", several(
        text("orders.csv", "order_id,user_id", rows_of(range(N - 2), NUMBERS[:-2])),
        text("order_products__prior.csv", "order_id,product_id", rows_of(range(N), ITEMS)),
    ), roles("user_id", "product_id"), n_kept=N - 2, times=False),
    Layout("Shopify orders", text("orders_export_1.csv", SHOP_HEADER, SHOPIFY), SHOP, "counts from 1 to 2"),
    Layout("Shopify quoted", text("orders_export_1.csv", SHOP_HEADER, SHOPIFY, quoted=True), SHOP, "counts from 1 to 2"),
    Layout("Shopify guests", text(
        "orders_export.csv", SHOP_HEADER, [(r[0], "", *r[2:]) if n < 2 else r for n, r in enumerate(SHOPIFY)]
    ), SHOP, "counts from 1 to 2", n_kept=N - 2, options={"drop_missing": True}, times=False),
    Layout("WooCommerce orders", text(
        "orders.csv", "Order Number,Order Status,Order Date,Email (Billing),SKU,Item #,Item Name,Quantity,Item Cost",
        rows_of(range(N), ["Completed"] * N, DATES, [f"{u}@x.org" for u in USERS], CODES, [1] * N, ["Tea"] * N, [2] * N, [3] * N),
    ), roles("Email (Billing)", "SKU", "Quantity", "Order Date"), "counts from 2 to 2"),
    Layout("WooCommerce lines", text(
        "lines.csv", "order_id,customer_id,product_id,product_name,qty,date_created",
        rows_of(range(N), NUMBERS, ITEMS, ["Tea"] * N, [n % 3 + 1 for n in range(N)], DATES), ";",
    ), roles("customer_id", "product_id", "qty", "date_created"), "counts from 1 to 3"),
    Layout("German orders", text(
        "bestellungen.csv", "Bestell-Nr.,Kunden-Nr.,Artikelnummer,Menge,Einzelpreis,Bestelldatum",
        rows_of(range(N), USERS, CODES, [f"{1 + n % 2},00" for n in range(N)], ["2,50"] * N,
                [f"{d[8:10]}.{d[5:7]}.{d[:4]} {d[11:]}" for d in DATES]), ";",
    ), roles("Kunden-Nr.", "Artikelnummer", "Menge", "Bestelldatum"), "counts from 1 to 2"),
    Layout("GA4 lines", records("events.json", GA4_EVENTS), GA4, "counts from 1 to 3"),
    Layout("GA4 Parquet", frame("events.parquet", pa.Table.from_pylist(GA4_EVENTS)), GA4, "counts from 1 to 3"),
    Layout("GA4 events without items", records("events.json", [{**GA4_EVENTS[0], "items": []}, *GA4_EVENTS[1:]]), GA4,
           "counts from 1 to 3", n_kept=N - 1, times=False),
    Layout("GA4 parameters", records("events.json", GA4_PARAMETERS),
           roles("user_pseudo_id", "event_params.item_id", time="event_timestamp")),
    Layout("GA4 flat", text(
        "ga4.csv", "event_timestamp,event_name,user_pseudo_id,item_id,quantity",
        rows_of([1_000_000 * t for t in SECONDS], ["purchase"] * N, USERS, CODES, [1 + n % 3 for n in range(N)]),
    ), roles("user_pseudo_id", "item_id", "quantity", "event_timestamp"), "counts from 1 to 3"),
    Layout("Segment lines", records("segment.jsonl", SEGMENT), roles("userId", "properties.product_id", time="timestamp")),
    Layout("Segment array", records("segment.json", SEGMENT, as_array=True), roles("userId", "properties.product_id", time="timestamp")),
    Layout("Segment warehouse", frame("product_viewed.parquet", {
        "id": [f"m{n}" for n in range(N)], "received_at": pa.array(SECONDS, pa.timestamp("s", tz="UTC")), "anonymous_id": USERS,
        "user_id": NUMBERS, "event": ["product_viewed"] * N, "product_id": CODES, "sku": CODES,
    }), roles("user_id", "product_id", time="received_at")),
    Layout("RecBole", text(
        "ml.inter", "user_id:token,item_id:token,rating:float,timestamp:float", MOVIELENS, "\t"
    ), roles("user_id", "item_id", "rating", "timestamp"), STAR),
    Layout("RecBole folder", several(
        text("ml.inter", "user_id:token,item_id:token,timestamp:float", rows_of(USERS, CODES, SECONDS), "\t"),
        text("ml.item", "item_id:token,title:token_seq", [(CODES[0], "Tea")], "\t"),
    ), roles("user_id", "item_id", time="timestamp")),
    Layout("NCF", text("ml-1m.train.rating", "", MOVIELENS, "\t"), NUMBERED, STAR),
    Layout("LightGCN", several(
        lambda folder: (folder / "train.txt").write_text("0 1 2 3\n1 1 4\n2 7\n"),
        lambda folder: (folder / "test.txt").write_text("0 4 5\n1 2 3\n2 8\n3 1\n"),
    ), {}, times=False),
    Layout("CiteULike lists", lambda folder: (
        (folder / "users.dat").write_text("3 1 2 3\n4 1 2 4 5\n5 7 8 9 10 11\n"), folder / "users.dat")[1], {}, times=False),
    Layout("scipy matrix", lambda folder: (
        sp.save_npz(folder / "x.npz", sp.csr_array(np.eye(N))), folder / "x.npz")[1], {}, times=False),
    Layout("Three columns with times", text("clicks.csv", "", rows_of(USERS, CODES, SECONDS)), roles("1", "2", time="3")),
    Layout("Three columns with milliseconds", text("clicks.tsv", "", rows_of(NUMBERS, ITEMS, [1000 * t for t in SECONDS]), "\t"),
           roles("1", "2", time="3")),
    Layout("Three columns with ratings", text("a.csv", "", rows_of(NUMBERS, ITEMS, STARS)), roles("1", "2", "3"), STAR, times=False),
    Layout("Two columns", text("a.csv", "", rows_of(NUMBERS, ITEMS)), roles("1", "2"), times=False),
    Layout("Pipes", text("a.txt", "user|item|rating|time".replace("|", ","), MOVIELENS, "|"),
           roles("user", "item", "rating", "time"), STAR),
    Layout("UTF-16", text("a.csv", "user,item,rating,time", MOVIELENS, "\t", "utf-16"), roles("user", "item", "rating", "time"), STAR),
    Layout("UTF-8 with mark", text("a.csv", "user,item,rating,time", MOVIELENS, encoding="utf-8-sig"),
           roles("user", "item", "rating", "time"), STAR),
    Layout("cp1252", text("a.csv", "user,item,rating,time,title", [(*r, "Caf\xe9") for r in MOVIELENS], ";", "cp1252"),
           roles("user", "item", "rating", "time"), STAR),
    Layout("bzip2", text("a.csv.bz2", "user,item,rating,time", MOVIELENS, compress=bz2.compress),
           roles("user", "item", "rating", "time"), STAR),
    Layout("xz", text("a.csv.xz", "user,item,rating,time", MOVIELENS, compress=lzma.compress),
           roles("user", "item", "rating", "time"), STAR),
    Layout("Zstandard", text("a.csv.zst", "user,item,rating,time", MOVIELENS, compress=zstd),
           roles("user", "item", "rating", "time"), STAR),
    Layout("Repeated pairs", text("a.csv", "user,item,rating,time", [*MOVIELENS, (1, 0, 5, 1_400_000_000)]),
           roles("user", "item", "rating", "time"), STAR, n_rows=N + 1, times=False),
    Layout("Repeated quantities", text("a.csv", "customer,sku,qty", [(1, 7, 2), (1, 7, 3), (2, 7, 1)]),
           roles("customer", "sku", "qty"), "counts from 1 to 5", n_rows=3, n_kept=2, times=False),
    Layout("Empty lines", text("a.csv", "user,item", [*rows_of(NUMBERS, ITEMS), ("", "")]), roles("user", "item"),
           n_rows=N + 1, times=False),
    Layout("Scores to 100", text("a.csv", "user,item,score", rows_of(NUMBERS, ITEMS, [60 + 3 * n for n in range(N)])),
           roles("user", "item", "score"), "ratings from 60 to 93", times=False),
    Layout("Feather", frame("a.feather", {"user": USERS, "item": CODES, "rating": STARS, "time": SECONDS}),
           roles("user", "item", "rating", "time"), STAR),
    Layout("Parquet dictionaries", frame("a.parquet", {
        "user": pa.array(USERS).dictionary_encode(), "item": pa.array(CODES).dictionary_encode(), "rating": STARS,
        "time": pd.to_datetime(SECONDS, unit="s"),
    }), roles("user", "item", "rating", "time"), STAR),
]  # fmt: skip
