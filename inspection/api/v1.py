"""Every message of `lineward.inspection.v1`, whichever of its protos it is in."""

from inspection.api.pb import (
    alarm_pb2,
    audit_pb2,
    camera_pb2,
    challenge_pb2,
    common_pb2,
    inspection_pb2,
    lot_pb2,
    model_pb2,
    recipe_pb2,
    result_pb2,
    station_pb2,
)
from inspection.api.pb.alarm_pb2 import *
from inspection.api.pb.audit_pb2 import *
from inspection.api.pb.camera_pb2 import *
from inspection.api.pb.challenge_pb2 import *
from inspection.api.pb.common_pb2 import *
from inspection.api.pb.inspection_pb2 import *
from inspection.api.pb.lot_pb2 import *
from inspection.api.pb.model_pb2 import *
from inspection.api.pb.recipe_pb2 import *
from inspection.api.pb.result_pb2 import *
from inspection.api.pb.station_pb2 import *

PROTOS = tuple(
    module.DESCRIPTOR
    for module in (
        common_pb2,
        station_pb2,
        recipe_pb2,
        lot_pb2,
        result_pb2,
        inspection_pb2,
        model_pb2,
        camera_pb2,
        alarm_pb2,
        audit_pb2,
        challenge_pb2,
    )
)
"""The protos in the order in which one reads them."""
SERVICES = tuple(service.full_name for proto in PROTOS for service in proto.services_by_name.values())
"""The full names of the services."""
