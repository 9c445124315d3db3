"""A wall clock that a test may set for one station alone: the machine's own belongs to everybody on it.

The station's processes are started with a small library in front of the C library (LD_PRELOAD) that adds an offset to
every way of asking for the wall time. The offset lies in a file that all of them map, so setting it steps the clock of
all at the same moment, as `date -s` does for a machine. The monotonic clock stays the machine's own.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from pathlib import Path

_SOURCE = r"""
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t* offset_ns() {
    static volatile int64_t* mapped = [] {
        int file = open(getenv("STEPPED_CLOCK"), O_RDONLY);
        void* place = mmap(nullptr, 8, PROT_READ, MAP_SHARED, file, 0);
        close(file);
        return static_cast<volatile int64_t*>(place);
    }();
    return mapped;
}

extern "C" int clock_gettime(clockid_t clock, struct timespec* now) noexcept {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + *offset_ns();
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return static_cast<int>(failed);
}

extern "C" int gettimeofday(struct timeval* now, void*) noexcept {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

extern "C" time_t time(time_t* at) noexcept {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (at) *at = precise.tv_sec;
    return precise.tv_sec;
}
"""


class SteppedClock:
    """The wall clock of the processes that are started with `environment`; owned by the test."""

    def __init__(self, folder: Path) -> None:
        """Build the library. Raises CalledProcessError where g++ is missing or refuses."""
        source, library, place = folder / "clock.cpp", folder / "clock.so", folder / "offset"
        source.write_text(_SOURCE)
        subprocess.run(["g++", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        place.write_bytes(bytes(8))
        descriptor = os.open(place, os.O_RDWR)
        self._mapped = mmap.mmap(descriptor, 8)
        os.close(descriptor)
        self.environment = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(place)}

    def step(self, seconds: float) -> None:
        """Set the clock forward, or back."""
        (before_ns,) = struct.unpack("<q", self._mapped[:])
        self._mapped[:] = struct.pack("<q", before_ns + round(seconds * 1e9))
