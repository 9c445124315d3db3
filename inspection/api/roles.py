"""Who may call what: one row for each method of the server; a method without a row is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a caller is to the station. ADMIN may call everything; the others what their rows say, no more."""

    VIEWER = "viewer"  # sees states, results and pictures
    OPERATOR = "operator"  # runs the line
    ENGINEER = "engineer"  # changes recipes, models and settings
    INTEGRATOR = "integrator"  # a program of the plant, mostly the MES
    ADMIN = "admin"


EVERY_ROLE = frozenset(Role)
RUN = frozenset({Role.OPERATOR, Role.ENGINEER, Role.INTEGRATOR, Role.ADMIN})
"""Whoever may start and stop the line."""
SET_UP = frozenset({Role.ENGINEER, Role.INTEGRATOR, Role.ADMIN})
"""Whoever may change what is inspected, and have pictures judged."""
LOTS = frozenset({Role.INTEGRATOR, Role.OPERATOR, Role.ADMIN})
ENGINEER = frozenset({Role.ENGINEER, Role.ADMIN})
AUDITORS = frozenset({Role.INTEGRATOR, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Access:
    """One row. Immutable.

    roles: who may call it; empty means everybody, also without a token (and then it must tell nothing worth hiding).
    is_command: it changes something: it is written down, may carry a request id and has the stricter rate. stops: it
    brings the line to rest: it is carried out even where it cannot be written down, and no other command uses up its
    rate.
    """

    roles: frozenset[Role]
    is_command: bool = False
    stops: bool = False

    @property
    def is_public(self) -> bool:
        """True where no token is needed."""
        return not self.roles


def reads(roles: frozenset[Role] = EVERY_ROLE) -> Access:
    """Return the row of a method that changes nothing."""
    return Access(roles)


def commands(roles: frozenset[Role], *, stops: bool = False) -> Access:
    """Return the row of a method that changes something."""
    return Access(roles, is_command=True, stops=stops)


PUBLIC = Access(frozenset())

_OURS = "lineward.inspection.v1"

# By service and method: extend it together with the proto; tests/unit/test_api_roles.py names what is missing.
_TABLE: Mapping[str, Mapping[str, Access]] = {
    f"{_OURS}.StationService": {
        "GetStatus": reads(),
        "WatchState": reads(),
        "SelectModeAutomatic": commands(RUN),
        "PrepareRecipe": commands(RUN),
        "UnprepareRecipe": commands(RUN),
        "StartSingle": commands(RUN),
        "StartContinuous": commands(RUN),
        "NameNextPart": commands(RUN),
        "Stop": commands(RUN, stops=True),
        "Abort": commands(RUN, stops=True),
        "Halt": commands(RUN, stops=True),
        "Reset": commands(RUN),
        "ConfirmAll": commands(RUN),
        "SetSimulationMode": commands(ENGINEER),
        "WatchPreview": reads(),
    },
    f"{_OURS}.RecipeService": {
        "ListRecipes": reads(),
        "GetRecipe": reads(),
        "CreateRecipe": commands(SET_UP),
        "CheckRecipe": reads(SET_UP),
        "DeleteRecipe": commands(SET_UP),
    },
    f"{_OURS}.LotService": {
        "StoreLot": commands(LOTS),
        "StoreAndStartLot": commands(LOTS),
        "StartLot": commands(LOTS),
        "RevokeStartLot": commands(LOTS),
        "PauseLot": commands(LOTS),
        "ResumeLot": commands(LOTS),
        "StopLot": commands(LOTS),
        "AbortLot": commands(LOTS),
        "GetLot": reads(),
        "ListLots": reads(),
        "WatchLot": reads(),
    },
    f"{_OURS}.ResultService": {
        "WatchResults": reads(),
        "ListResults": reads(),
        "GetResult": reads(),
        "GetResultImage": reads(),
        "ReviewResult": commands(RUN),
        "ListQuestions": reads(),
    },
    f"{_OURS}.InspectionService": {
        "Inspect": reads(SET_UP),
        "InspectStream": reads(SET_UP),
    },
    f"{_OURS}.ModelService": {
        "ListModels": reads(),
        "GetModel": reads(),
    },
    f"{_OURS}.CameraService": {
        "ListCameras": reads(),
        "WatchCameras": reads(),
        "GetSnapshot": reads(SET_UP),
        "TriggerCamera": commands(RUN),
    },
    f"{_OURS}.AlarmService": {
        "ListAlarms": reads(),
        "WatchAlarms": reads(),
        "AcknowledgeAlarms": commands(RUN),
    },
    f"{_OURS}.AuditService": {
        "ListEntries": reads(AUDITORS),
        "VerifyRecords": reads(AUDITORS),
        "ListHolds": reads(AUDITORS),
        "PlaceHold": commands(AUDITORS),
        "ReleaseHold": commands(AUDITORS),
    },
    f"{_OURS}.ChallengeService": {
        "StartChallenge": commands(RUN),
        "CancelChallenge": commands(RUN),
        "GetChallengeStatus": reads(),
        "ListChallenges": reads(),
    },
    "inference.GRPCInferenceService": {
        "ServerLive": reads(SET_UP),
        "ServerReady": reads(SET_UP),
        "ServerMetadata": reads(SET_UP),
        "ModelReady": reads(SET_UP),
        "ModelMetadata": reads(SET_UP),
        "ModelInfer": reads(SET_UP),
    },
    "grpc.health.v1.Health": {
        "Check": PUBLIC,
        "List": PUBLIC,
        "Watch": PUBLIC,
    },
    "grpc.reflection.v1alpha.ServerReflection": {
        "ServerReflectionInfo": reads(),
    },
}

METHODS: Mapping[str, Access] = MappingProxyType(
    {f"/{service}/{method}": access for service, rows in _TABLE.items() for method, access in rows.items()}
)
"""By full name, as it stands in the call: `/lineward.inspection.v1.StationService/Stop`."""


def differences(served: Collection[str]) -> list[str]:
    """Return what table and server do not agree on, one sentence each. served: full names, as in `METHODS`."""
    missing = [f"{name} has no row in inspection/api/roles.py: nobody can call it" for name in served]
    dead = [f"{name} has a row in inspection/api/roles.py, but no service has it" for name in METHODS]
    return sorted([text for text in missing if text.split()[0] not in METHODS]) + sorted(
        [text for text in dead if text.split()[0] not in set(served)]
    )


def markdown_table() -> str:
    """Return the table as the documentation has it: a row for each method, a column for each role."""
    head = ["method", *(str(role) for role in Role), "kind"]
    lines = [f"| {' | '.join(head)} |", f"|---|{':-:|' * len(Role)}---|"]
    return "\n".join([*lines, *_rows()]) + "\n"


def _rows() -> Iterator[str]:
    for service, rows in _TABLE.items():
        short = service.removeprefix(f"{_OURS}.")
        for method, access in rows.items():
            marks = ["✓" if access.is_public or role in access.roles else "–" for role in Role]
            yield f"| `{short}.{method}` | {' | '.join(marks)} | {_kind(access)} |"


def _kind(access: Access) -> str:
    if access.is_public:
        return "open, without a token"
    if access.stops:
        return "command, always carried out"
    return "command" if access.is_command else "read"
