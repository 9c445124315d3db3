"""The trials of a sweep as rows for a file, and as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState
from rich.table import Table


def trial_rows(trials: Sequence[FrozenTrial]) -> list[dict[str, object]]:
    """Give each trial with its values, its end ('complete' or 'pruned'), and its last validation loss."""
    return [
        {
            "trial": place,
            "values": dict(trial.params),
            "state": trial.state.name.lower(),
            "validation_loss": trial.value if trial.state is TrialState.COMPLETE else _last_of(trial),
            "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 1),
        }
        for place, trial in enumerate(trials, start=1)
    ]


def trial_table(trials: Sequence[FrozenTrial], best: int) -> Table:
    """Give the trials as a table in which the best one (its number in the study) is marked."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    table = Table(title="Trials: validation loss, the least is released")
    for column in ("trial", *names, "validation loss", "end", "time"):
        table.add_column(column)
    for row, trial in zip(trial_rows(trials), trials, strict=True):
        values = [trial.params.get(name, "–") for name in names]
        loss, seconds = row["validation_loss"], row["seconds"]
        table.add_row(
            f"{row['trial']}{' ←' if trial.number == best else ''}",
            *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values),
            "–" if loss is None else f"{loss:.4f}",
            str(row["state"]),
            "–" if seconds is None else f"{seconds:.0f} s",
        )
    return table


def _last_of(trial: FrozenTrial) -> float | None:
    """Give the last loss that a trial reported before it was ended."""
    reported = trial.intermediate_values
    return reported[max(reported)] if reported else None
