"""`python -m inspection.faults.document [FILE]`: the table of faults as a page of the documentation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from inspection.alarms import Reaction
from inspection.faults.row import CONTROLLED, EVERY, RELAY, Fault, NotCaused
from inspection.faults.table import FAULTS
from inspection.texts import Catalogue, load_catalogue

_HEAD = """\
# Fail-safe: what happens when something breaks

This page is generated from `inspection/faults/table.py` by `python -m inspection.faults.document docs/fail-safe.md`; a
test holds that it is current, and that the test named in each row exists. Those tests do the fault to a real
`lineward run`; the far end of its serial line and the records on the disk are the judge.

## Reactions

Each fault that leaves something to choose has a default, and the configuration may choose another:

```toml
[reactions]
model_failed = "hold"
view_missing = "stop_line"
rejects_in_a_row = "warn"
rejects_in_a_row_limit = 20     # from how many parts in a row on
run_out_s = 2.0                 # how long the belt takes to stand
```

| reaction | what the station does while the fault's alarm stands |
|---|---|
| `warn` | tells the operator, and goes on; allowed only where a part that passes cannot be unsafe |
| `reject_all` | nothing passes; every part that triggers is judged, recorded and rejected |
| `hold` | as `reject_all`, and it stays so after the fault has gone, until somebody confirms it on the page or with \
`ConfirmAll` (logged) |
| `stop_line` | as `reject_all`; the heartbeat is withdrawn at once, so that the watchdog relay or the PLC stops the \
belt; parts that trigger within `run_out_s` are still rejected, then the line is stopped in order and waits for Start |

**The default is `stop_line` where a part that should be rejected may have passed the ejector because of the fault, and
the belt can be stopped.** The part then lies on the standing belt, and is taken off before Start; anything less would
let it by when the fault is over before the watchdog has missed the heartbeat. The table says on which wirings that is
so: "with a relay" is a relay board that is pulsed to reject, and lets by what it is told nothing of; a gate diverts it
(positive release), and a device-timed controller rejects it.

The belt can be stopped with `ejector.heartbeat_channel`, or by a controller's dead-man output. Where it cannot,
`stop_line` is refused, the other default of the table holds, and `lineward config check` says what that wiring cannot
keep; where it can, it lists the faults that stop the line.

Where the station cannot reject what passes (camera, ejector or encoder gone, a thread of its own failed) the heartbeat
is withdrawn under every reaction but `warn`, and comes back when the fault has gone.

## Faults
"""

_WITH = {RELAY: " with a relay", CONTROLLED: " with a controller", EVERY: ""}


def document() -> str:
    """Return the page, in English."""
    texts = load_catalogue("en")
    return "\n".join([_HEAD, *_overview(), *(line for fault in FAULTS for line in _section(fault, texts))])


def _overview() -> Iterator[str]:
    yield "| fault | alarm | default | may be |"
    yield "|---|---|---|---|"
    for fault in FAULTS:
        alarm = f"`{fault.alarm}`" if fault.alarm else "–"
        yield f"| [{fault.name}](#{fault.name}) | {alarm} | {_default(fault)} | {_listed(fault.allowed) or '–'} |"
    yield ""


def _default(fault: Fault) -> str:
    if fault.goes_with:
        return f"as `{fault.goes_with}`"
    stopped = f"`stop_line`{_WITH[fault.lets_by]}, else " if fault.lets_by else ""
    return f"{stopped}`{fault.default}`" if fault.default else "–"


def _listed(reactions: tuple[Reaction, ...]) -> str:
    return ", ".join(f"`{reaction}`" for reaction in reactions)


def _section(fault: Fault, texts: Catalogue) -> Iterator[str]:
    yield f"### {fault.name}"
    yield ""
    yield f"{_sentence(fault.what)}"
    yield ""
    yield f"* **The station:** {fault.station}."
    if isinstance(fault.ejector, str):
        yield f"* **The ejector's side, by itself:** {fault.ejector}."
    else:
        yield "* **The ejector's side, by itself:**"
        for wiring, does in fault.ejector.items():
            yield f"  * {wiring}: {does}."
    yield f"* **The operator reads:** {_reads(fault, texts)}"
    yield f"* **It ends:** {fault.recovers}."
    yield f"* **Tested by:** {_tested(fault)}"
    yield ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _reads(fault: Fault, texts: Catalogue) -> str:
    if not fault.alarm:
        return f"“{texts.text('state_detail.NO_CONTACT')} {texts.text('no_contact.remedy')}”"
    text, remedy = (texts.texts[f"alarm.{fault.alarm}.{part}"] for part in ("text", "remedy"))
    return f"“{text} {remedy}”"


def _tested(fault: Fault) -> str:
    if not isinstance(fault.test, NotCaused):
        return f"`{fault.test}`"
    nearest = f" The nearest that is: `{fault.test.nearest}`." if fault.test.nearest else ""
    return f"not tested here: {fault.test.why}.{nearest}"


def main(arguments: list[str]) -> None:
    """Write the page to a file, or to stdout."""
    if arguments:
        Path(arguments[0]).write_text(document(), "utf-8")
    else:
        print(document())


if __name__ == "__main__":
    main(sys.argv[1:])
