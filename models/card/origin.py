"""Where a model comes from: its images, and how it was made of them."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from models.card.section import Count, Section, Sha256


class DataOrigin(Section):
    """The images that the model was made from."""

    name: str = Field(min_length=1)
    digest: Sha256 = Field(description="sha256 over paths, contents, labels and groups")
    counts: dict[str, dict[str, Count]] = Field(description="split -> class -> images")
    groups: Count | None = Field(default=None, description="number of groups that no split parts")
    split_seed: int | None = None
    split_sha256: Sha256 | None = Field(default=None, description="of the split that a file stated, instead of a seed")


class Provenance(Section):
    """Where the model comes from, enough to make it again."""

    created_wall: AwareDatetime
    tool: str = Field(min_length=1, description="program and version that wrote the bundle")
    network: str = Field(min_length=1, description="architecture")
    weights: str = Field(min_length=1, description="what the fitting started from, with its sha256 where it was a file")
    seed: int
    versions: dict[str, str] = Field(default_factory=dict, description="library -> version")
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    command: str | None = Field(default=None, description="as it was typed, the home directory as ~")
    made_from: Sha256 | None = Field(default=None, description="digest of the bundle that this one was made from")
