//! Outer functions other than L: hypergradients in closed form, and against finite differences of F(x) = f(z*(x), x).

use danskin::prelude::*;
use danskin::testing::{derivative, random, step};
use danskin::vector::{axpy, distance, dot, norm};
use faer::Mat;
use faer::prelude::Solve as _;

const N: usize = 30;
const M: usize = 8;

fn dense(design: &Design) -> Mat<f64> {
    let mut matrix = Mat::zeros(design.rows(), design.columns());
    design.for_each_entry(|i, j, v| matrix[(i, j)] = v);
    matrix
}

fn column(vector: &[f64]) -> Mat<f64> {
    Mat::from_fn(vector.len(), 1, |i, _| vector[i])
}

/// g2 after enough steps, and g3 by every linear solver, at a converged z.
fn hypergradients<P, F>(problem: &P, x: &[f64], outer: &F) -> Vec<(&'static str, Vec<f64>)>
where
    P: AssembleHessian,
    F: Outer<P>,
{
    let solver = Nesterov::default().restart(true);
    let stop = Stop::tolerance(1e-13).within(5000);
    let taped = Solve::new(problem, &solver, x).stop(stop).record(Tape::new()).run().unwrap();
    let forward = Solve::new(problem, &solver, x).stop(stop).record(Tangents::full()).run().unwrap();
    vec![
        ("g2 reverse", taped.gradient_of(outer, &Automatic).unwrap().value),
        ("g2 forward", forward.gradient_of(outer, &Forward).unwrap().value),
        ("g3 cg", taped.gradient_of(outer, &Implicit::new(Cg::default())).unwrap().value),
        ("g3 dense", taped.gradient_of(outer, &Implicit::new(DenseCholesky::default())).unwrap().value),
    ]
}

#[test]
fn ridge_in_closed_form() {
    // F = 1/2 ‖E z* - y‖², z* = H^-1 D^T W t, H = D^T W D + diag(lambda).
    let (design, held_out) = (random::design(N, M, 4, 1), random::design(12, M, 4, 2));
    let (d, e) = (dense(&design), dense(&held_out));
    let (t, y) = (random::vector(N, 3), random::vector(12, 4));
    let w: Vec<f64> = random::vector(N, 5).iter().map(|w| 1.0 + 0.5 * w).collect();
    let (lambdas, groups): (_, Vec<u32>) = (vec![0.5, 1.5], (0..M as u32).map(|j| j % 2).collect());

    let weighted = Mat::from_fn(N, M, |i, j| w[i] * d[(i, j)]);
    let mut hessian = d.transpose() * &weighted;
    (0..M).for_each(|j| hessian[(j, j)] += lambdas[groups[j] as usize]);
    let factor = hessian.llt(faer::Side::Lower).unwrap();
    let z = factor.solve(weighted.transpose() * column(&t));
    let r = &d * &z - column(&t);
    let v = factor.solve(e.transpose() * (&e * &z - column(&y)));
    let dv = &d * &v;
    // dF/dp = -v^T d(grad_z L)/dp, with grad_z L = D^T W (D z - t) + lambda z.
    let exact = |wrt| -> Vec<f64> {
        match wrt {
            Wrt::Targets => (0..N).map(|i| w[i] * dv[(i, 0)]).collect(),
            Wrt::Weights => (0..N).map(|i| -dv[(i, 0)] * r[(i, 0)]).collect(),
            Wrt::Regularisation => {
                let term = |j: usize| -lambdas[groups[j] as usize] * v[(j, 0)] * z[(j, 0)];
                (0..2).map(|g| (0..M).filter(|&j| groups[j] == g).map(term).sum()).collect()
            }
            _ => {
                let mut entries = Vec::new();
                design.for_each_entry(|i, j, _| {
                    entries.push(-w[i] * (r[(i, 0)] * v[(j, 0)] + dv[(i, 0)] * z[(j, 0)]));
                });
                entries
            }
        }
    };
    let validation = Glm::new(held_out, Squared, 0.0).unwrap();
    let outer = HeldOut::new(&validation, &y).unwrap();
    for wrt in Wrt::ALL {
        let problem = Glm::new(design.clone(), Squared, 1.0).unwrap().weighted(w.clone()).unwrap();
        let problem = problem.grouped(lambdas.clone(), groups.clone()).unwrap();
        let (problem, x) = problem.wrt(wrt, t.clone()).unwrap();
        for (name, found) in hypergradients(&problem, &x, &outer) {
            let (exact, error) = (exact(wrt), distance(&found, &exact(wrt)));
            assert!(error <= 1e-10 * norm(&exact), "{}, {name}: {error:e} of {:e}", wrt.name(), norm(&exact));
        }
    }
}

/// f(z, x) = 1/2 ‖z‖² <x, x>: it depends on both.
struct Product;

impl<P: ?Sized> Outer<P> for Product {
    fn value(&self, _: &P, at: Point<'_>, _: &mut Ctx) -> f64 {
        0.5 * dot(at.z, at.z) * dot(at.x, at.x)
    }

    fn grad_z(&self, _: &P, at: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.fill(0.0);
        axpy(dot(at.x, at.x), at.z, out);
    }

    fn grad_x(&self, _: &P, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(scale * dot(at.z, at.z), at.x, out);
    }
}

#[test]
fn logistic_against_finite_differences() {
    let (validation, y) = (Glm::new(random::design(12, M, 4, 2), Logistic, 0.0).unwrap(), random::labels(12, 4));
    let held_out = HeldOut::new(&validation, &y).unwrap();
    for wrt in Wrt::ALL {
        let problem = Glm::new(random::design(N, M, 4, 1), Logistic, 0.5).unwrap();
        // Another D, or where D is x another penalty.
        let other = random::design(N, M, 4, if wrt == Wrt::Design { 1 } else { 8 });
        let (other, _) = Glm::new(other, Logistic, 0.7).unwrap().wrt(wrt, random::labels(N, 3)).unwrap();
        let discrepancy = Discrepancy::new(&other);
        let (problem, x) = problem.wrt(wrt, random::labels(N, 3)).unwrap();
        let linear = Linear(random::vector(M, 6));
        for outer in [&held_out as &dyn Outer<Glm<Logistic>>, &Product, &linear, &Envelope, &discrepancy] {
            check(&problem, &x, outer, wrt);
        }
    }
}

fn check(problem: &Glm<Logistic>, x: &[f64], outer: &dyn Outer<Glm<Logistic>>, wrt: Wrt) {
    let (dx, newton) = (random::vector(x.len(), 7), Newton::new(DenseCholesky::default()));
    let value = |h: f64| {
        let mut moved = x.to_vec();
        axpy(h, &dx, &mut moved);
        let solution = Solve::new(problem, &newton, &moved).stop(Stop::tolerance(1e-13).within(100)).run()?;
        Ok::<_, SolveError>(vec![outer.value(problem, solution.point(), &mut Ctx::new())])
    };
    let numeric = derivative(step(x), value).unwrap()[0];
    let solver = Nesterov::default();
    let stop = Stop::tolerance(1e-12).within(5000);
    let taped = Solve::new(problem, &solver, x).stop(stop).record(Tape::new()).run().unwrap();
    let g2 = taped.gradient_of(outer, &Automatic).unwrap().value;
    let g3 = taped.gradient_of(outer, &Implicit::new(Cg::default())).unwrap().value;
    for gradient in [g2, g3] {
        let error = (dot(&gradient, &dx) - numeric).abs();
        let scale = norm(&gradient) * norm(&dx);
        assert!(error <= 1e-6 * scale, "{}: {error:e} of {scale:e}", wrt.name());
    }
}

#[test]
fn parameters_of_the_wrong_length_are_refused() {
    let validation = Glm::new(random::design(12, M, 4, 2), Logistic, 0.0).unwrap();
    let error = HeldOut::new(&validation, &[1.0; 11]).unwrap_err();
    assert_eq!(error.to_string(), "the parameter of the outer function has length 11, expected 12");
}
