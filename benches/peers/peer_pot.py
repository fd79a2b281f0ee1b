"""Entropic optimal transport by POT or by hand, one measurement in a process of its own; and the instance that all sides are given.

`make` writes `costs.npy` (n, k), `from.npy` (n) and `to.npy` (k): squared distances of normal points in the plane, divided by the
largest, and masses between 0.5 and 1.5 before they are divided by their sum. `solve` takes T sweeps and no fewer (`stopThr=0`), several
times; its seconds are the least of `ot.sinkhorn`, or of the loop by hand. A sweep of POT's ends with the scaling that danskin's begins with: it is given the transposed problem.
The cost is <P, C>, the potential eps log of the scaling of the first measure.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import ot

# Seconds after which there is no further run.
ENOUGH = 5.0


def make(args: argparse.Namespace) -> None:
    random = np.random.default_rng(args.seed)
    points = [random.normal(size=(count, 2)) + shift for count, shift in ((args.rows, 0.0), (args.columns, 1.0))]
    costs = ((points[0][:, None] - points[1][None]) ** 2).sum(-1)
    masses = [random.uniform(0.5, 1.5, len(side)) for side in points]
    np.save(args.folder / "costs.npy", costs / costs.max())
    for name, mass in zip(("from", "to"), masses, strict=True):
        np.save(args.folder / f"{name}.npy", mass / mass.sum())


def by_hand(to: np.ndarray, x: np.ndarray, costs: np.ndarray, eps: float, sweeps: int) -> tuple[np.ndarray, np.ndarray]:
    """The potential of x, and the plan."""
    kernel = np.exp(-costs / eps)
    of_columns = np.ones_like(to)
    for _ in range(sweeps):
        of_rows = x / (kernel @ of_columns)
        of_columns = to / (kernel.T @ of_rows)
    plan = of_rows[:, None] * kernel * of_columns
    return eps * np.log(of_rows), plan


def by_pot(method: str, to: np.ndarray, x: np.ndarray, costs: np.ndarray, eps: float, sweeps: int) -> tuple[np.ndarray, dict]:
    settings = {"method": method, "numItermax": sweeps, "stopThr": 0.0, "log": True, "warn": False}
    return ot.sinkhorn(to, x, costs, eps, **settings)


def solve(args: argparse.Namespace) -> None:
    costs, x, b = (np.load(args.folder / f"{name}.npy") for name in ("costs", "from", "to"))
    across = np.ascontiguousarray(costs.T)
    best, spent = math.inf, 0.0
    for _ in range(args.runs):
        if spent > ENOUGH:
            break
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            if args.method == "numpy":
                potential, plan = by_hand(b, x, costs, args.eps, args.sweeps)
            else:
                plan, log = by_pot(args.method, b, x, across, args.eps, args.sweeps)
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    if args.method == "numpy":
        plan = plan.T
    elif args.method == "sinkhorn_stabilized":
        # Where 0.9.7 absorbs at the last sweep, the plan that it returns is divided by n k; its mass is 1.
        plan /= plan.sum()
        potential = log["beta"]
    else:
        with np.errstate(all="ignore"):
            potential = args.eps * (log["log_v"] if "log_v" in log else np.log(log["v"]))
    np.save(args.output / "potential.npy", potential)
    print(json.dumps({"seconds": best, "cost": float((plan * across).sum())}))


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("make")
    command.add_argument("folder", type=Path)
    command.add_argument("--rows", type=int, required=True)
    command.add_argument("--columns", type=int, required=True)
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=make)
    command = commands.add_parser("solve")
    command.add_argument("folder", type=Path)
    command.add_argument("--method", required=True)
    command.add_argument("--eps", type=float, required=True)
    command.add_argument("--sweeps", type=int, required=True)
    command.add_argument("--runs", type=int, default=1)
    command.add_argument("--output", type=Path, required=True)
    command.set_defaults(run=solve)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
