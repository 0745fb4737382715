"""The pictures in docs/: requests and latency against load, and how fast a replay is as the log grows."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
import msgspec
import uvloop
from matplotlib import pyplot
from matplotlib.axes import Axes

from adapters.config import Settings
from bench import timelines
from bench.growth import Grown
from bench.load import gets
from bench.services import instance
from bench.stage import Stage, staged

DOCS: Final = Path(__file__).parents[1] / "docs"
CONNECTIONS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
SECONDS: Final = 2.0
INCHES: Final = (8.0, 3.6)


class Loaded(NamedTuple):
    """With so many connections: requests a second, and the 99th percentile in milliseconds."""

    connections: int
    per_second: float
    p99_ms: float


def main() -> None:
    """Measure under load and draw; draw what `python -m bench.growth` measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.pictures", description=__doc__)
    parser.add_argument("--growth", type=Path, help="the growth.json that bench.growth wrote")
    asked = parser.parse_args()
    if asked.growth:
        draw_growth(msgspec.json.decode(asked.growth.read_bytes(), type=Grown), DOCS / "replay-rate.svg")
    else:
        draw_load(DOCS / "load.svg")


def draw_load(into: Path) -> None:
    """Measure pages at growing numbers of connections, and draw what came."""
    with instance() as settings:
        found = uvloop.run(_under_load(settings))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=INCHES, layout="constrained")
    for what, points in found.items():
        connections = [point.connections for point in points]
        left.plot(connections, [point.per_second for point in points], marker="o", label=what)
        right.plot(connections, [point.p99_ms for point in points], marker="o", label=what)
    _labelled(left, "connections", "answers a second")
    _labelled(right, "connections", "99th percentile, ms")
    left.legend()
    _saved(figure, into)


def draw_growth(grown: Grown, into: Path) -> None:
    """Draw events a second against events already replayed."""
    figure, axes = pyplot.subplots(figsize=INCHES, layout="constrained")
    done, at = 0, list[float]()
    for events, _ in grown.replayed:
        done += events
        at.append(done / 1_000_000)
    axes.plot(at, [events / seconds for events, seconds in grown.replayed])
    _labelled(axes, "million events replayed", "events a second")
    axes.set_xscale("linear")
    _saved(figure, into)


async def _under_load(settings: Settings) -> dict[str, Sequence[Loaded]]:
    async with staged(settings) as stage:
        await asyncio.to_thread(stage.book.append, timelines.posts(stage))
        await stage.settled()
        return {
            "home": await _swept(stage, "/api/v1/timelines/home", stage.token),
            "public": await _swept(stage, "/api/v1/timelines/public", None),
        }


async def _swept(stage: Stage, path: str, token: str | None) -> list[Loaded]:
    await gets(stage.port, path, token, 4, SECONDS / 2)
    points: list[Loaded] = []
    for connections in CONNECTIONS:
        rate, slow_s = await gets(stage.port, path, token, connections, SECONDS)
        points.append(Loaded(connections, rate, 1_000 * slow_s))
    return points


def _labelled(axes: Axes, across: str, up: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, alpha=0.3)


def _saved(figure: pyplot.Figure, into: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "daybook"}):
        figure.savefig(into, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    mpl.use("svg")
    main()
