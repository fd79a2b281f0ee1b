"""What was measured: as Markdown, JSON and CSV."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from programs import Cost
from rounds import Comparison, title

HEAD = (
    "instance", "T", "peer", "min s, peer", "danskin", "ratio", "median s, peer", "danskin", "ratio",
    "extra MB, peer", "danskin", "ratio",
)  # fmt: skip


def markdown(comparisons: Sequence[Comparison]) -> str:
    """One table for each task, in the order of the comparisons."""
    parts = []
    for name in dict.fromkeys(comparison.task.name for comparison in comparisons):
        chosen = [comparison for comparison in comparisons if comparison.task.name == name]
        distances = list(dict.fromkeys(key for comparison in chosen for key in comparison.distances))
        lines = [row((*HEAD, *map(heading, distances))), row(["---"] * (len(HEAD) + len(distances)))]
        lines += [row((*cells(comparison), *agreement(comparison, distances))) for comparison in chosen]
        parts.append("\n".join((f"### {name}", "", *lines, "")))
    return "\n".join(parts)


def row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def heading(distance: str) -> str:
    return f"error, {distance}" if distance.startswith("g1") else f"difference, {distance}"


def agreement(comparison: Comparison, distances: Sequence[str]) -> list[str]:
    return [f"{comparison.distances[key]:.0e}" if key in comparison.distances else "" for key in distances]


def cells(comparison: Comparison) -> list[str]:
    sides = [comparison.costs[side] for side in ("peer", "danskin")]
    seconds = [[cost.seconds for cost in costs] for costs in sides]
    # T bounds the steps of Newton's method and says nothing of them.
    iterations = "" if comparison.task.newton else str(comparison.task.iterations)
    ended = [comparison.ended.get(side, "") for side in ("peer", "danskin")]
    return [
        comparison.instance.name,
        iterations,
        title(comparison.peer),
        *pair([min(values, default=None) for values in seconds], ended),
        *pair([median(values) if values else None for values in seconds], ended),
        *pair([extra(costs) for costs in sides], ["", ""]),
    ]


def pair(numbers: Sequence[float | None], instead: Sequence[str]) -> list[str]:
    """Of the peer, of danskin, and the peer's over danskin's."""
    shown = ["" if number is None else f"{number:.3g}" for number in numbers]
    peer, danskin = numbers
    ratio = f"{peer / danskin:.2f}" if peer is not None and danskin else ""
    return [*(short or reason for short, reason in zip(shown, instead, strict=True)), ratio]


def extra(costs: Sequence[Cost]) -> float | None:
    """The median of the memory taken beyond what there was when the work began, in MB."""
    return median(cost.extra_bytes for cost in costs) / 1e6 if costs else None


def write(folder: Path, comparisons: Sequence[Comparison], machine: dict[str, object]) -> None:
    """`tables.md`, `samples.csv` with a line for each sample, and `samples.json` with everything."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.md").write_text(markdown(comparisons))
    content = {"machine": machine, "comparisons": [as_json(comparison) for comparison in comparisons]}
    (folder / "samples.json").write_text(json.dumps(content, indent=1) + "\n")
    with open(folder / "samples.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("instance", "task", "T", "peer", "side", "sample", "seconds", "before_bytes", "peak_bytes"))
        for comparison in comparisons:
            key = comparison.instance.name, comparison.task.name, comparison.task.iterations, title(comparison.peer)
            for side, costs in comparison.costs.items():
                for sample, cost in enumerate(costs):
                    lines.writerow((*key, side, sample, cost.seconds, cost.before_bytes, cost.peak_bytes))


def as_json(comparison: Comparison) -> dict[str, object]:
    return {
        "instance": comparison.instance.facts(),
        "task": comparison.task.name,
        "iterations": comparison.task.iterations,
        "peer": comparison.peer.name,
        "variant": comparison.peer.variant,
        "danskin_variant": comparison.danskin.variant,
        "costs": {side: [vars(cost) for cost in costs] for side, costs in comparison.costs.items()},
        "distances": comparison.distances,
        "ended": comparison.ended,
    }
