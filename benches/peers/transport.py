"""Entropic optimal transport by danskin and by POT: seconds of T sweeps, and whether cost and gradient agree.

    python3 benches/peers/transport.py [--samples N] [--runs N] [--rows N] [--columns K] [--eps E,..] [--sweeps T,..] [--methods M,..]

Both sides take the same T sweeps of Sinkhorn's algorithm from 0 on the same arrays, which makes them equally accurate; danskin by its
example `transport`. Each sample is a process that solves the problem several times, the first of them cold, and the sides take turns;
the least seconds of each count. The cost <P, C> and the gradient of the cost in the first marginal, up to a constant, have to agree to
1e-8, relative. Exit code 1 where they do not, or where a method of POT that agrees is faster. `numpy` is the loop that a user writes by
hand, two products and two quotients a sweep, which neither looks at the potentials nor tells how far it is from the optimum.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import environment
from compare import Parser, count, counts, ended, positive, say
from environment import HERE, REPOSITORY, WORK
from programs import Runner
from vectors import read

AGREE = 1e-8
METHODS = ("sinkhorn", "sinkhorn_stabilized", "sinkhorn_log", "numpy")


def regularisations(text: str) -> list[float]:
    return [positive(part) for part in text.split(",")]


def methods(text: str) -> list[str]:
    wanted = text.split(",")
    if not set(wanted) <= set(METHODS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(METHODS)}")
    return wanted


def centred(file: Path) -> list[float]:
    values = read(file)
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]


def danskin(example: Path, folder: Path, eps: float, sweeps: int, runs: int, runner: Runner) -> dict:
    output = runner.folder("danskin") / "potential.npy"
    arrays = [folder / f"{name}.npy" for name in ("costs", "from", "to")]
    lines = runner.run([example, *arrays, repr(eps), str(sweeps), output, str(runs)], RAYON_NUM_THREADS=str(runner.threads))
    return {name: float(value) for name, value in map(str.split, lines.splitlines())} | {"potential": centred(output)}


def pot(python: Path, method: str, folder: Path, eps: float, sweeps: int, runs: int, runner: Runner) -> dict:
    output = runner.folder("pot")
    flags = ["--method", method, "--eps", repr(eps), "--sweeps", str(sweeps), "--runs", str(runs), "--output", output]
    facts = json.loads(runner.run([python, HERE / "peer_pot.py", "solve", folder, *flags]))
    return facts | {"potential": centred(output / "potential.npy")}


def apart(found: dict, expected: dict) -> tuple[float, float]:
    """Relative distances of cost and gradient."""
    gradient = math.dist(found["potential"], expected["potential"]) / math.hypot(*expected["potential"])
    return abs(found["cost"] - expected["cost"]) / expected["cost"], gradient


def measure(folder: Path, eps: float, sweeps: int, samples: int, sides: dict) -> bool:
    best: dict[str, dict] = {}
    for sample in range(samples):
        for name, side in sides.items():
            say(f"eps {eps:g}, {sweeps} sweeps, {name}, sample {sample + 1}")
            facts = side(folder, eps, sweeps)
            if name not in best or facts["seconds"] < best[name]["seconds"]:
                best[name] = facts
    ours, holds = best["danskin"], True
    for name, facts in best.items():
        cost, gradient = apart(facts, ours)
        agrees = max(cost, gradient) <= AGREE
        ratio = facts["seconds"] / ours["seconds"]
        holds &= agrees and (ratio >= 1.0 or name == "NumPy")
        cells = [f"{eps:g}", str(sweeps), name, f"{facts['seconds']:.4f}", f"{ratio:.2f}", f"{cost:.0e}", f"{gradient:.0e}"]
        print(f"| {' | '.join(cells)} |{'' if agrees else ' differs'}", flush=True)
    return holds


def main() -> int:
    parser = Parser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", metavar="N", type=count, default=3, help="processes of each method [3]")
    parser.add_argument("--runs", metavar="N", type=count, default=5, help="runs in each of them [5]")
    parser.add_argument("--threads", metavar="N", type=count, default=2, help="threads of every side [2]")
    parser.add_argument("--rows", metavar="N", type=count, default=1000, help="points of the first measure [1000]")
    parser.add_argument("--columns", metavar="K", type=count, default=500, help="points of the second [500]")
    parser.add_argument("--eps", metavar="E,..", type=regularisations, default=[0.1, 0.01, 0.003], help="regularisations [0.1,0.01,0.003]")
    parser.add_argument("--sweeps", metavar="T,..", type=counts, default=[100, 1000], help="sweeps [100,1000]")
    parser.add_argument("--methods", metavar="M,..", type=methods, default=METHODS, help=f"to compare with [{','.join(METHODS)}]")
    args = parser.parse_args()
    example = environment.example("transport", say)
    python = environment.python(False, say)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=WORK) as scratch:
        runner = Runner(args.threads, 600.0, Path(scratch))
        folder = runner.folder("instance")
        runner.run([python, HERE / "peer_pot.py", "make", folder, "--rows", str(args.rows), "--columns", str(args.columns)])
        sides = {"danskin": lambda *at: danskin(example, *at, args.runs, runner)}
        sides |= {"NumPy" if method == "numpy" else f"POT, {method}": lambda *at, method=method: pot(python, method, *at, args.runs, runner) for method in args.methods}
        print("| eps | sweeps | by | seconds | over danskin's | difference, cost | difference, gradient |\n" + "| --- " * 7 + "|")
        holds = [measure(folder, eps, sweeps, args.samples, sides) for eps in args.eps for sweeps in args.sweeps]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(ended(main))
