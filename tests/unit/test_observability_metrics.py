"""Metrics apart from a station: buckets, the table of names, the endpoint under bad clients, what may be set."""

from __future__ import annotations

import math
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from inspection.observability.api_calls import ApiCalls
from inspection.observability.counted import ROWS, counted_metrics
from inspection.observability.endpoint import MetricsEndpoint
from inspection.observability.histogram import LATENCY_S, DurationHistogram
from inspection.observability.options import MetricsOptions, TelemetryOptions


@given(st.lists(st.one_of(st.sampled_from(LATENCY_S), st.floats(0, 100))))
def test_a_bucket_counts_all_that_is_not_above_its_bound(seconds: list[float]) -> None:
    """As Prometheus defines `le`, the bound itself included, and the last bucket has everything."""
    histogram = DurationHistogram(LATENCY_S)
    for one in seconds:
        histogram.observe(one)
    buckets, sum_s = histogram.state()
    assert [bound for bound, _ in buckets] == [*map(str, LATENCY_S), "+Inf"]
    for bound, count in buckets:
        assert count == sum(one <= float(bound) for one in seconds)
    assert sum_s == pytest.approx(math.fsum(seconds))


def test_no_figure_of_the_station_is_left_out() -> None:
    """What the table does not name is shown by its own name; a unit in the name is kept by a factor."""
    counters = {row.key: 3 for row in ROWS} | {"brand_new": 7}
    samples = {
        (sample.name, sample.labels.get("name", "")): sample.value
        for family in counted_metrics(counters)
        for sample in family.samples
    }
    assert len(samples) == len(counters)
    assert samples["lineward_counted", "brand_new"] == 7
    assert samples["lineward_images_bytes", ""] == 3e6
    assert samples["lineward_frames_lost_total", ""] == 3
    assert len({row.name for row in ROWS}) == len({row.key for row in ROWS}) == len(ROWS)


def test_clients_that_invent_methods_do_not_fill_the_memory() -> None:
    """Methods that do not exist are one series; so is what comes beyond a bound."""
    calls = ApiCalls()
    for number in range(5000):
        calls.ended(f"/invented/{number}", "UNIMPLEMENTED", 0.001)
        calls.ended(f"/odd/{number}", "OK", 0.001)
    calls.ended("/odd/0", "OK", 0.5)
    assert dict(calls.counts())["unknown", "UNIMPLEMENTED"] == 5000
    assert dict(calls.counts())["/odd/0", "OK"] == 2
    assert len(calls.durations()) <= 201
    assert sum(count for _, count in calls.counts()) == 10_001


class Counting(Collector):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def collect(self) -> Iterator[Metric]:
        """Return how often that was."""
        self.asked += 1
        yield GaugeMetricFamily("asked", "How often.", value=self.asked)


def test_a_storm_of_scrapes_asks_the_station_rarely() -> None:
    """Three hundred scrapes in a row, by four at a time, look at the station at most four times a second."""
    collector = Counting()
    endpoint = MetricsEndpoint("127.0.0.1", 0, collector)
    try:
        after_registering = collector.asked
        threads = [threading.Thread(target=lambda: [_scrape(endpoint.url) for _ in range(75)]) for _ in range(4)]
        began_s = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began_s
        assert 1 <= collector.asked - after_registering <= took_s / 0.25 + 1
    finally:
        endpoint.close()


def _scrape(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"asked" in answer.read()
    except (OSError, EOFError):  # more at a time than are served: the next scrape comes
        pass


def test_clients_that_say_nothing_are_let_go() -> None:
    """Twenty connections that never send hold four threads for five seconds; then it answers again."""
    endpoint = MetricsEndpoint("127.0.0.1", 0, Counting())
    host, port = endpoint.url.removeprefix("http://").removesuffix("/metrics").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    try:
        for one in silent:
            one.settimeout(20)
            assert one.recv(1) == b""
        with urllib.request.urlopen(endpoint.url, timeout=10) as answer:
            assert answer.status == 200
        assert sum(thread.name.startswith("Thread-") and thread.is_alive() for thread in threading.enumerate()) <= 5
    finally:
        for one in silent:
            one.close()
        endpoint.close()


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "192.168.1.7:9464", "[::]:9464", "example.org:9464"])
def test_metrics_stay_on_this_machine_unless_told_otherwise(address: str) -> None:
    """An address of the network is refused with the switch that allows it, and taken with it."""
    with pytest.raises(ValidationError, match="allow_network = true"):
        MetricsOptions(address=address)
    assert MetricsOptions(address=address, allow_network=True).listens_on[1] == 9464


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:9464", "localhost:9464"])
def test_loopback_needs_no_permission(address: str) -> None:
    """Loopback in each of its forms is taken."""
    assert MetricsOptions(address=address).listens_on[1] in (0, 9464)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4317", "ftp://x:1", "http://", "http://user:pass@host:4317", "http://host:4317?token=1"]
)
def test_a_collector_needs_an_address_without_credentials(endpoint: str) -> None:
    """Half an address or one with a password in it is refused, and the text does not repeat the password."""
    with pytest.raises(ValidationError) as caught:
        TelemetryOptions(enabled=True, endpoint=endpoint)
    assert "http://127.0.0.1:4317" in caught.value.errors()[0]["msg"]
