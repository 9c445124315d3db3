"""Writes settings to a device under whichever name it has, reads each back, and gathers what it does not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from camera.errors import CameraOpenError, Cause, NodeError
from camera.genicam.nodes import Node, Nodes, Value

_ROUNDING = 0.005  # of the wanted value: devices round exposures and gains to what their sensor can do

Selected = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """One setting that the device took. got: as read back, None for a feature that can only be written.

    selected: what its selectors have to stand on when it is read: (("GainSelector", "All"),).
    exact: a number is to be as it was wanted, not within the device's rounding.
    """

    feature: str
    wanted: Value
    got: Value | None
    selected: Selected = ()
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """One setting that the device did not take. option: what the configuration calls it."""

    option: str
    feature: str
    wanted: Value
    why: str

    def __str__(self) -> str:
        name = self.feature if self.option in ("", f"features.{self.feature}") else f"{self.option} ({self.feature})"
        return f"{name} = {shown(self.wanted)}: {self.why}"


@dataclass(frozen=True, slots=True)
class _Setting:
    option: str
    names: tuple[str, ...]
    value: Value
    selected: Selected
    exact: bool


@dataclass(slots=True)
class Writing:
    """One pass of settings over an open device that acquires nothing. Owned by who opens it, one thread.

    Vendors let settings limit each other in orders of their own, so what was refused is tried again at `finish`, once
    the rest stands, and everything is read back a second time at the end.
    """

    nodes: Nodes
    applied: dict[tuple[str, Selected], Applied] = field(default_factory=dict)
    _options: dict[tuple[str, Selected], str] = field(default_factory=dict)
    _again: list[_Setting] = field(default_factory=list)
    _refused: list[Refused] = field(default_factory=list)

    def first(self, names: Sequence[str]) -> str | None:
        """Return the first of the names that the device has."""
        return next((name for name in names if self.nodes.has(name)), None)

    def entry(self, feature: str, entries: Sequence[str]) -> str | None:
        """Return the first of the entries that an enumeration of the device has; None without it, or where it is no
        enumeration.
        """
        node = self.look(feature)
        return None if node is None else next((entry for entry in entries if entry in node.entries), None)

    def look(self, feature: str) -> Node | None:
        """Return the feature as it is now, None where the device has none or says nothing of it now."""
        try:
            return self.nodes.node(feature) if self.nodes.has(feature) else None
        except NodeError:
            return None

    def put(
        self, option: str, names: str | Sequence[str], value: Value, selected: Selected = (), exact: bool = False
    ) -> None:
        """Write a setting under the first of its names that the device has; to be tried again where it is refused."""
        setting = _Setting(option, (names,) if isinstance(names, str) else tuple(names), value, selected, exact)
        key = (setting.names, selected)
        self._again = [one for one in self._again if (one.names, one.selected) != key]  # the later word holds
        if isinstance(self._write(setting), Refused):
            self._again.append(setting)

    def put_if_there(self, names: str | Sequence[str], value: Value, selected: Selected = ()) -> None:
        """Write what has to stand so where the device has it at all."""
        if self.first((names,) if isinstance(names, str) else names) is not None:
            self.put("", names, value, selected)

    def try_to(self, feature: str, value: Value) -> None:
        """Write what makes way for other settings; whether it is taken does not matter."""
        node = self.look(feature)
        if node is not None and node.writable:
            try:
                self.nodes.set(feature, value)
            except NodeError:
                return

    def refuse(self, option: str, feature: str, wanted: Value, why: str) -> None:
        """Note a setting that the device cannot do, whatever is written."""
        self._refused.append(Refused(option, feature, wanted, why))

    def settle(self) -> None:
        """Try again what was refused, now that the rest stands, as long as that helps."""
        while self._again:
            rest = [setting for setting in self._again if isinstance(self._write(setting), Refused)]
            if len(rest) == len(self._again):
                break
            self._again = rest

    def finish(self, camera: str) -> tuple[Applied, ...]:
        """Try again what was refused, read all back, and raise CameraOpenError that lists all that does not stand."""
        self.settle()
        refused = [*self._refused, *(one for one in map(self._write, self._again) if isinstance(one, Refused))]
        named = {one.feature for one in refused}
        for key, one in self.applied.items():
            now = read_back(self.nodes, one)
            if now is not None and one.feature not in named:
                refused.append(Refused(self._options[key], one.feature, one.wanted, f"{now}, after the other settings"))
        if refused:
            raise CameraOpenError(_text(camera, refused), Cause.REFUSED)
        return tuple(self.applied.values())

    def _write(self, setting: _Setting) -> Applied | Refused:
        name = self.first(setting.names)
        if name is None:
            known = " nor ".join(setting.names)
            return Refused(setting.option, setting.names[0], setting.value, f"the device has no feature {known}")
        try:
            stand_on(self.nodes, setting.selected)
            value = _as_kind(self.nodes.node(name), setting.value, setting.exact)
            if not self._stands(name, value, setting.exact):
                self.nodes.set(name, value)
            node = self.nodes.node(name)
            got = self.nodes.get(name) if node.readable else None
        except NodeError as error:
            return Refused(setting.option, name, setting.value, self._why(name, setting.value, error))
        if got is not None and not agrees(node, setting.value, got, setting.exact):
            return Refused(setting.option, name, setting.value, f"the device makes {shown(got)} of it{limits(node)}")
        key = (name, setting.selected)
        one = Applied(name, setting.value, got, setting.selected, setting.exact)
        self.applied.pop(key, None)
        if not is_selector(name):  # a selector is no setting: it stands wherever it was used last
            self._options[key] = setting.option
            self.applied[key] = one
        return one

    def _stands(self, name: str, value: Value, exact: bool) -> bool:
        """Return whether a feature that cannot be written now has the wanted value already."""
        node = self.nodes.node(name)
        return not node.writable and node.readable and agrees(node, value, self.nodes.get(name), exact)

    def _why(self, name: str, wanted: Value, error: NodeError) -> str:
        """Return the device's limits where the value lies outside of them, else what the device itself says."""
        node = self.look(name)
        if node is None or _may_be(node, wanted):
            return str(error)
        return f"the device takes no such value{limits(node)}"


def is_selector(feature: str) -> bool:
    """Return whether the feature only says what others are about (GainSelector); Basler's test image is a setting."""
    return feature.endswith("Selector") and feature != "TestImageSelector"


def stand_on(nodes: Nodes, selected: Selected) -> None:
    """Bring selectors to where a feature is read and written; one that stands there already is left alone."""
    for selector, entry in selected:
        if nodes.get(selector) != entry:
            nodes.set(selector, entry)


def read_back(nodes: Nodes, one: Applied) -> str | None:
    """Return what is wrong with a setting that once stood; None where it stands, or can only be written."""
    if one.got is None:
        return None
    try:
        stand_on(nodes, one.selected)
        node, got = nodes.node(one.feature), nodes.get(one.feature)
    except NodeError as error:
        return f"it cannot be read back: {error}"
    return None if agrees(node, one.wanted, got, one.exact) else f"the device has {shown(got)} now"


def agrees(node: Node, wanted: Value, got: Value, exact: bool = False) -> bool:
    """Return whether what was read is what was wanted: for numbers within the device's increment or 0.5 %."""
    if isinstance(wanted, bool) or isinstance(got, bool) or isinstance(wanted, str) or isinstance(got, str):
        return _plain(wanted) == _plain(got)
    if exact:
        return wanted == got
    step = node.increment or (1 if node.kind == "integer" and isinstance(wanted, float) else 0)
    return abs(got - wanted) <= max(step, _ROUNDING * abs(wanted))


def _plain(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value


def _as_kind(node: Node, value: Value, exact: bool) -> Value:
    """Return the value as the feature takes it: whole numbers for integers, in its steps where it may be rounded."""
    if isinstance(value, (bool, str)) or node.kind not in ("integer", "float"):
        return value
    if node.increment and node.minimum is not None and not exact:
        value = node.minimum + round((value - node.minimum) / node.increment) * node.increment
    if node.kind == "float":
        return float(value)
    return value if exact and value != round(value) else round(value)


def _may_be(node: Node, value: Value) -> bool:
    """Return whether the value lies within what the feature says that it takes."""
    if isinstance(value, str):
        return not node.entries or value in node.entries
    if node.minimum is None or node.maximum is None:
        return True
    steps = (value - node.minimum) / (node.increment or 1)
    return node.minimum <= value <= node.maximum and (node.kind != "integer" or steps == round(steps))


def limits(node: Node) -> str:
    """Return what the feature takes, for people: " — 10 to 1000000 in steps of 5 us"; '' where it does not say."""
    if node.entries:
        return f" — one of {', '.join(node.entries)}"
    if node.minimum is None or node.maximum is None:
        return ""
    step = f" in steps of {shown(node.increment)}" if node.increment else ""
    return f" — {shown(node.minimum)} to {shown(node.maximum)}{step}{f' {node.unit}' if node.unit else ''}"


def shown(value: Value) -> str:
    """Return a value as a person would write it."""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value)


def _text(camera: str, refused: Sequence[Refused]) -> str:
    count = "1 setting is" if len(refused) == 1 else f"{len(refused)} settings are"
    rows = "; ".join(str(one) for one in refused)
    return (
        f"camera '{camera}': {count} not taken by the device: {rows}. Change them in the configuration; "
        f"`lineward cameras show CAMERA` shows what the device can do (CAMERA in a station: FILE:{camera})"
    )
