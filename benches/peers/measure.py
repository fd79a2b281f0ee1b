"""One measurement of a peer, in a process of its own.

A peer's module has `prepare(problem, iterations, gradient, variant)`, which does all that is not timed (other storages
of D, compilation) and returns the work: a function of nothing that gives vectors by the names of danskin's files, `z`,
and `automatic` (g2) where `gradient` is true. The problem is

    L(z, x) = sum_i log(1 + exp(-x_i (D z)_i)) + lambda/2 |z|^2,    z_{t+1} = z_t - step grad_z L(z_t, x),    z_0 = 0,

with D the design, z latent and x the parameter: the targets, of any real values.
"""

import argparse
import ctypes
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

Vectors = dict[str, np.ndarray]
Work = Callable[[], Vectors]
Prepare = Callable[["Problem", int, bool, str], Work]


@dataclass(frozen=True)
class Problem:
    """An instance: the design (n, m) with indices of 32 bits, x (n), lambda and the step."""

    design: sp.csr_array
    x: np.ndarray
    lam: float
    step: float

    @classmethod
    def load(cls, folder: Path) -> "Problem":
        facts = json.loads((folder / "instance.json").read_text())
        design = sp.csr_array(sp.load_npz(folder / "design.npz"))
        return cls(design, np.load(folder / "y.npy"), facts["lambda"], facts["step"])


def threads() -> int:
    """How many threads this process may use: the driver says it to every library in its own way."""
    return int(os.environ["OMP_NUM_THREADS"])


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def measured(work: Work) -> tuple[dict[str, float], Vectors]:
    """Seconds and resident memory over the work, as danskin's report has them, and its result."""
    # What other storages left free with the allocator would hide what the work takes.
    ctypes.CDLL(None).malloc_trim(0)
    # Code 5 sets VmHWM back to VmRSS.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "before_bytes": before, "peak_bytes": resident("VmHWM")}, result


def main(prepare: Prepare) -> None:
    """Measures what the command line says, and prints it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("instance", type=Path)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--gradient", action="store_true")
    parser.add_argument("--variant", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    work = prepare(Problem.load(args.instance), args.iterations, args.gradient, args.variant)
    cost, vectors = measured(work)
    for name, vector in vectors.items():
        np.save(args.output / f"{name}.npy", vector)
    print(json.dumps(cost))
