"""JAX on the CPU in float64: `lax.scan` over the steps, the gradient of L written out, and one reverse pass by JAX.

The derivative of a product is given too, as the product with the transpose (`linear_call`), where JAX's own would
scatter. D is an argument of what is compiled, not a constant in it.

Variants, by how a product is made:
`chunks`   rows in chunks of 32 entries, the last filled up with zeros: dense sums in chunks, `segment_sum` of them;
`tree`     rows in chunks of 4 entries, their sums in chunks of 4 again, and so on: gathers alone, nothing scattered;
`bcoo`     `jax.experimental.sparse.BCOO`, transposed by JAX;
`bcsr`     `jax.experimental.sparse.BCSR`;
`segments` a gather and `segment_sum` over all entries;
`nested`   as `chunks`, with each gradient by `jax.grad` of L.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.custom_derivatives import linear_call
from jax.experimental import sparse

import measure

jax.config.update("jax_enable_x64", True)
# Entries of a chunk, in `chunks` and in `tree`.
WIDE, NARROW = 32, 4

# Arrays that JAX stores of a matrix for its products.
Storage = tuple[jax.Array, ...]


def segments(matrix: sp.csr_array) -> Storage:
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    return jnp.asarray(matrix.data), jnp.asarray(matrix.indices), jnp.asarray(rows)


def times_segments(size: int, storage: Storage, v: jax.Array) -> jax.Array:
    values, indices, rows = storage
    return jax.ops.segment_sum(values * v[indices], rows, num_segments=size, indices_are_sorted=True)


def chunks(matrix: sp.csr_array) -> Storage:
    """The rows of a matrix in chunks of WIDE entries: values and indices (chunks, WIDE), and the row of each chunk."""
    places, starts = chunk_places(matrix, WIDE, empty=0)
    values, indices = np.zeros((starts[-1], WIDE)), np.zeros((starts[-1], WIDE), dtype=np.int32)
    values[places], indices[places] = matrix.data, matrix.indices
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(starts))
    return jnp.asarray(values), jnp.asarray(indices), jnp.asarray(rows)


def chunk_places(matrix: sp.csr_array, width: int, empty: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The (chunk, place in it) of each entry, and the first chunk of each row; an empty row has `empty` chunks."""
    lengths = np.diff(matrix.indptr)
    starts = np.concatenate([[0], np.cumsum(np.maximum(-(-lengths // width), empty))])
    rows = np.repeat(np.arange(matrix.shape[0]), lengths)
    within = np.arange(matrix.nnz) - matrix.indptr[rows]
    return (starts[rows] + within // width, within % width), starts


def times_chunks(size: int, storage: Storage, v: jax.Array) -> jax.Array:
    values, indices, rows = storage
    sums = jnp.sum(values * v.at[indices].get(mode="promise_in_bounds"), axis=1)
    return jax.ops.segment_sum(sums, rows, num_segments=size, indices_are_sorted=True)


def tree(matrix: sp.csr_array) -> tuple[tuple[Storage, ...], ...]:
    """The rows in chunks of NARROW entries, their sums in chunks again, and so on until each row is one chunk.

    The k-th entries of all chunks of a level are an array of their own, so that XLA reads in order.
    """
    (chunk, place), starts = chunk_places(matrix, NARROW, empty=1)
    values, indices = np.zeros((NARROW, starts[-1])), np.zeros((NARROW, starts[-1]), dtype=np.int32)
    values[place, chunk], indices[place, chunk] = matrix.data, matrix.indices
    level = tuple((jnp.asarray(values[k]), jnp.asarray(indices[k])) for k in range(NARROW))
    if starts[-1] == matrix.shape[0]:
        return (level,)
    sums = sp.csr_array((np.ones(starts[-1]), np.arange(starts[-1]), starts), shape=(matrix.shape[0], starts[-1]))
    return level, *tree(sums)


def times_tree(_size: int, levels: tuple[tuple[Storage, ...], ...], v: jax.Array) -> jax.Array:
    for level in levels:
        v = sum(values * v.at[indices].get(mode="promise_in_bounds") for values, indices in level)
    return v


def bcsr(matrix: sp.csr_array) -> sparse.BCSR:
    parts = tuple(map(jnp.asarray, (matrix.data, matrix.indices, matrix.indptr)))
    return sparse.BCSR(parts, shape=matrix.shape, indices_sorted=True, unique_indices=True)


def bcoo(matrix: sp.csr_array) -> sparse.BCOO:
    values, columns, rows = segments(matrix)
    indices = jnp.stack([rows, columns], axis=1)
    return sparse.BCOO((values, indices), shape=matrix.shape, indices_sorted=True, unique_indices=True)


# How a matrix is stored, and its product (rows, stored, vector).
STORAGES: dict[str, tuple[Callable, Callable]] = {
    "chunks": (chunks, times_chunks),
    "tree": (tree, times_tree),
    "bcsr": (bcsr, lambda _size, matrix, v: matrix @ v),
    "segments": (segments, times_segments),
    "nested": (chunks, times_chunks),
}


def products(design: sp.csr_array, variant: str) -> tuple[tuple, Callable, Callable]:
    """What is stored of D and D^T, and the functions (stored, v) -> D v and (stored, r) -> D^T r."""
    if variant == "bcoo":
        return (bcoo(design),), lambda stored, v: stored[0] @ v, lambda stored, r: r @ stored[0]
    store, times = STORAGES[variant]
    n, m = design.shape

    def forward(stored: tuple, v: jax.Array) -> jax.Array:
        return times(n, stored[0], v)

    def backward(stored: tuple, r: jax.Array) -> jax.Array:
        return times(m, stored[1], r)

    stored = store(design), store(sp.csr_array(design.T))
    return stored, partial(linear_call, forward, backward), partial(linear_call, backward, forward)


def prepare(problem: measure.Problem, iterations: int, gradient: bool, variant: str) -> measure.Work:
    lam, step = problem.lam, problem.step
    stored, forward, backward = products(problem.design, variant)

    def value(z: jax.Array, x: jax.Array, stored: tuple) -> jax.Array:
        return jnp.sum(jnp.logaddexp(0.0, -x * forward(stored, z))) + 0.5 * lam * (z @ z)

    def gradient_z(z: jax.Array, x: jax.Array, stored: tuple) -> jax.Array:
        if variant == "nested":
            return jax.grad(value)(z, x, stored)
        return backward(stored, -x * jax.nn.sigmoid(-x * forward(stored, z))) + lam * z

    def solve(x: jax.Array, stored: tuple) -> jax.Array:
        start = jnp.zeros(problem.design.shape[1])
        return jax.lax.scan(lambda z, _: (z - step * gradient_z(z, x, stored), None), start, None, length=iterations)[0]

    def minimum(x: jax.Array, stored: tuple) -> tuple[jax.Array, jax.Array]:
        z = solve(x, stored)
        return value(z, x, stored), z

    x = jnp.asarray(problem.x)
    function = jax.grad(minimum, has_aux=True) if gradient else solve
    compiled = jax.jit(function).lower(x, stored).compile()

    def work() -> measure.Vectors:
        result = jax.block_until_ready(compiled(x, stored))
        if not gradient:
            return {"z": np.asarray(result)}
        g, z = result
        return {"z": np.asarray(z), "automatic": np.asarray(g)}

    return work


if __name__ == "__main__":
    measure.main(prepare)
