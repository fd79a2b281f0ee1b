"""scikit-learn's LogisticRegression without an intercept, and g1 = grad_x L = -u / (1 + exp(x u)) at its coefficients.

The variant is `SOLVER:TOLERANCE`. scikit-learn minimises L / lambda up to a factor, from 0 as danskin does.
"""

import warnings

from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import measure

# A tolerance that rounding does not let it reach ends in a warning; what counts is the error of g1.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def prepare(problem: measure.Problem, iterations: int, _gradient: bool, variant: str) -> measure.Work:
    solver, tolerance = variant.split(":")
    model = LogisticRegression(
        C=1.0 / problem.lam, fit_intercept=False, solver=solver, tol=float(tolerance), max_iter=iterations
    )

    def work() -> measure.Vectors:
        z = model.fit(problem.design, problem.x).coef_.ravel()
        u = problem.design @ z
        return {"z": z, "analytic": -u * expit(-problem.x * u)}

    return work


if __name__ == "__main__":
    measure.main(prepare)
