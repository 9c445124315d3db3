"""The features of a device through the GenICam reference implementation, in either of its two Python bindings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from camera.errors import CameraLostError, Cause, NodeError
from camera.genicam.nodes import Kind, Node, Value

Naming = Callable[[str], str]
_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

_KINDS: dict[int, Kind] = {
    2: "integer",
    3: "boolean",
    4: "command",
    5: "float",
    6: "string",
    9: "enumeration",
}  # EInterfaceType of GenApi
_VISIBILITY: tuple[Literal["beginner", "expert", "guru", "invisible"], ...] = ("beginner", "expert", "guru")
_WRITE_ONLY, _READ_ONLY, _READ_WRITE = 2, 3, 4  # EAccessMode of GenApi; below: not available, not implemented
_COMMAND_S = 5.0


def snake(name: str) -> str:
    """Name a member as the package `genicam` does."""
    return name


def pascal(name: str) -> str:
    """Name a member as pypylon does."""
    return "".join(word.capitalize() for word in name.split("_"))


def _alone(
    ask: Callable[Concatenate[GenapiNodes, _Given], _Returned],
) -> Callable[Concatenate[GenapiNodes, _Given], _Returned]:
    """Let one thread at a time into the node map."""

    @wraps(ask)
    def asked(nodes: GenapiNodes, /, *given: _Given.args, **named: _Given.kwargs) -> _Returned:
        with nodes.alone:
            return ask(nodes, *given, **named)

    return asked


class GenapiNodes:
    """The features of one open device, in a node map of GenApi. From any thread; who uses the map itself holds `alone`.

    GenApi has a lock of its own, under which it calls into Python to read a register. A second thread that waited for
    that lock would keep Python's meanwhile, and both would wait for ever.

    naming: how the binding writes its members. errors: what it raises. gone: whether the device is there no more,
    asked once something failed: then it is CameraLostError, not NodeError.
    """

    def __init__(
        self, node_map: Any, naming: Naming, errors: tuple[type[Exception], ...], gone: Callable[[], bool]
    ) -> None:
        self._node_map, self._naming, self._errors, self._gone = node_map, naming, errors, gone
        self._get_node = getattr(node_map, naming("get_node"))
        self.alone = threading.RLock()

    @_alone
    def names(self) -> Sequence[str]:
        """Return the names of all features, in the order of the description; categories are none."""
        nodes = self._nodes()
        return [
            str(self._of(described, "name"))
            for described in (self._described(node) for node in nodes)
            if self._is_feature(described)
        ]

    @_alone
    def forget(self) -> None:
        """Ask the device itself the next time: GenApi answers from its cache whatever its description lets it keep."""
        name = self._naming("invalidate_nodes")
        invalidate = getattr(self._node_map, name, None) or getattr(self._node_map, f"_{name}")
        self._asked("features cannot be read anew", invalidate)

    @_alone
    def has(self, name: str) -> bool:
        """Return whether the feature is there and available now."""
        try:
            return self._access(self._found(name)) >= _WRITE_ONLY
        except NodeError:
            return False

    @_alone
    def node(self, name: str) -> Node:
        """Return what the feature is, may be and is now."""
        node = self._found(name)
        described, kind, access = self._described(node), self._kind(node), self._access(node)
        readable = access in (_READ_ONLY, _READ_WRITE) and kind != "command"
        is_number = readable and kind in ("integer", "float")
        visibility = int(self._of(described, "visibility"))
        return Node(
            name=name,
            kind=kind,
            readable=readable,
            writable=access in (_WRITE_ONLY, _READ_WRITE),
            value=self._value(node) if readable and kind != "other" else None,
            minimum=self._maybe(node, "min") if is_number else None,
            maximum=self._maybe(node, "max") if is_number else None,
            increment=self._maybe(node, "inc") if is_number and kind == "integer" else None,
            unit=str(self._maybe(node, "unit") or "") if is_number else "",
            entries=tuple(self._of(node, "symbolics")) if kind == "enumeration" and access >= _WRITE_ONLY else (),
            visibility=_VISIBILITY[visibility] if visibility < len(_VISIBILITY) else "invisible",
            description=str(self._maybe(described, "description") or self._maybe(described, "tool_tip") or ""),
        )

    @_alone
    def get(self, name: str) -> Value:
        """Return the value; of an enumeration the name of the entry."""
        node = self._found(name)
        if self._access(node) not in (_READ_ONLY, _READ_WRITE) or self._kind(node) in ("command", "other"):
            raise NodeError(f"feature {name} cannot be read now; look at it with `lineward cameras show`")
        return cast(Value, self._asked(f"feature {name} cannot be read", lambda: self._value(node)))

    @_alone
    def set(self, name: str, value: Value) -> None:
        """Set the value; of an enumeration by the name of the entry."""
        node = self._found(name)
        kind = self._kind(node)
        if self._access(node) not in (_WRITE_ONLY, _READ_WRITE) or kind in ("command", "other"):
            raise NodeError(
                f"feature {name} cannot be set to {value!r} now: it is read-only, or locked while pictures are taken; "
                "look at it with `lineward cameras show`"
            )
        typed = self._typed(name, kind, value)
        self._asked(f"feature {name} = {value!r} is refused{self._limits(node, kind)}", lambda: self._put(node, typed))

    def execute(self, name: str) -> None:
        """Execute a command and wait until the device has taken it, five seconds at most."""
        is_done, until = self._begun(name), time.monotonic() + _COMMAND_S
        while not self._has_ended(name, is_done):
            if time.monotonic() > until:
                raise NodeError(f"command {name} is not done after {_COMMAND_S:g} s")
            time.sleep(0.001)

    @_alone
    def _begun(self, name: str) -> Callable[[], Any]:
        """Execute a command; return what tells whether the device has taken it."""
        node = self._found(name)
        if self._kind(node) != "command" or self._access(node) not in (_WRITE_ONLY, _READ_WRITE):
            raise NodeError(f"feature {name} is no command that can be executed now")
        self._asked(f"command {name} is refused", getattr(node, self._naming("execute")))
        return cast(Callable[[], Any], getattr(node, self._naming("is_done")))

    @_alone
    def _has_ended(self, name: str, is_done: Callable[[], Any]) -> bool:
        return bool(self._asked(f"command {name} is refused", is_done))

    def _nodes(self) -> Sequence[Any]:
        if self._naming is pascal:
            return cast(Sequence[Any], self._node_map.GetNodes())
        return cast(Sequence[Any], self._node_map.nodes)

    def _found(self, name: str) -> Any:
        try:
            node = self._get_node(name)
            known = node is not None and (self._naming is snake or self._is_known(node))
        except self._errors:
            known = False
        if not known:
            raise NodeError(f"feature {name} is unknown to this device; `lineward cameras show` lists what there is")
        return node

    def _is_known(self, node: Any) -> bool:
        return bool(node.IsValid()) if hasattr(node, "IsValid") else True

    def _described(self, node: Any) -> Any:
        return self._of(node, "node") if self._naming is snake else node.GetNode()

    def _is_feature(self, described: Any) -> bool:
        kind = int(self._of(described, "principal_interface_type"))
        return kind in _KINDS and bool(getattr(described, self._naming("is_feature"))())

    def _kind(self, node: Any) -> Kind:
        return _KINDS.get(int(self._of(self._described(node), "principal_interface_type")), "other")

    def _access(self, node: Any) -> int:
        return int(self._asked("a feature cannot be asked for", getattr(node, self._naming("get_access_mode"))))

    def _of(self, node: Any, name: str) -> Any:
        return getattr(node, self._naming(name))

    def _maybe(self, node: Any, name: str) -> Any:
        try:
            return self._of(node, name)
        except AttributeError:
            return None
        except self._errors:
            return None

    def _value(self, node: Any) -> Value:
        return cast(Value, self._of(node, "value"))

    def _put(self, node: Any, value: Value) -> None:
        getattr(node, self._naming("set_value"))(value)

    def _typed(self, name: str, kind: Kind, value: Value) -> Value:
        """Return the value in the type of the feature; "3" is none of an integer's."""
        if kind == "boolean" and value in (0, 1, True, False):
            return bool(value)
        if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if kind == "integer" and isinstance(value, int | float) and int(value) == value:
            return int(value)
        if kind in ("string", "enumeration") and isinstance(value, str):
            return value
        raise NodeError(f"feature {name} = {value!r}: it is of kind {kind}; give it a value of that kind")

    def _limits(self, node: Any, kind: Kind) -> str:
        if kind in ("integer", "float"):
            least, most, step = (self._maybe(node, name) for name in ("min", "max", "inc"))
            return f" — {least} … {most} is allowed" + (f" in steps of {step}" if kind == "integer" and step else "")
        if kind == "enumeration":
            return f" — one of {', '.join(self._maybe(node, 'symbolics') or ())} is allowed"
        return ""

    def _asked(self, trouble: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except self._errors as error:
            if self._gone():
                raise CameraLostError(f"the device is there no more ({error})", Cause.CONTROL_LOST) from error
            raise NodeError(f"{trouble}; the device says: {error}") from error
