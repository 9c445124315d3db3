"""`lineward quality`: learn between which limits pictures can be judged, and try limits on a recording."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.figures import Figures

app = typer.Typer(help="Limits for the pictures: learn them from good parts, try them.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file.")]
FromOption = Annotated[
    Path | None, typer.Option("--from", metavar="PATH", help="A folder, list or video instead of the camera.")
]
CameraOption = Annotated[str | None, typer.Option("--camera", help="Which camera; the first when left out.")]
CountOption = Annotated[int, typer.Option(min=1, max=100_000, help="Pictures at most.")]
TimeoutOption = Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds without a picture until it ends.")]
FormatOption = Annotated[str | None, typer.Option(help="What a recording's grey pictures really are: BayerRG8 …")]


@app.callback()
def _group() -> None:
    """Limits for the pictures: learn them from good parts, try them."""


@app.command()
def learn(
    file: FileArgument,
    source: FromOption = None,
    camera: CameraOption = None,
    count: CountOption = 300,
    timeout_s: TimeoutOption = 60.0,
    pixel_format: FormatOption = None,
    widen: Annotated[float, typer.Option(min=1, max=10, help="Put the limits so many times as far off.")] = 1.2,
    write: Annotated[bool, typer.Option("--write", help="Put them into the file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take pictures of good parts, as they are on a good day, and propose limits for the station file."""
    from inspection.config import load_config
    from inspection.quality.file import section_text, write_section
    from inspection.quality.learn import learn as learn_from
    from inspection.quality.source import camera_named, measured

    config = load_config(file)
    place, section = camera_named(config, camera)
    coming = measured(config, place, source, count, timeout_s, pixel_format)
    pictures = list(_counted(coming, count, timeout_s, quiet=as_json))
    learned = learn_from(pictures, widened=widen)
    header = "quality" if len(config.cameras) == 1 else "camera.quality"
    text = section_text(learned.values, header, learned.statement)
    if write:
        write_section(file, section.name, text)
    if as_json:
        found = {"camera": section.name, "pictures": learned.pictures, "statement": learned.statement}
        share = {"expected_false_rejects": learned.expected_false_rejects, "written": write}
        print(json.dumps({**found, **share, "quality": learned.values}))
        return
    print(text)
    print(f"{file}: {'written' if write else 'not changed; --write puts it there'}")


@app.command("try")
def try_limits(
    file: FileArgument,
    source: FromOption = None,
    camera: CameraOption = None,
    count: CountOption = 300,
    timeout_s: TimeoutOption = 60.0,
    pixel_format: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count which pictures the limits of a station file would reject, and by which limit."""
    from inspection.config import load_config
    from inspection.engine import limits_of_views
    from inspection.errors import ConfigError
    from inspection.quality.gate import Gate
    from inspection.quality.source import camera_named, measured

    config = load_config(file)
    place, section = camera_named(config, camera)
    limits = dict(limits_of_views(config, None))[section.name]
    if limits is None:
        raise ConfigError(
            f"{file}: no limit is held for camera '{section.name}'; `lineward quality learn` proposes some"
        )
    gate = Gate(limits)
    coming = measured(config, place, source, count, timeout_s, pixel_format)
    found = [gate.judge(figures).outside for figures in _counted(coming, count, timeout_s, quiet=as_json)]
    broken = Counter(key for keys in found for key in keys)
    outside = sum(map(bool, found))
    if as_json:
        print(json.dumps({"camera": section.name, "pictures": len(found), "outside": outside, "by_limit": broken}))
        return
    print(f"{outside} of {len(found)} pictures are outside the limits of camera '{section.name}'")
    for key, times in broken.most_common():
        print(f"  {key}: {times}")


def _counted(pictures: Iterator[Figures], count: int, timeout_s: float, *, quiet: bool) -> Iterator[Figures]:
    """Count the pictures on stderr while they come: of a line that stands, there is none for a long time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    text = f"up to {count} pictures; it ends when none comes for {timeout_s:g} s"
    if not quiet and not console.is_terminal:
        console.print(text, soft_wrap=True)
    columns = (BarColumn(), TextColumn("{task.completed} of {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(text, total=count)
        for figures in pictures:
            yield figures
            bar.advance(task)
