"""g* of an instance by SciPy alone: g1 at a z with |grad_z L| at most 1e-12 of that at 0, by Newton's method.

    H d = -grad_z L by conjugate gradients, H = D^T diag(x^2 p (1 - p)) D + lambda,

and along d the first of the lengths 1, 1/2, ... that lowers L enough.
"""

import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit

import measure

TOLERANCE, STEPS = 1e-12, 200
# Beyond these digits L says nothing about a step.
ROUNDING = 1e-13


def analytic(problem: measure.Problem, u: np.ndarray) -> np.ndarray:
    return -u * expit(-problem.x * u)


def minimiser(problem: measure.Problem) -> np.ndarray:
    design, transpose, x, lam = problem.design, sp.csr_array(problem.design.T), problem.x, problem.lam

    def value(z: np.ndarray) -> float:
        return np.logaddexp(0.0, -x * (design @ z)).sum() + 0.5 * lam * (z @ z)

    z = np.zeros(design.shape[1])
    for step in range(STEPS):
        p = expit(-x * (design @ z))
        gradient = transpose @ (-x * p) + lam * z
        norm = np.linalg.norm(gradient)
        if step == 0:
            first = norm
        if norm <= TOLERANCE * first:
            return z
        weights = x * x * p * (1.0 - p)
        direction = newton_direction(design, transpose, weights, lam, gradient)
        here, slope, length = value(z), gradient @ direction, 1.0
        while value(z + length * direction) > here + 1e-4 * length * slope + ROUNDING * here:
            length /= 2.0
        z += length * direction
    raise SystemExit(f"no g*: after {STEPS} steps |grad_z L| is {norm / first:.1e} of that at 0")


def newton_direction(
    design: sp.csr_array, transpose: sp.csr_array, weights: np.ndarray, lam: float, gradient: np.ndarray
) -> np.ndarray:
    def times_hessian(v: np.ndarray) -> np.ndarray:
        return transpose @ (weights * (design @ v)) + lam * v

    hessian = LinearOperator((gradient.size, gradient.size), times_hessian, dtype=np.float64)
    return cg(hessian, -gradient, rtol=1e-3)[0]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    problem = measure.Problem.load(folder)
    np.save(folder / "analytic.npy", analytic(problem, problem.design @ minimiser(problem)))
