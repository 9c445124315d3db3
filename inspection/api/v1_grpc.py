"""Every stub and servicer of `lineward.inspection.v1`, whichever of its protos it is in."""

from inspection.api.pb.alarm_pb2_grpc import *
from inspection.api.pb.audit_pb2_grpc import *
from inspection.api.pb.camera_pb2_grpc import *
from inspection.api.pb.challenge_pb2_grpc import *
from inspection.api.pb.inspection_pb2_grpc import *
from inspection.api.pb.lot_pb2_grpc import *
from inspection.api.pb.model_pb2_grpc import *
from inspection.api.pb.recipe_pb2_grpc import *
from inspection.api.pb.result_pb2_grpc import *
from inspection.api.pb.station_pb2_grpc import *
