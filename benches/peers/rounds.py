"""Rounds of measurements: a peer and danskin in turn, so that what else the machine does meets both."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import vectors
from instances import Instance
from processes import Failed, OverTime
from programs import Cost, Danskin, Peer, Program, Runner, Task

# In which each variant runs once, to find the fastest.
ROUNDS = 3


@dataclass
class Comparison:
    """Samples of a peer and of danskin at one task on one instance."""

    instance: Instance
    task: Task
    peer: Peer
    danskin: Danskin
    costs: dict[str, list[Cost]] = field(default_factory=lambda: {"peer": [], "danskin": []})
    # The largest relative distance of each vector over the samples: of the peer's from danskin's, or of both from g*.
    distances: dict[str, float] = field(default_factory=dict)
    # Why a side has no further samples.
    ended: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.instance.name}, {self.task.name}, T = {self.task.iterations}"

    def within(self, tolerance: float) -> bool:
        return all(distance <= tolerance for distance in self.distances.values())

    def note(self, name: str, distance: float) -> None:
        self.distances[name] = max(self.distances.get(name, 0.0), distance)


def compare(comparison: Comparison, samples: int, runner: Runner, say: Callable[[str], None]) -> Comparison:
    """Fills in the samples; ends early where one of the two does not finish."""
    sides: dict[str, Program] = {"peer": comparison.peer, "danskin": comparison.danskin}
    for sample in range(samples):
        folders = {}
        for side, program in sides.items():
            label = f"{comparison.label}: {title(program)}"
            try:
                cost, folders[side] = program.measure(comparison.instance, comparison.task, runner)
            except OverTime:
                comparison.ended[side] = f"over {runner.limit:g} s"
            except Failed as failure:
                comparison.ended[side] = f"failed: {failure}"
            else:
                comparison.costs[side].append(cost)
                say(f"{label}, {sample + 1} of {samples}: {cost.seconds:.4g} s")
            if side in comparison.ended:
                say(f"{label}: {comparison.ended[side]}")
        if comparison.ended:
            break
        note_distances(comparison, folders)
    return comparison


def note_distances(comparison: Comparison, folders: dict[str, Path]) -> None:
    if comparison.task.newton:
        for side, folder in folders.items():
            reference = comparison.instance.folder / "analytic.npy"
            comparison.note(f"g1 of {side}", vectors.distance(folder / "analytic.npy", reference))
        return
    for name, file in ((name, f"{name}.npy") for name in comparison.task.vectors):
        comparison.note(name, vectors.distance(folders["peer"] / file, folders["danskin"] / file))


def fastest(
    variants: Sequence[Peer], instance: Instance, task: Task, runner: Runner, say: Callable[[str], None]
) -> Peer:
    """The variant with the least minimum over some rounds; the first where none finishes."""
    best = dict.fromkeys(variants, math.inf)
    for _ in range(ROUNDS if len(variants) > 1 else 0):
        for variant in variants:
            try:
                cost, _ = variant.measure(instance, task, runner)
            except (OverTime, Failed) as reason:
                say(f"{instance.name}, {task.name}, {title(variant)}: left out: {str(reason) or 'over time'}")
            else:
                best[variant] = min(best[variant], cost.seconds)
    chosen = min(variants, key=lambda variant: best[variant])
    shown = ", ".join(f"{variant.variant} {seconds:.4g} s" for variant, seconds in best.items() if seconds < math.inf)
    if shown:
        say(f"{instance.name}, {task.name}, T = {task.iterations}, {chosen.name}: {chosen.variant} of {shown}")
    return chosen


def loosest(
    programs: Sequence[Program],
    tolerance: float,
    instance: Instance,
    task: Task,
    runner: Runner,
    say: Callable[[str], None],
) -> tuple[Program, str]:
    """The first program of a sequence whose g1 is within the tolerance of g*, or else the last tried, and why."""
    for program in programs:
        try:
            _, folder = program.measure(instance, task, runner)
        except (OverTime, Failed) as reason:
            return program, f"failed: {reason}" if isinstance(reason, Failed) else f"over {runner.limit:g} s"
        error = vectors.distance(folder / "analytic.npy", instance.folder / "analytic.npy")
        say(f"{instance.name}, {title(program)}: g1 is {error:.1e} from g*")
        if error <= tolerance:
            return program, ""
    return programs[-1], f"never within {tolerance:g}"


def title(program: Program) -> str:
    return f"{program.name} ({program.variant})" if program.variant else program.name
