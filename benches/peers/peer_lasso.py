"""The Lasso by scikit-learn and celer, and codes of patches by scikit-learn, one measurement in a process of its own; and the instances that all sides are given.

`make` writes `design.npy` or `design.npz` (n, m), `target.npy` (n) and prints lambda_max: the columns of a file as they are, the target centred if asked for; or normal numbers.
`solve` prints the seconds of `fit` and the duality gap of what it found, computed here, over that of `1/2 ||u||^2`; alpha is lambda / n, and there is no intercept. Each peer is
given its columns in the order that it reads fastest (Fortran, or CSC), before the clock runs. `patches` writes signals and atoms, `encode` codes them.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from convert import OPENERS, read


def dense_enough(design: sp.csr_array) -> bool:
    return 2 * design.nnz >= design.shape[0] * design.shape[1]


def make(args: argparse.Namespace) -> None:
    random = np.random.default_rng(args.seed)
    if args.design is None:
        design = random.normal(size=(args.rows, args.columns))
        z = np.where(random.uniform(size=args.columns) < 0.05, random.normal(size=args.columns), 0.0)
        target = design @ z + random.normal(size=args.rows)
    else:
        design, target = read(args.design)
        if args.target is not None:
            with OPENERS.get(args.target.suffix, open)(args.target, "rt") as text:
                target = np.loadtxt(text)
        target = target - target.mean() if args.centred else target
        if dense_enough(design):
            design = design.toarray()
    if isinstance(design, np.ndarray):
        np.save(args.folder / "design.npy", design)
    else:
        sp.save_npz(args.folder / "design.npz", sp.csr_matrix(design), compressed=False)
    target = np.asarray(target, float)
    np.save(args.folder / "target.npy", target)
    lambda_max = float(np.abs(design.T @ target).max())
    print(json.dumps({"lambda_max": lambda_max, "rows": design.shape[0], "columns": design.shape[1]}))


def load(folder: Path) -> tuple[np.ndarray | sp.csc_matrix, np.ndarray]:
    target = np.load(folder / "target.npy")
    if (folder / "design.npy").exists():
        return np.asfortranarray(np.load(folder / "design.npy")), target
    return sp.csc_matrix(sp.load_npz(folder / "design.npz")), target


def gap(design: np.ndarray | sp.csc_matrix, target: np.ndarray, lam: float, z: np.ndarray) -> tuple[float, float]:
    """L(z), and the gap at the residual scaled into the dual's constraints."""
    residual = target - design @ z
    slopes = design.T @ residual
    share = min(1.0, lam / max(np.abs(slopes).max(), 1e-300))
    held = lam * np.abs(z) - share * slopes * z
    return (
        float(0.5 * residual @ residual + lam * np.abs(z).sum()),
        float(0.5 * (1 - share) ** 2 * residual @ residual + np.maximum(held, 0.0).sum()),
    )


def judge(args: argparse.Namespace) -> None:
    design, target = load(args.folder)
    objective, left = gap(design, target, args.lam, np.load(args.z))
    print(json.dumps({"objective": objective, "gap": left / (0.5 * target @ target)}))


def solve(args: argparse.Namespace) -> None:
    design, target = load(args.folder)
    scale, alpha = 0.5 * target @ target, args.lam / len(target)
    if args.by == "celer":
        from celer import Lasso

        model = Lasso(alpha=alpha, fit_intercept=False, tol=args.tolerance, max_iter=1000, max_epochs=100_000)
    else:
        from sklearn.linear_model import Lasso

        model = Lasso(alpha=alpha, fit_intercept=False, tol=args.tolerance, max_iter=1_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The first fit loads and warms up what later ones find: of a small part.
        model.fit(design[:, : min(20, design.shape[1])], target)
        start = time.perf_counter()
        model.fit(design, target)
        seconds = time.perf_counter() - start
    objective, left = gap(design, target, args.lam, model.coef_)
    np.save(args.output / "z.npy", np.asarray(model.coef_, float))
    facts = {"seconds": seconds, "objective": objective, "gap": left / scale, "support": int((model.coef_ != 0).sum())}
    print(json.dumps(facts))


def patches(args: argparse.Namespace) -> None:
    from sklearn.datasets import load_sample_images
    from sklearn.decomposition import MiniBatchDictionaryLearning
    from sklearn.feature_extraction.image import extract_patches_2d

    grey = [image.astype(float) @ [0.299, 0.587, 0.114] / 255 for image in load_sample_images().images]
    each = args.signals // len(grey)
    signals = np.vstack([extract_patches_2d(image, (8, 8), max_patches=each, random_state=0).reshape(-1, 64) for image in grey])
    signals -= signals.mean(1, keepdims=True)
    signals /= signals.std()
    settings = {"alpha": args.lam, "batch_size": 256, "max_iter": 1, "random_state": 0, "fit_algorithm": "cd"}
    model = MiniBatchDictionaryLearning(args.atoms, tol=0, max_no_improvement=None, **settings).fit(signals)
    np.save(args.folder / "signals.npy", signals)
    np.save(args.folder / "dictionary.npy", np.ascontiguousarray(model.components_))


def code_gaps(signals: np.ndarray, atoms: np.ndarray, lam: float, codes: np.ndarray) -> np.ndarray:
    residuals = signals - codes @ atoms.T
    slopes = residuals @ atoms
    shares = np.minimum(1.0, lam / np.maximum(np.abs(slopes).max(1), 1e-300))
    held = np.maximum(lam * np.abs(codes) - shares[:, None] * slopes * codes, 0.0)
    return 0.5 * (1 - shares) ** 2 * (residuals**2).sum(1) + held.sum(1)


def encode(args: argparse.Namespace) -> None:
    signals, atoms = np.load(args.folder / "signals.npy"), np.load(args.folder / "dictionary.npy").T
    if args.codes is None:
        from sklearn.decomposition import sparse_encode

        dictionary = np.ascontiguousarray(atoms.T)
        settings = {"algorithm": "lasso_cd", "alpha": args.lam, "max_iter": 1000, "check_input": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sparse_encode(signals[:64], dictionary, **settings)
            start = time.perf_counter()
            codes = sparse_encode(signals, dictionary, **settings)
            seconds = time.perf_counter() - start
    else:
        codes, seconds = np.load(args.codes).reshape(len(signals), -1), None
    gaps = code_gaps(signals, atoms, args.lam, codes)
    print(json.dumps({"seconds": seconds, "gap": float(gaps.sum()), "largest": float(gaps.max())}))


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for name, run in (("make", make), ("solve", solve), ("judge", judge), ("patches", patches), ("encode", encode)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.set_defaults(run=run)
        if name == "make":
            command.add_argument("--design", type=Path)
            command.add_argument("--target", type=Path)
            command.add_argument("--centred", action="store_true")
            command.add_argument("--rows", type=int, default=500)
            command.add_argument("--columns", type=int, default=1000)
            command.add_argument("--seed", type=int, default=0)
            continue
        command.add_argument("--lam", type=float, required=True)
        if name == "solve":
            command.add_argument("--by", required=True)
            command.add_argument("--tolerance", type=float, required=True)
            command.add_argument("--output", type=Path, required=True)
        elif name == "judge":
            command.add_argument("--z", type=Path, required=True)
        elif name == "patches":
            command.add_argument("--signals", type=int, required=True)
            command.add_argument("--atoms", type=int, required=True)
        else:
            command.add_argument("--codes", type=Path)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
