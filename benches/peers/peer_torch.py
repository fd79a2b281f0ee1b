"""PyTorch on the CPU: D and D^T as CSR tensors with 32-bit indices, which its kernels take without a conversion.

A product with D is a function whose derivative is the product with D^T, and the other way round: PyTorch's own
derivative multiplies by a transposed view, which is slower by an order of magnitude and more.

Variants:
`nested`     each gradient by autograd with a graph of its own, the whole differentiated again: double backward;
`formula`    grad_z L = D^T (-x p) + lambda z, p = 1 / (1 + exp(x u)), written out, and one pass of autograd over all;
`adjoint`    the reverse pass written out too (the formulas of peer_scipy.py), by PyTorch's kernels without autograd;
`int64`      as `nested`, with the indices that PyTorch makes if not told otherwise;
`transposed` as `nested`, with PyTorch's own derivative of a product.
"""

import warnings

import numpy as np
import scipy.sparse as sp
import torch

import measure

# That sparse CSR is in beta.
warnings.filterwarnings("ignore", category=UserWarning)


def tensor(matrix: sp.csr_array, index: type) -> torch.Tensor:
    indptr, indices = (torch.from_numpy(part.astype(index)) for part in (matrix.indptr, matrix.indices))
    return torch.sparse_csr_tensor(indptr, indices, torch.from_numpy(matrix.data), size=matrix.shape)


class Product(torch.autograd.Function):
    """matrix @ v, differentiable any number of times."""

    @staticmethod
    def forward(ctx, v: torch.Tensor, matrix: torch.Tensor, transpose: torch.Tensor) -> torch.Tensor:
        ctx.matrices = matrix, transpose
        return matrix @ v

    @staticmethod
    def backward(ctx, cotangent: torch.Tensor):
        matrix, transpose = ctx.matrices
        return Product.apply(cotangent, transpose, matrix), None, None


class Descent:
    """Gradient descent in the ways of the variants."""

    def __init__(self, problem: measure.Problem, variant: str):
        index = np.int64 if variant == "int64" else np.int32
        self.design = tensor(problem.design, index)
        self.transpose = tensor(sp.csr_array(problem.design.T), index)
        self.x = torch.from_numpy(problem.x)
        self.lam, self.step, self.variant = problem.lam, problem.step, variant

    def start(self) -> torch.Tensor:
        return torch.zeros(self.design.shape[1], dtype=torch.float64)

    def predictions(self, z: torch.Tensor) -> torch.Tensor:
        if self.variant == "transposed":
            return self.design @ z
        return Product.apply(z, self.design, self.transpose)

    def value(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """L(z, x)."""
        # Beyond its threshold, 20 by default, PyTorch's softplus is linear. exp(700) is finite.
        losses = torch.nn.functional.softplus(-x * self.predictions(z), threshold=700.0)
        return losses.sum() + 0.5 * self.lam * (z @ z)

    def next_nested(self, z: torch.Tensor, x: torch.Tensor, graph: bool) -> torch.Tensor:
        if not z.requires_grad:
            z = z.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.value(z, x), z, create_graph=graph)
        return torch.add(z if graph else z.detach(), gradient, alpha=-self.step)

    def next_formula(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        residual = -x * torch.sigmoid(-x * self.predictions(z))
        pulled_back = Product.apply(residual, self.transpose, self.design)
        return torch.add(z, pulled_back + self.lam * z, alpha=-self.step)

    def solve(self, iterations: int) -> torch.Tensor:
        """z_T alone, without a graph."""
        z = self.start()
        if self.variant in ("formula", "adjoint"):
            with torch.no_grad():
                for _ in range(iterations):
                    z = self.next_formula(z, self.x)
            return z
        for _ in range(iterations):
            z = self.next_nested(z, self.x, graph=False)
        return z

    def differentiate(self, iterations: int) -> tuple[torch.Tensor, torch.Tensor]:
        """z_T and g2."""
        if self.variant == "adjoint":
            with torch.no_grad():
                return self.adjoint(iterations)
        x, z = self.x.clone().requires_grad_(), self.start()
        for _ in range(iterations):
            z = self.next_formula(z, x) if self.variant == "formula" else self.next_nested(z, x, graph=True)
        (gradient,) = torch.autograd.grad(self.value(z, x), x)
        return z.detach(), gradient

    def adjoint(self, iterations: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, lam, step, z, kept = self.x, self.lam, self.step, self.start(), []
        for _ in range(iterations):
            u = self.design @ z
            kept.append(u)
            z = torch.add(z, self.transpose @ (-x * torch.sigmoid(-x * u)) + lam * z, alpha=-step)
        u = self.design @ z
        p = torch.sigmoid(-x * u)
        g, w = -u * p, self.transpose @ (-x * p) + lam * z
        for t in reversed(range(iterations)):
            margin, change = x * kept.pop(), self.design @ w
            p = torch.sigmoid(-margin)
            curvature = p * (1.0 - p)
            g.addcmul_(change, margin * curvature - p, value=-step)
            # z_0 is a constant: the last step backwards needs no new w.
            if t > 0:
                w = torch.add(w, self.transpose @ (x * x * curvature * change) + lam * w, alpha=-step)
        return z, g


def prepare(problem: measure.Problem, iterations: int, gradient: bool, variant: str) -> measure.Work:
    torch.set_num_threads(measure.threads())
    descent = Descent(problem, variant)
    # The first products and the first reverse pass start threads and initialise libraries.
    descent.differentiate(1)

    def work() -> measure.Vectors:
        if gradient:
            z, g = descent.differentiate(iterations)
            return {"z": z.numpy(), "automatic": g.numpy()}
        return {"z": descent.solve(iterations).numpy()}

    return work


if __name__ == "__main__":
    measure.main(prepare)
