"""The card of a model bundle: everything about a model that is not in its graph, as one frozen document."""

from __future__ import annotations

from models.card.calibration import Calibration, CalibrationBin
from models.card.document import SCHEMA_VERSION, Card, CardDraft
from models.card.execution import Latency, ParityRow, Tolerance
from models.card.figures import Estimate, Rate
from models.card.graph import RESIZE_METHOD, GoldenSpec, InputSpec, MapSpec, PlaceSpec
from models.card.guards import GuardRow
from models.card.metrics import Metrics, SizeRecall
from models.card.novelty import NoveltySpec
from models.card.origin import DataOrigin, Provenance
from models.card.pictures import PicturesLearned, QualityReference
from models.card.section import Count, FileName, Finite, Section, Sha256, Share
from models.card.threshold import Costs, Threshold

__all__ = [
    "RESIZE_METHOD",
    "SCHEMA_VERSION",
    "Calibration",
    "CalibrationBin",
    "Card",
    "CardDraft",
    "Costs",
    "Count",
    "DataOrigin",
    "Estimate",
    "FileName",
    "Finite",
    "GoldenSpec",
    "GuardRow",
    "InputSpec",
    "Latency",
    "MapSpec",
    "Metrics",
    "NoveltySpec",
    "ParityRow",
    "PicturesLearned",
    "PlaceSpec",
    "Provenance",
    "QualityReference",
    "Rate",
    "Section",
    "Sha256",
    "Share",
    "SizeRecall",
    "Threshold",
    "Tolerance",
]
