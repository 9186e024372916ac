"""Usual names of columns in the exports of shops, log pipelines and published data sets.

A name is compared in lower case and without spaces and punctuation, so "User-ID" and "user_id" are the same name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

USUAL_NAMES = {
    "user": """
        user userid uid username usermboxsha1 usersha1 reviewerid reviewer customer customerid customeruserid client
        clientid member memberid account accountid profileid personid visitor visitorid fullvisitorid userpseudoid
        anonymousid deviceid cookieid emailbilling billingemail customeremail email buyerid session sessionid
        kunde kundennr kundennummer kundenid
    """,
    "item": """
        item itemid iid movie movieid product productid parentasin asin article articleid businessid book bookid isbn
        song songid track trackid artist artistid artmbid musicbrainzartistid game gameid app appid recipeid newsid
        video videoid showid animeid venueid placeid poi locationid contentid variantid sku itemsku productsku
        lineitemsku stockcode itemname productname lineitemname gametitle gamename artistname artname
        artikel artikelnr artikelnummer artikelid produktnr produktid
    """,
    "value": """
        rating ratings userrating star stars starrating bookrating score reviewscore overall value weight count counts
        plays playcount nplays listens listencount quantity qty itemquantity productquantity lineitemquantity
        hours hoursplayed playtime playtimeforever clicks views frequency preference liked isliked like islike clicked
        isclick isclicked bewertung sterne menge anzahl
    """,
    "time": """
        timestamp unixreviewtime unixtimestamp unixtime eventtimestamp time ts datetime date createdat eventtime
        eventdate orderdate orderedat datecreated tdat dateadded purchasedate invoicedate reviewtime reviewdate
        originaltimestamp sentat receivedat processedat paidat
        datum bestelldatum kaufdatum rechnungsdatum
    """,
    "title": """
        title name itemname itemtitle productname producttitle prodname movietitle booktitle artistname trackname
        songname gametitle gamename lineitemname businessname
        titel bezeichnung artikelbezeichnung artikelname produktname
    """,
    "event": "event eventname eventtype behavior behaviorname behaviortype action actiontype interaction",
}
"""Role → usual names of its column, in order of preference."""

COUNT_NAMES = """
    weight count counts plays playcount nplays listens listencount quantity qty itemquantity productquantity
    lineitemquantity hours hoursplayed playtime playtimeforever clicks views frequency eventweight
    menge anzahl
"""
"""Usual names of columns that count or measure use. The other usual names of values are those of ratings."""

RATING_NAMES = """
    rating ratings userrating star stars starrating bookrating score reviewscore overall liked isliked like islike
    clicked isclick isclicked bewertung sterne
"""
"""Usual names of columns of ratings."""


def plain(name: str) -> str:
    """Returns a name in lower case, without spaces and punctuation. "Item #" is "itemnumber"."""
    return re.sub(r"[\W_]", "", name.replace("#", "number")).lower()


def usual_columns(role: str, header: Sequence[str]) -> list[int]:
    """Returns the positions of the columns with a usual name of `role`, the preferred one first.

    For a nested field, the whole path is compared, and then its last part.

    Example:
        >>> usual_columns("user", ["anonymous_id", "event", "properties.user_id", "context.traits.email"])
        [2, 0, 3]
    """
    names = USUAL_NAMES[role].split()
    ranks = {}
    for position, name in enumerate(header):
        candidates = [plain(name), plain(name.rpartition(".")[2])]
        rank = next((names.index(candidate) for candidate in candidates if candidate in names), None)
        if rank is not None:
            ranks[position] = (rank, name.count("."))
    return sorted(ranks, key=lambda position: (ranks[position], position))


def has_usual_name(header: Sequence[str], roles: Sequence[str]) -> bool:
    """Returns whether a column has a usual name of one of the roles."""
    return any(usual_columns(role, header) for role in roles)
