"""Split protocols: the rules by which papers divide interactions. One file for each protocol.

A protocol is a frozen dataclass with the `SplitProtocol` interface. Its defaults are the published settings.
"""

from kerasrec.data.protocols.cold_items import ColdItems
from kerasrec.data.protocols.global_time import GlobalTime
from kerasrec.data.protocols.held_out_users import HeldOutUsers
from kerasrec.data.protocols.leave_one_out import LeaveOneOut
from kerasrec.data.protocols.own_items import OwnItems
from kerasrec.data.protocols.random_ratings import RandomRatings
from kerasrec.data.protocols.temporal_users import TemporalUsers
from kerasrec.data.splits import SplitProtocol

PROTOCOLS: dict[str, type[SplitProtocol]] = {
    protocol.name: protocol
    for protocol in (RandomRatings, HeldOutUsers, OwnItems, TemporalUsers, LeaveOneOut, GlobalTime, ColdItems)
}
"""Name → class of each protocol."""

__all__ = [
    "PROTOCOLS",
    "ColdItems",
    "GlobalTime",
    "HeldOutUsers",
    "LeaveOneOut",
    "OwnItems",
    "RandomRatings",
    "TemporalUsers",
]
