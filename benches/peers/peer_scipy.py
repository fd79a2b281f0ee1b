"""SciPy, with the adjoint of gradient descent by hand.

With p = 1 / (1 + exp(x u)), u = D z: grad_z L = D^T (-x p) + lambda z, grad_x L = -u p. Backwards from
g = grad_x L(z_T), w = grad_z L(z_T), at z_{T-1}, ..., z_0:

    g <- g - step (x u p (1 - p) - p) (D w),    w <- w - step (D^T (x^2 p (1 - p) (D w)) + lambda w).

Four products a step, as u_t is kept. SciPy's products run on one thread but let others run: D and D^T are cut into
blocks of rows of about as many entries, one for each thread, and what is elementwise is done within the blocks.

Variants: `threads`; `one-thread`; `recompute`, which keeps z_t in the place of u_t, for a fifth product.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

import measure


@dataclass(frozen=True)
class Block:
    """Some rows of a matrix, and where they are."""

    rows: slice
    matrix: sp.csr_array


def blocks(matrix: sp.csr_array, count: int) -> list[Block]:
    """The rows of a matrix in `count` blocks of about as many entries."""
    shares = np.linspace(0, matrix.nnz, count + 1)
    bounds = np.searchsorted(matrix.indptr, shares)
    bounds[[0, -1]] = 0, matrix.shape[0]
    return [Block(slice(a, b), matrix[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


class Descent:
    """Gradient descent and its adjoint; everything is updated in place, each block by a thread of its own."""

    def __init__(self, problem: measure.Problem, iterations: int, count: int, keep_predictions: bool):
        self.problem, self.iterations, self.keep_predictions = problem, iterations, keep_predictions
        self.rows = blocks(problem.design, count)
        self.columns = blocks(sp.csr_array(problem.design.T), count)
        self.pool = ThreadPoolExecutor(count) if count > 1 else None

    def each(self, blocks: list[Block], update: Callable[[Block], None]) -> None:
        if self.pool is None:
            update(blocks[0])
        else:
            list(self.pool.map(update, blocks))

    def gradient_z(self, z: np.ndarray, u: np.ndarray, gradient: np.ndarray, r: np.ndarray) -> None:
        """Overwrites u by D z and `gradient` by grad_z L; r has room for n numbers."""
        x, lam = self.problem.x, self.problem.lam

        def residual(block: Block) -> None:
            rows = block.rows
            u[rows] = block.matrix @ z
            r[rows] = -x[rows] * expit(-x[rows] * u[rows])

        def pull_back(block: Block) -> None:
            gradient[block.rows] = block.matrix @ r + lam * z[block.rows]

        self.each(self.rows, residual)
        self.each(self.columns, pull_back)

    def solve(self, predictions: np.ndarray | None = None, iterates: np.ndarray | None = None) -> np.ndarray:
        """z_T; where they are given, `predictions` gets D z_t and `iterates` z_t in row t."""
        n, m = self.problem.design.shape
        z, gradient, u, r = np.zeros(m), np.empty(m), np.empty(n), np.empty(n)
        for t in range(self.iterations):
            if iterates is not None:
                iterates[t] = z
            self.gradient_z(z, u if predictions is None else predictions[t], gradient, r)
            gradient *= self.problem.step
            z -= gradient
        return z

    def differentiate(self) -> measure.Vectors:
        """z_T and g2."""
        (n, m), x = self.problem.design.shape, self.problem.x
        kept = np.empty((self.iterations, n if self.keep_predictions else m))
        z = self.solve(predictions=kept) if self.keep_predictions else self.solve(iterates=kept)
        w, u, v = np.empty(m), np.empty(n), np.empty(n)
        self.gradient_z(z, u, w, v)
        g = -u * expit(-x * u)
        for t in reversed(range(self.iterations)):
            self.reverse(kept[t], g, w, v, last=t == 0)
        return {"z": z, "automatic": g}

    def reverse(self, kept: np.ndarray, g: np.ndarray, w: np.ndarray, v: np.ndarray, last: bool) -> None:
        """One step backwards; z_0 is a constant, so that the last one needs no new w."""
        x, lam, step = self.problem.x, self.problem.lam, self.problem.step

        def cross(block: Block) -> None:
            rows = block.rows
            u = kept[rows] if self.keep_predictions else block.matrix @ kept
            change = block.matrix @ w
            margin = x[rows] * u
            p = expit(-margin)
            curvature = p * (1.0 - p)
            g[rows] -= step * change * (margin * curvature - p)
            v[rows] = x[rows] ** 2 * curvature * change

        def pull_back(block: Block) -> None:
            w[block.rows] -= step * (block.matrix @ v + lam * w[block.rows])

        self.each(self.rows, cross)
        if not last:
            self.each(self.columns, pull_back)


def prepare(problem: measure.Problem, iterations: int, gradient: bool, variant: str) -> measure.Work:
    count = 1 if variant == "one-thread" else measure.threads()
    descent = Descent(problem, iterations, count, keep_predictions=variant != "recompute")
    # The threads of a pool start with its first jobs.
    descent.each(descent.rows, lambda block: None)
    if gradient:
        return descent.differentiate
    return lambda: {"z": descent.solve()}


if __name__ == "__main__":
    measure.main(prepare)
