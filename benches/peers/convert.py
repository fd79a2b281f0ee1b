"""Any design that the driver is given, as the files that all sides read: `design.npz` (CSR, float64, 32-bit indices),
`y.npy` (-1 and +1) and `instance.json`.

With s^2 the largest eigenvalue of D^T D by power iteration, raised by 0.1 %: lambda = s^2 / 4000, so that the condition
L / lambda is 1001 with L = s^2 / 4 + lambda, and the step is 1 / L.
"""

import argparse
import bz2
import gzip
import json
import lzma
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_svmlight_file

OPENERS = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}


def read(file: Path) -> tuple[sp.csr_array, np.ndarray | None]:
    """D, and labels where the file has them: svmlight text, a matrix of SciPy's, or the arrays of one and `x`."""
    if file.suffix != ".npz":
        with OPENERS.get(file.suffix, open)(file, "rb") as text:
            design, labels = load_svmlight_file(text)
        return sp.csr_array(design), labels
    arrays = np.load(file)
    if "format" in arrays:
        return sp.csr_array(sp.load_npz(file)), None
    parts = arrays["data"], arrays["indices"], arrays["indptr"]
    return sp.csr_array(parts, shape=tuple(arrays["shape"])), arrays["x"] if "x" in arrays else None


def signs(labels: np.ndarray, rows: int, positive: float | None) -> np.ndarray:
    if labels.shape != (rows,):
        raise SystemExit(f"{labels.shape} targets for {rows} rows")
    if positive is not None:
        labels = np.where(labels == positive, 1.0, -1.0)
    if set(np.unique(labels)) != {-1.0, 1.0}:
        raise SystemExit("the labels are not -1 and +1, both present: --positive NAME=LABEL makes one class +1")
    return labels.astype(np.float64)


def largest_eigenvalue(design: sp.csr_array) -> float:
    """Of D^T D, by power iteration until it changes by less than 1e-6 in 10 rounds."""
    transpose = sp.csr_array(design.T)
    v = np.random.default_rng(1).standard_normal(design.shape[1])
    size = before = 0.0
    for round in range(1000):
        v = transpose @ (design @ (v / np.linalg.norm(v)))
        size = float(np.linalg.norm(v))
        if round % 10 == 0:
            if abs(size - before) <= 1e-6 * size:
                break
            before = size
    return size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("design", type=Path)
    parser.add_argument("--targets", type=Path)
    parser.add_argument("--positive", type=float)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    design, labels = read(args.design)
    if args.targets is not None:
        labels = np.load(args.targets)
    if labels is None:
        raise SystemExit("there are no labels in it: --targets NAME=FILE.npy has them")
    design = sp.csr_array(design, dtype=np.float64)
    design.sum_duplicates()
    design.indices, design.indptr = design.indices.astype(np.int32), design.indptr.astype(np.int32)
    y = signs(labels, design.shape[0], args.positive)

    size = 1.001 * largest_eigenvalue(design)
    lam = size / 4.0 / 1000.0
    facts = {"rows": design.shape[0], "columns": design.shape[1], "entries": design.nnz}
    facts |= {"lambda": lam, "step": 1.0 / (size / 4.0 + lam)}
    sp.save_npz(args.output / "design.npz", design, compressed=False)
    np.save(args.output / "y.npy", y)
    (args.output / "instance.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
