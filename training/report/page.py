"""The whole page, from the verdict in one sentence down to the versions of the libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from models.bundle import Bundle
from models.card import Metrics, Threshold
from models.publish import publish_file
from models.session import Session
from training.curve import operating_curve
from training.intervals import upper_limit
from training.metrics import Scored, calibration, measure
from training.report.figures import calibration_chart, learning_chart, operating_chart, score_chart
from training.report.pictures import Load, choose_worst, gallery
from training.report.sizes import size_section
from training.report.style import CSS
from training.report.tables import confusion_table, data_table, figures_table, origin_table
from training.statements import count_of, more_defects_words, percent
from training.threshold import DEFAULT_ESCAPE, choose_threshold, piece_scores

History = Sequence[Mapping[str, float | int | None]]


@dataclass(frozen=True, slots=True)
class Tried:
    """A model and the labelled images that it was tried on: a plain value.

    names: of the images. load: gives chosen ones as the model sees them, uint8 (n, h, w, c). data: what the images are
    called, digest: their sha256 where it is known. scoring_s: spent in the session. training_s, history: of the run,
    where this is one. metrics: of the images at the card's threshold, where they are known, with those of the map and
    of the places.
    """

    bundle: Bundle
    session: Session
    scored: Scored
    names: Sequence[str]
    load: Load
    data: str
    split: str
    digest: str = ""
    scoring_s: float | None = None
    training_s: float | None = None
    history: History = ()
    metrics: Metrics | None = None


def write_report(tried: Tried, out: Path) -> None:
    """Write the page in one step, in place of one there; raises OSError."""
    publish_file(out, render_report(tried).encode())


def render_report(tried: Tried) -> str:
    """Give the page as HTML that needs nothing beside itself: no network, no script, no file."""
    card = tried.bundle.card
    parts = [
        _head(tried),
        _summary(tried),
        _chosen(tried, card.threshold),
        _proposal(tried),
        _curves(tried),
        _pictures(tried),
        _learning(tried),
        _costs(tried),
        _data(tried),
    ]
    title = escape(f"{card.name}: inspection model report")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _head(tried: Tried) -> str:
    card, scored = tried.bundle.card, tried.scored
    kind = {
        "all": "All of these images were used here.",
        "test": "These images were kept apart: neither the fitting nor the threshold has seen them.",
    }.get(tried.split, f"These are the {tried.split} images: the model has seen them, its figures flatter it.")
    return (
        f"<h1>Can {escape(card.name)} be trusted on the line?</h1>"
        f'<p class="soft">{escape(tried.data)}, {escape(tried.split)}: {count_of(len(scored.truth), "image")} of '
        f"{count_of(len(set(scored.groups)), 'piece')}, {int(scored.defective.sum())} of the images with a defect. "
        f"{kind}</p>"
    )


def _summary(tried: Tried) -> str:
    """Say in two sentences what a line would see, and whether the sample is large enough to say so."""
    threshold = tried.bundle.card.threshold
    bad, good = piece_scores(tried.scored)
    told = []
    target = threshold.target_escape if threshold.target_escape else DEFAULT_ESCAPE
    enough = False
    if len(bad):
        escaped = int((bad < threshold.value).sum())
        limit = upper_limit(escaped, len(bad))
        enough = limit <= target
        told.append(
            f"<b>Bad parts.</b> {escaped} of {len(bad)} defective pieces would have passed. On parts like these, at "
            f"most {percent(limit)} of the bad ones pass (95 % confidence)."
        )
        told.append(escape(more_defects_words(escaped, len(bad), target)))
    else:
        told.append("<b>Bad parts.</b> There is none among these images: nothing is known about what would pass.")
    if len(good):
        rejected = int((good >= threshold.value).sum())
        told.append(
            f"<b>Good parts.</b> {rejected} of {len(good)} good pieces would have been rejected: at most "
            f"{percent(upper_limit(rejected, len(good)))} of good parts (95 % confidence). A piece that was "
            "photographed several times counts as soon as one of its images is on the wrong side."
        )
    else:
        told.append("<b>Good parts.</b> There is none among these images: nothing is known about false rejects.")
    lines = "".join(f"<p>{line}</p>" for line in told)
    return f'<div class="box{"" if enough else " warn"}">{lines}</div>'


def _chosen(tried: Tried, threshold: Threshold) -> str:
    card = tried.bundle.card
    metrics = tried.metrics or measure(tried.scored, threshold.value, card.classes, tried.split)
    return (
        "<h2>Figures at the threshold of the card</h2>"
        f"<p>A part is rejected from a defect probability of {100 * threshold.value:.4g} % on.{_novelty(tried)}</p>"
        f"{figures_table(metrics)}"
        '<p class="soft">The intervals count images; images of one piece are not independent, which the one-sided '
        "limits above take into account by counting pieces.</p>"
        "<h2>Which class was taken for which</h2>"
        f"{confusion_table(metrics.confusion or (), card.classes)}"
        '<p class="soft">Each image counts under the class that the model finds likeliest. Whether it is rejected is '
        "not decided here but by the threshold, so one that looks good may be rejected all the same.</p>"
        f"{size_section(metrics, card)}"
    )


def _novelty(tried: Tried) -> str:
    """Tell how many of the images are beyond the model's limit of novelty, good and defective apart."""
    spec, novel, bad = tried.bundle.card.novelty, tried.scored.novel, tried.scored.defective
    if tried.bundle.card.task not in ("classify", "segment"):
        return ""
    if spec is None or novel is None:
        return " The model does not tell of pictures unlike those of its training: an unknown object may pass."
    good = count_of(int((~bad).sum()), "good image")
    return (
        " Rejected is, too, whatever its score, what is unlike the pictures of the training: "
        f"{int((novel & ~bad).sum())} of {good} and {int((novel & bad).sum())} of {int(bad.sum())} defective ones. "
        f"The limit comes from {spec.pieces} held-out pieces; of further ones like these at most {percent(spec.bound)} "
        "are beyond it."
    )


def _proposal(tried: Tried) -> str:
    """Tell how the card's threshold was chosen, and what these images would propose by the same targets."""
    chosen = tried.bundle.card.threshold
    again = choose_threshold(
        tried.scored,
        chosen.target_escape,
        target_overkill=chosen.target_overkill,
        costs=chosen.costs,
        sample="tried" if tried.split == "all" else tried.split,
    )
    return (
        "<h2>How the threshold was chosen</h2>"
        f"<p>By the rule “{escape(chosen.rule)}”: {escape(chosen.statement)}</p>"
        f'<p class="soft">By the same targets the images of this report would propose {100 * again.value:.4g} % '
        f"(rule “{escape(again.rule)}”): {escape(again.statement)} The card is not changed by this; the recipe of the "
        "station decides.</p>"
    )


def _curves(tried: Tried) -> str:
    card, scored = tried.bundle.card, tried.scored
    temperature = card.calibration.temperature if card.calibration is not None else 1.0
    fit = calibration(scored, temperature, tried.split)
    return (
        "<h2>What another threshold would do</h2>"
        f"{operating_chart(operating_curve(scored), card.threshold.value)}"
        '<p class="soft">Counted in pieces. The filled bands (Clopper–Pearson) are right for one threshold that was '
        "set before looking; between the dashed lines (Dvoretzky–Kiefer–Wolfowitz–Massart) the truth lies at all "
        "thresholds at once, also at one that is picked from this picture.</p>"
        '<h2>How good and bad images are told apart</h2><div class="pair">'
        f"{score_chart(scored, card.threshold.value)}{calibration_chart(fit)}</div>"
        f'<p class="soft">Calibration error {percent(fit.expected_calibration_error)}: the mean gap between the '
        "probability that the model says and the share that is truly defective, weighted by images.</p>"
    )


def _pictures(tried: Tried) -> str:
    card, scored = tried.bundle.card, tried.scored
    worst = choose_worst(scored, card.threshold.value)
    labels = [card.classes[index] for index in scored.truth.tolist()]
    told = []
    for title, chosen in (
        ("The worst misses: bad images that would pass", worst.missed),
        ("The worst false alarms: good images that would be rejected", worst.false_alarms),
        ("No bad image would pass; these came closest", worst.closest_bad),
        ("No good image would be rejected; these came closest", worst.closest_good),
    ):
        if chosen:
            shown = gallery(chosen, tried.names, labels, scored, tried.session, tried.load)
            told.append(f"<h2>{title}</h2>{shown}")
    if told and card.map is not None:
        line = " Inside the yellow line: what the threshold of the card rejects." if card.task == "anomaly" else ""
        told.append(f'<p class="soft">Red: where the model sees a defect.{line}</p>')
    return "".join(told)


def _learning(tried: Tried) -> str:
    return f"<h2>How the model learned</h2>{learning_chart(tried.history)}" if tried.history else ""


def _costs(tried: Tried) -> str:
    """Tell time and cost: of the training, of scoring these images, and of one call as the card has measured it."""
    told = []
    if tried.training_s is not None:
        told.append(f"Training and release took {tried.training_s:.0f} s, counted since the run was last started.")
    count = len(tried.scored.truth)
    if tried.scoring_s is not None and tried.scoring_s > 0:
        told.append(
            f"Scoring {count_of(count, 'image')} took {tried.scoring_s:.2f} s in {escape(tried.session.provider)}: "
            f"{count / tried.scoring_s:.0f} images/s, loading not counted."
        )
    latency = tried.bundle.card.latency
    if latency is not None:
        times = ", ".join(f"{size}: {1000 * seconds:.2f} ms" for size, seconds in latency.median_s.items())
        told.append(
            f"One call where the model was made ({escape(latency.processor)}, {latency.intra_op_threads} thread), by "
            f"images in the call: {times}."
        )
    return f"<h2>Time and cost</h2><p>{' '.join(told)}</p>" if told else ""


def _data(tried: Tried) -> str:
    card = tried.bundle.card
    digest = f"<p>Images of this report: {escape(tried.data)}, <code>sha256 {tried.digest}</code></p>"
    return (
        f"<h2>What the model was made from</h2>{data_table(card)}"
        f"{digest if tried.digest else ''}<h2>Origin</h2>{origin_table(card, tried.bundle.digest)}"
    )
