"""A serial line in virtual time: bytes take their time, may be held up or damaged, and are lost when it is pulled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from inspection.simulation.virtual.agenda import Agenda

BAUD = 921_600


class End:
    """One direction of a cable. arrived: takes the bytes at the other end; None where nobody listens."""

    BYTE_NS = 10 * 1_000_000_000 // BAUD
    LATENCY_NS = 300_000
    JITTER_NS = 1_000_000

    def __init__(self, agenda: Agenda, random: Random, cable: Cable) -> None:
        self._agenda = agenda
        self._random = random
        self._cable = cable
        self._free_ns = self._arrives_ns = 0
        self.arrived: Callable[[bytes], None] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes; they arrive in order, after what the line needs for them."""
        cable, now_ns = self._cable, self._agenda.now_ns
        if not cable.plugged:
            return
        if now_ns < cable.damaged_until_ns:
            data = self._damaged(data)
        self._free_ns = max(self._free_ns, now_ns) + len(data) * self.BYTE_NS
        delay_ns = self.LATENCY_NS + int(self._random.random() * self.JITTER_NS)
        self._arrives_ns = max(self._arrives_ns + 1, self._free_ns + delay_ns, cable.held_until_ns)
        self._agenda.at(self._arrives_ns, partial(self._arrive, data, cable.life))

    def _arrive(self, data: bytes, life: int) -> None:
        if self.arrived is not None and life == self._cable.life:
            self.arrived(data)

    def _damaged(self, data: bytes) -> bytes:
        random, damaged = self._random, bytearray()
        for byte in data:
            fate = random.random()
            if fate < 0.02:
                damaged.append(byte ^ 1 << random.randrange(8))
            elif fate < 0.03:
                damaged += bytes((byte, byte))
            elif fate < 0.99:
                damaged.append(byte)
        return bytes(damaged)


class Cable:
    """The line between station and controller. hung_up: tells the station's end that it was pulled.

    held_until_ns: until then nothing arrives. damaged_until_ns: until then bytes are changed, doubled and lost.
    """

    def __init__(self, agenda: Agenda, random: Random) -> None:
        self.plugged = True
        self.life = 0
        self.held_until_ns = self.damaged_until_ns = 0
        self.hung_up: Callable[[], None] = lambda: None
        self.to_controller = End(agenda, random, self)
        self.to_station = End(agenda, random, self)

    def pull(self) -> None:
        """Pull it: whatever is on its way is lost."""
        self.plugged = False
        self.life += 1
        self.hung_up()

    def plug(self) -> None:
        """Put it in again."""
        self.plugged = True
