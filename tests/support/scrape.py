"""Scraping metrics as Prometheus does, read by its own client library's parser."""

from __future__ import annotations

import re
from urllib.request import Request, urlopen

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from real_run import RealRun
from station_runs import wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def metrics_url(run: RealRun) -> str:
    """Return where a real run says that its metrics are."""
    wait_until(lambda: "metrics http" in run.said or run.process.poll() is not None, 60.0)
    found = re.search(r"metrics (http\S+)", run.said)
    assert found is not None, run.said
    return found[1]


class Scrape:
    """One scrape, parsed."""

    def __init__(self, url: str, accept: str = "") -> None:
        with urlopen(Request(url, headers={"Accept": accept}), timeout=10) as answer:
            self.content_type = answer.headers["Content-Type"]
            self.text = answer.read().decode()
        parse = openmetrics_families if accept else text_string_to_metric_families
        self.families: dict[str, Metric] = {family.name: family for family in parse(self.text)}
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Return one sample."""
        return self.samples[name, tuple(sorted(labels.items()))]

    def names(self) -> set[str]:
        """Return the names of all samples."""
        return {name for name, _ in self.samples}
