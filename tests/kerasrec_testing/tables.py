"""Files of interactions, and tables as plain Python lists."""


def write(path, text, encoding="utf-8"):
    """Writes a file and returns its path. Line ends are written unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def entries(table):
    """(user id, item id, value, time) of each interaction, in the order of the table."""
    times = [None] * len(table) if table.times is None else table.times.tolist()
    return [(*pair, *rest) for pair, *rest in zip(ordered_pairs(table), table.values.tolist(), times, strict=True)]


def ordered_pairs(table):
    """(user id, item id) of each interaction, in the order of the table."""
    return list(zip(table.user_ids[table.users].tolist(), table.item_ids[table.items].tolist(), strict=True))


def pairs(table):
    """The set of (user id, item id)."""
    return set(ordered_pairs(table))


def items_by_user(table):
    """User id → list of item ids."""
    return {user: table.item_ids[table.row(row)].tolist() for row, user in enumerate(table.user_ids.tolist())}


RATINGS = [(2, 30, 4.5, 1_000_000_003), (1, 30, 3.0, 1_000_000_001), (2, 10, 1.0, 1_000_000_002)]

RATING_ENTRIES = [(1, 30, 3.0, 1_000_000_001), (2, 30, 4.5, 1_000_000_003), (2, 10, 1.0, 1_000_000_002)]
"""What `entries` returns for a table of `RATINGS`."""


def ratings_text(separator=",", header="user_id,item_id,rating,timestamp"):
    """`RATINGS` as delimited text; an empty `header` means none."""
    lines = [separator.join(map(str, row)) for row in RATINGS]
    return "\n".join([header.replace(",", separator)] * bool(header) + lines) + "\n"
