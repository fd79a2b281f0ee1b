"""The linear system of g3, L_zz v = grad_z L at z after T steps of gradient descent, by SciPy and by CHOLMOD.

With S = diag(x^2 p (1 - p)), p = 1 / (1 + exp(x u)) and u = D z, L_zz = D^T S D + lambda, and
g3 = grad_x L - L_xz v with L_xz v = (x u p (1 - p) - p) (D v).

Methods: `cg` and `cg-threads`, SciPy's conjugate gradient on products with D and D^T in CSR, on one thread as people write it and
with their rows in blocks, one a thread; `cg-jacobi`, `cg-threads-jacobi` over the diagonal; `superlu`, SciPy's `splu` in its
symmetric mode; `cholmod`, which needs scikit-sparse. Direct methods form D^T S D + lambda by SciPy's product of sparse matrices.
Each prints seconds of form, factor (its analysis included) and solve, iterations and the relative residual, as JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if any(argument.startswith("cg") for argument in sys.argv):
    # Threads of OpenBLAS that wait for the next dot of 20,000 numbers would take the cores from the products.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from scipy.special import expit

import measure
from peer_scipy import Descent

TOLERANCE = 1e-10


@dataclass(frozen=True)
class System:
    """L_zz and the right-hand side."""

    problem: measure.Problem
    descent: Descent
    curvature: np.ndarray
    rhs: np.ndarray

    def product(self, v: np.ndarray) -> np.ndarray:
        n, m = self.problem.design.shape
        u, out = np.empty(n), np.empty(m)

        def rows(block) -> None:
            u[block.rows] = self.curvature[block.rows] * (block.matrix @ v)

        def columns(block) -> None:
            out[block.rows] = block.matrix @ u + self.problem.lam * v[block.rows]

        self.descent.each(self.descent.rows, rows)
        self.descent.each(self.descent.columns, columns)
        return out

    def diagonal(self) -> np.ndarray:
        squares = self.problem.design.copy()
        squares.data **= 2
        return squares.T @ self.curvature + self.problem.lam

    def matrix(self) -> sp.csc_matrix:
        design = self.problem.design
        weighted = sp.csr_matrix(design.multiply(self.curvature[:, None]))
        return sp.csc_matrix(design.T @ weighted + self.problem.lam * sp.identity(design.shape[1]))


def by_cg(system: System, diagonal: bool) -> tuple[np.ndarray, dict[str, object]]:
    count = 0

    def product(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return system.product(v)

    m = system.problem.design.shape[1]
    start = time.perf_counter()
    over = None
    if diagonal:
        inverse = 1.0 / system.diagonal()
        over = sla.LinearOperator((m, m), matvec=lambda r: inverse * r, dtype=np.float64)
    formed = time.perf_counter()
    operator = sla.LinearOperator((m, m), matvec=product, dtype=np.float64)
    v, _ = sla.cg(operator, system.rhs, rtol=TOLERANCE, atol=0.0, maxiter=20 * m, M=over)
    seconds = {"form": formed - start, "factor": 0.0, "solve": time.perf_counter() - formed}
    return v, {"seconds": seconds, "iterations": count}


def by_factor(system: System, factorise: Callable) -> tuple[np.ndarray, dict[str, object]]:
    start = time.perf_counter()
    matrix = system.matrix()
    formed = time.perf_counter()
    factor = factorise(matrix)
    factored = time.perf_counter()
    v = factor(system.rhs)
    seconds = {"form": formed - start, "factor": factored - formed, "solve": time.perf_counter() - factored}
    return v, {"seconds": seconds, "iterations": 1}


def superlu(matrix: sp.csc_matrix) -> Callable[[np.ndarray], np.ndarray]:
    symmetric = {"SymmetricMode": True}
    return sla.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=symmetric).solve


def cholmod(matrix: sp.csc_matrix) -> Callable[[np.ndarray], np.ndarray]:
    from sksparse.cholmod import cholesky

    return cholesky(matrix)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("instance", type=Path)
    parser.add_argument("--method", required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    problem = measure.Problem.load(args.instance)
    x, count = problem.x, measure.threads() if "threads" in args.method else 1
    descent = Descent(problem, args.iterations, count, keep_predictions=True)
    z = descent.solve()
    rhs, u, r = np.empty(z.size), np.empty(x.size), np.empty(x.size)
    descent.gradient_z(z, u, rhs, r)
    p = expit(-x * u)
    curvature = p * (1.0 - p)
    system = System(problem, descent, x**2 * curvature, rhs)
    if args.method.startswith("cg"):
        v, facts = by_cg(system, args.method.endswith("jacobi"))
    else:
        v, facts = by_factor(system, {"superlu": superlu, "cholmod": cholmod}[args.method])
    facts["residual"] = float(np.linalg.norm(system.product(v) - rhs) / np.linalg.norm(rhs))
    np.save(args.output / "implicit.npy", -u * p - (problem.design @ v) * (x * u * curvature - p))
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
