"""The commands `lineward model show`, `lineward model verify` and `lineward model optimise`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

app = typer.Typer(name="model", help="Show, verify and speed up model bundles.", no_args_is_help=True)

BundleArgument = Annotated[str, typer.Argument(help="A bundle's folder or .zip, or zoo:<name>.", metavar="BUNDLE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command()
def show(bundle: BundleArgument, as_json: JsonOption = False) -> None:
    """Show what a bundle's card says: task, threshold, figures with intervals, data, origin."""
    from models.bundle import load_bundle
    from models.references import resolve_bundle

    loaded = load_bundle(resolve_bundle(bundle))
    if as_json:
        card = loaded.card.model_dump(mode="json")
        print(json.dumps({"bundle": str(loaded.path), "digest": loaded.digest, "card": card}))
        return
    from rich.console import Console

    from models.show import card_view

    Console().print(card_view(loaded))


@app.command()
def verify(
    bundle: BundleArgument,
    as_json: JsonOption = False,
    provider: Annotated[str, typer.Option(help="The execution provider to verify on.")] = "CPUExecutionProvider",
) -> None:
    """Check hashes, graph, golden vectors and batch invariance here and now; exit 1 when one fails."""
    from dataclasses import asdict

    from models.references import resolve_bundle
    from models.verify import verify_bundle

    path = resolve_bundle(bundle)
    checks = verify_bundle(path, provider=provider)
    passed = all(check.passed for check in checks)
    if as_json:
        rows = [asdict(check) for check in checks]
        print(json.dumps({"bundle": str(path), "passed": passed, "provider": provider, "checks": rows}))
    else:
        from rich.console import Console

        from models.show import checks_view

        Console().print(checks_view(path, checks), soft_wrap=True)
    if not passed:
        raise typer.Exit(1)


@app.command()
def optimise(
    bundle: BundleArgument,
    as_json: JsonOption = False,
    callers: Annotated[
        int, typer.Option(min=1, max=64, help="Inference threads, as [inference] workers; default as there.")
    ] = max(1, min(4, os.cpu_count() or 1)),
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each engine is measured, in turn.")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only, keep no choice.")] = False,
) -> None:
    """Measure every installed engine here; keep the fastest that gives the same scores and verdicts."""
    from dataclasses import asdict

    from models.bundle import load_bundle
    from models.optimise import optimise as measure
    from models.optimise import write_choice
    from models.references import resolve_bundle

    loaded = load_bundle(resolve_bundle(bundle))
    choice = measure(loaded, callers=callers, rounds=rounds)
    kept = None if dry_run else write_choice(loaded, choice)
    if as_json:
        print(json.dumps(asdict(choice) | {"kept": None if kept is None else str(kept)}))
        return
    from rich.console import Console

    from models.show import choice_view

    Console().print(choice_view(choice, kept), soft_wrap=True)
