"""The linear system of g3 by danskin, SciPy and, where there is one, CHOLMOD: seconds of each stage, and whether g3 agrees.

    python3 benches/peers/linear.py [--samples N] [--cholmod PYTHON]

Logistic regression on `zipf` and `banded`, 100,000 x 20,000 with 5,000,000 entries each, in columns of very different lengths and in
windows of 60, at z after 10 steps, to a relative residual of 1e-10. `--cholmod` names an interpreter that has NumPy, SciPy and
scikit-sparse. Of the samples, taken in turn, that of the least total counts. Exit code 1 where g3 differs from danskin's by 1e-7.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import environment
import instances
from compare import Parser, count, ended, say
from environment import HERE, WORK
from instances import Instance
from programs import Runner

STEPS, TOLERANCE, AGREE = 10, "1e-10", 1e-7
STAGES = ("form", "factor", "solve")
# Of danskin, the flags; of the others, the method. Direct methods on the rows of few neighbours alone: on the others L_zz is full.
DANSKIN = {
    "cg": ["cg"],
    "cg over jacobi": ["cg", "--preconditioner", "jacobi"],
    "cg over nystrom": ["cg", "--preconditioner", "nystrom"],
    "auto": ["auto"],
}
PEERS = {
    "zipf": ["cg", "cg-threads", "cg-jacobi", "cg-threads-jacobi"],
    "banded": ["cg", "cg-threads", "cg-jacobi", "cg-threads-jacobi", "superlu", "cholmod"],
}


def danskin(program: Path, flags: list[str], instance: Instance, runner: Runner) -> tuple[dict, Path]:
    folder = runner.folder("danskin")
    data = ["--design", instance.folder / "design.npz", "--targets", instance.folder / "y.npy", "--problem", "logistic"]
    steps = ["--lambda", repr(instance.lam), "--step", repr(instance.step), "--iterations", str(STEPS)]
    linear = ["--estimator", "implicit", "--linear-tolerance", TOLERANCE, "--linear-solver", *flags]
    rest = ["--threads", str(runner.threads), "--quiet", "--output", folder]
    runner.run([program, "gradient", *data, *steps, *linear, *rest])
    linear = json.loads((folder / "report.json").read_text())["estimators"]["implicit"]["linear"]
    seconds = linear["seconds"]
    seconds["factor"] += seconds.pop("analyse")
    facts = {"seconds": seconds, "iterations": linear["iterations"], "residual": linear["relative_residual"]}
    return facts, folder / "implicit.npy"


def peer(python: Path, method: str, instance: Instance, runner: Runner) -> tuple[dict, Path]:
    folder = runner.folder("peer")
    flags = ["--method", method, "--iterations", str(STEPS), "--output", folder]
    return json.loads(runner.run([python, HERE / "peer_linear.py", instance.folder, *flags])), folder / "implicit.npy"


def total(facts: dict) -> float:
    return sum(facts["seconds"].values())


def distance(a: Path, b: Path) -> float:
    """Relative, of Euclidean norms; read without NumPy, which the driver does not need: version 1.0 of the format, f64."""

    def numbers(file: Path) -> memoryview:
        bytes = file.read_bytes()
        return memoryview(bytes[10 + int.from_bytes(bytes[8:10], "little") :]).cast("d")

    found, expected = numbers(a), numbers(b)
    return math.dist(found, expected) / math.hypot(*expected)


def measure(name: str, instance: Instance, args: argparse.Namespace, runner: Runner, program: Path, python: Path) -> bool:
    methods = {**DANSKIN, "sparse": ["sparse"]} if name == "banded" else DANSKIN
    programs = [("danskin", method) for method in methods]
    programs += [("scipy" if method != "cholmod" else "cholmod", method) for method in PEERS[name]]
    programs = [program for program in programs if program[0] != "cholmod" or args.cholmod]
    best: dict[tuple[str, str], dict] = {}
    reference, agrees = runner.scratch / f"{name}.npy", True
    for sample in range(args.samples):
        for side, method in programs:
            say(f"{name}, {side}, {method}, sample {sample + 1}")
            if side == "danskin":
                facts, vector = danskin(program, methods[method], instance, runner)
            else:
                facts, vector = peer(args.cholmod if side == "cholmod" else python, method, instance, runner)
            if not reference.exists():
                reference.write_bytes(vector.read_bytes())
            apart = distance(vector, reference)
            if not apart <= AGREE:
                say(f"DISAGREES: {name}, {side}, {method}: g3 by {apart:.1e}")
                agrees = False
            facts["apart"] = apart
            if (side, method) not in best or total(facts) < total(best[side, method]):
                best[side, method] = facts
    print(f"### {name}\n\n| by | method | total s | form | factor | solve | iterations | residual | difference, g3 |")
    print("| --- " * 9 + "|")
    for (side, method), facts in best.items():
        stages = " | ".join(f"{facts['seconds'][stage]:.3g}" for stage in STAGES)
        ends = f"{facts['iterations']} | {facts['residual']:.0e} | {facts['apart']:.0e}"
        print(f"| {side} | {method} | {total(facts):.3g} | {stages} | {ends} |")
    print(flush=True)
    return agrees


def main() -> int:
    parser = Parser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", metavar="N", type=count, default=3, help="measurements of each method [3]")
    parser.add_argument("--threads", metavar="N", type=count, default=2, help="threads of every side [2]")
    parser.add_argument("--cholmod", metavar="PYTHON", type=Path, help="an interpreter with scikit-sparse [none]")
    args = parser.parse_args()
    program = environment.build(say)
    python = environment.python(False, say)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=WORK) as scratch:
        runner = Runner(args.threads, 600.0, Path(scratch))
        sources = [instances.made(kind, program, say) for kind in PEERS]
        agree = [
            measure(source.name, instances.convert(source, python, say), args, runner, program, python)
            for source in sources
        ]
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(ended(main))
