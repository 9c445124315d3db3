"""Verifying a bundle step by step: its card, the hash of each file, the graph, the golden vectors, the batches."""

from __future__ import annotations

from pathlib import Path

from models.bundle import Bundle, file_problems, read_card
from models.checks import Check, check_batch_invariance, check_golden
from models.errors import BundleNotFoundError, ModelError
from models.session import CPU, Session


def verify_bundle(path: Path, *, provider: str = CPU) -> list[Check]:
    """Run every check that makes sense after the ones before it; the list ends early when the next cannot be run.

    Raises BundleNotFoundError when nothing is at the path; everything else is a failed check with its reason.
    """
    try:
        bundle = read_card(path)
    except BundleNotFoundError:
        raise
    except ModelError as error:
        return [Check("card", passed=False, detail=str(error))]
    checks = [
        Check("card", passed=True, detail=f"card.json: schema {bundle.card.schema_version}, sha256 as in card.sha256")
    ]
    try:
        checks += [_hash_check(name, problem) for name, problem in file_problems(bundle).items()]
    except ModelError as error:
        checks.append(Check("sha256", passed=False, detail=str(error)))
    if all(check.passed for check in checks):
        checks += _execution_checks(bundle, provider)
    return checks


def _hash_check(name: str, problem: str | None) -> Check:
    return Check(f"sha256 {name}", passed=problem is None, detail=problem or f"{name}: sha256 as in the card")


def _execution_checks(bundle: Bundle, provider: str) -> list[Check]:
    limit = bundle.card.tolerance.score_abs
    try:
        session = Session(bundle, providers=(provider,))
    except ModelError as error:
        return [Check("graph", passed=False, detail=str(error))]
    size = bundle.card.input
    shape = f"uint8 (N, {size.height}, {size.width}, {size.channels}) → float32 (N, {len(bundle.card.classes)})"
    checks = [Check("graph", passed=True, detail=f"model.onnx: {shape} on {session.provider}")]
    try:
        golden = bundle.golden()
        checks.append(check_golden(session, golden, limit))
        checks.append(check_batch_invariance(session, golden, limit))
    except ModelError as error:
        checks.append(Check("execution", passed=False, detail=str(error)))
    return checks
