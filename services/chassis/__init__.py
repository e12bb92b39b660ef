"""The chassis: what every service is bolted to. It knows no word of the trade.

A service declares what it hears (`on`, `relay`, `calls_out`), answers rpcs with plain methods, and is started by `run`.
Once per event, once per request, deadlines, validation, traces, redaction and graceful ends are done here.
"""

from services.chassis.background import working
from services.chassis.bell import Bell
from services.chassis.call import EDGE, Call
from services.chassis.clock import Clock, system_clock, timestamp
from services.chassis.database import Connection, Database
from services.chassis.declare import Attempt, calls_out, on, relay
from services.chassis.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Poison,
    Refusal,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from services.chassis.ids import derived_id, named_id, new_id
from services.chassis.observe import calling, log
from services.chassis.once import Answer, Once
from services.chassis.outbox import Outbox
from services.chassis.outward import Conclusion
from services.chassis.rpc import mark
from services.chassis.run import Chassis, Parts, run
from services.chassis.settings import Settings
from services.chassis.tell import tell
from services.chassis.unit import Unit

__all__ = [
    "EDGE",
    "AlreadyExists",
    "Answer",
    "Attempt",
    "Bell",
    "Call",
    "Chassis",
    "Clock",
    "Conclusion",
    "Connection",
    "Database",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidArgument",
    "NotFound",
    "Once",
    "Outbox",
    "Parts",
    "PermissionDenied",
    "Poison",
    "Refusal",
    "ResourceExhausted",
    "Settings",
    "Unauthenticated",
    "Unavailable",
    "Unit",
    "calling",
    "calls_out",
    "derived_id",
    "log",
    "mark",
    "named_id",
    "new_id",
    "on",
    "relay",
    "run",
    "system_clock",
    "tell",
    "timestamp",
    "working",
]
