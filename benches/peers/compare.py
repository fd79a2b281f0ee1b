"""danskin beside SciPy, PyTorch, JAX and scikit-learn on the same files: seconds, memory, and whether they agree.

    python3 benches/peers/compare.py [--quick]

The README beside this file says what is measured and how.
"""

import argparse
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import environment
import instances
import tables
from environment import REPOSITORY, WORK
from instances import Instance, Source
from processes import Failed, OverTime, Refused
from programs import Danskin, Peer, Runner, Task
from rounds import Comparison, compare, fastest, loosest, title

# Of each peer the variants that compete, and those that are known to lose and run with --variants alone.
VARIANTS = {
    "scipy": (("threads", "one-thread"), ("recompute",)),
    "torch": (("nested", "formula", "adjoint"), ("int64", "transposed")),
    "jax": (("chunks", "tree", "bcoo"), ("bcsr", "segments", "nested")),
}
# Peers all of whose competing variants are in the tables: what people write is SciPy on one thread.
SHOWN_WHOLE = ("scipy",)
SOLVERS = {"sklearn": (("newton-cg", "lbfgs"), ())}
PEERS = [*VARIANTS, *SOLVERS]
SHIPPED, MADE = "debian_small", "zipf"

DECADES = [f"1e-{digits}" for digits in range(2, 13)]
# How far z_T and g2 may be from danskin's, and g1 from g*, each relative.
AGREE, ACCURATE = 1e-9, 1e-6
# Steps of gradient descent by which the fastest variant is found, and the most that Newton's method may take.
TRIAL, NEWTON_STEPS = 50, 1000


@dataclass(frozen=True)
class Session:
    """The command line, and the programs that it is about."""

    args: argparse.Namespace
    python: Path
    danskin: Danskin
    runner: Runner

    def peers(self, name: str, variants: tuple[tuple[str, ...], tuple[str, ...]]) -> list[Peer]:
        competing, losing = variants
        chosen = competing + losing if self.args.variants else competing
        return [Peer(self.python, name, variant) for variant in chosen]

    def wanted(self, names: dict[str, tuple]) -> Iterator[tuple[str, tuple]]:
        return ((name, variants) for name, variants in names.items() if name in self.args.peers)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def unrolled(session: Session, instance: Instance) -> Iterator[Comparison]:
    """z_T alone, then z_T and g2, at each T."""
    for name, estimator in (("z_T", None), ("z_T and g2", "automatic")):
        trial = Task(name, min(TRIAL, *session.args.iterations), estimator)
        chosen = []
        for peer, variants in session.wanted(VARIANTS):
            peers = session.peers(peer, variants)
            if session.args.variants or peer in SHOWN_WHOLE:
                chosen += peers
            else:
                chosen.append(fastest(peers, instance, trial, session.runner, say))
        for iterations in session.args.iterations:
            for peer in chosen:
                task = replace(trial, iterations=iterations)
                comparison = Comparison(instance, task, peer, session.danskin)
                yield compare(comparison, session.args.samples, session.runner, say)


def accurate(session: Session, instance: Instance) -> Iterator[Comparison]:
    """g1 to a given accuracy, each side at the loosest tolerance that reaches it."""
    wanted = list(session.wanted(SOLVERS))
    if not wanted:
        return
    instances.reference(instance, session.python, say)
    task = Task("g1 within 1e-6 of g*", NEWTON_STEPS, "analytic", newton=True)
    scan = [replace(session.danskin, variant=tolerance) for tolerance in DECADES]
    danskin, danskin_short = loosest(scan, ACCURATE, instance, task, session.runner, say)
    for name, variants in wanted:
        for solver in session.peers(name, variants):
            scan = [replace(solver, variant=f"{solver.variant}:{tolerance}") for tolerance in DECADES]
            peer, peer_short = loosest(scan, ACCURATE, instance, task, session.runner, say)
            short = {side: why for side, why in (("peer", peer_short), ("danskin", danskin_short)) if why}
            comparison = Comparison(instance, task, peer, danskin, ended=short)
            yield comparison if short else compare(comparison, session.args.samples, session.runner, say)


def complaints(comparisons: list[Comparison]) -> Iterator[str]:
    """What must not happen: a result that differs, a program that fails."""
    for comparison in comparisons:
        label = f"{comparison.label}, {title(comparison.peer)}"
        if not comparison.within(ACCURATE if comparison.task.newton else AGREE):
            distances = ", ".join(f"{name} by {distance:.1e}" for name, distance in comparison.distances.items())
            yield f"DISAGREES: {label}: {distances}"
        for side, reason in comparison.ended.items():
            if reason.startswith("failed"):
                yield f"FAILED: {label}: {side} {reason}"


def machine(threads: int) -> dict[str, object]:
    """Where and on what the numbers were measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip() or None
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "requirements": [line for line in requirements() if not line.startswith("#")],
        "danskin": commit,
    }


def requirements() -> Iterator[str]:
    for name in ("requirements.txt", "requirements-torch.txt"):
        yield from (environment.HERE / name).read_text().splitlines()


def named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (re.fullmatch(r"[\w-]+", name) and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def counts(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers of steps")
    return numbers


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise Refused(message)


def parser() -> Parser:
    parser = Parser(description=__doc__.split("\n\n")[0])

    def pairs(flag: str, metavar: str, help: str) -> None:
        parser.add_argument(flag, metavar=metavar, type=named, action="append", default=[], help=help)

    def number(flag: str, metavar: str, type: Callable, help: str, **default: object) -> None:
        parser.add_argument(flag, metavar=metavar, type=type, help=help, **default)

    pairs("--design", "NAME=FILE", "a further instance: svmlight text (also .bz2, .gz, .xz) or .npz")
    pairs("--targets", "NAME=FILE", "its targets, a .npy file")
    pairs("--positive", "NAME=LABEL", "its label that is +1, all others being -1")
    kinds = f"of the peers ({', '.join(PEERS)}) and of the instances ({SHIPPED}, {MADE}, those of --design)"
    parser.add_argument("--only", metavar="NAMES", help=f"{kinds} these alone; all of a kind without a name here")
    number("--iterations", "T,T,..", counts, "steps of gradient descent [100]")
    number("--samples", "N", count, "measurements of each side [5]")
    cores = len(os.sched_getaffinity(0))
    number("--threads", "N", count, "threads of every side [all cores]", default=cores)
    longest = "the longest that a process may run, loading and compiling included [300]"
    number("--limit", "SECONDS", positive, longest, default=300.0)
    number("--output", "DIR", Path, "folder for what was measured [target/peers/results]", default=WORK / "results")
    every = "measure every variant of each peer, those known to be slow too, not the fastest alone"
    parser.add_argument("--variants", action="store_true", help=every)
    quick = f"T = 20, 2 samples, of the instances {SHIPPED} and those of --design, unless others are asked for"
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser


def arguments() -> argparse.Namespace:
    args = parser().parse_args()
    args.iterations = args.iterations or ([20] if args.quick else [100])
    args.samples = args.samples or (2 if args.quick else 5)
    args.designs, args.targets, args.positive = dict(args.design), dict(args.targets), dict(args.positive)
    existing = [SHIPPED, MADE, *args.designs]
    names = args.only.split(",") if args.only else []
    for name in names:
        if name not in (*PEERS, *existing):
            raise Refused(f"--only {name}: there are {', '.join((*PEERS, *existing))}")
    for name in (*args.targets, *args.positive):
        if name not in args.designs:
            raise Refused(f"{name} has targets or a label, and no --design")
    for name in args.designs:
        if name in (SHIPPED, MADE):
            raise Refused(f"--design {name}: that is the name of another instance")
    for file in (*args.designs.values(), *args.targets.values()):
        if not Path(file).is_file():
            raise Refused(f"there is no file {file}")
    args.peers = [name for name in PEERS if name in names] or PEERS
    default = [name for name in existing if name != MADE] if args.quick else existing
    args.instances = [name for name in existing if name in names] or default
    return args


def source(name: str, args: argparse.Namespace, danskin: Path) -> Source:
    if name in args.designs:
        targets = args.targets.get(name)
        return Source(name, Path(args.designs[name]), Path(targets) if targets else None, args.positive.get(name))
    return instances.shipped() if name == SHIPPED else instances.made(MADE, danskin, say)


def main() -> int:
    args = arguments()
    program = environment.build(say)
    python = environment.python("torch" in args.peers, say)
    problems = [instances.convert(source(name, args, program), python, say) for name in args.instances]
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=WORK) as scratch:
        runner = Runner(args.threads, args.limit, Path(scratch))
        comparisons = measure(Session(args, python, Danskin(program), runner), problems)
    print(tables.markdown(comparisons))
    wrong = list(complaints(comparisons))
    for line in wrong:
        say(line)
    return 1 if wrong else 0


def measure(session: Session, problems: list[Instance]) -> list[Comparison]:
    comparisons = []
    for work in (unrolled, accurate):
        for instance in problems:
            for comparison in work(session, instance):
                comparisons.append(comparison)
                # An interrupted run leaves what it has.
                tables.write(session.args.output, comparisons, machine(session.args.threads))
    return comparisons


def ended(main: Callable[[], int]) -> int:
    """The exit code of a driver, what it refuses in one line."""
    try:
        return main()
    except (Refused, Failed) as reason:
        say(f"error: {reason}")
        return 2
    except OverTime:
        say("error: over the time limit before anything could be compared")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    if sys.version_info < (3, 11) or sys.platform != "linux":
        say(
            "error: Python 3.11 or later is needed, as the pinned NumPy does, and Linux, which tells a process's memory"
        )
        sys.exit(2)
    sys.exit(ended(main))
