//! Problems of every loss, parameter and penalty.

use danskin::prelude::*;
use danskin::testing::random;

use super::suited;

/// Classes of losses that have them.
pub(crate) const CLASSES: usize = 3;

/// A problem, and an x that suits it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) problem: Box<dyn AssembleHessian>,
    pub(crate) x: Vec<f64>,
}

/// What cases are made of.
pub(crate) struct Table<'a> {
    pub(crate) design: &'a Design,
    pub(crate) lambda: f64,
    pub(crate) seed: u64,
    /// A number for each row, from which targets are made; random ones where there are none.
    pub(crate) labels: &'a [f64],
}

/// Every parameter x, with and without weights, groups and another penalty, for a loss.
pub(crate) struct Cases<'a>(pub(crate) &'a Table<'a>, pub(crate) LossName);

impl LossVisitor for Cases<'_> {
    type Output = Vec<Case>;

    fn visit<L: NamedLoss>(self, loss: L) -> Vec<Case> {
        let Self(Table { design, lambda, seed, labels }, name) = self;
        let (n, m, width) = (design.rows(), design.columns(), loss.width());
        let mut sized: Vec<f64> = random::vector(n * width, seed + 2).iter().map(|y| 3.0 * y).collect();
        for (row, label) in sized.chunks_exact_mut(width).zip(*labels) {
            row.iter_mut().enumerate().for_each(|(class, y)| *y = if class == 0 { *label } else { 0.1 * *y });
        }
        let targets = suited(sized, L::TARGETS, width);
        let weights: Vec<f64> = random::vector(n, seed + 3).iter().map(|w| (1.0 + w).max(0.1) - 0.1).collect();
        let groups: Vec<u32> = (0..m as u32).map(|column| column % 3).collect();
        let lambdas = vec![*lambda, 3.0 * lambda, 20.0 * lambda];
        let mut cases = Vec::new();
        for wrt in Wrt::ALL {
            let plain = || Glm::new((*design).clone(), loss, *lambda).unwrap();
            let grouped = plain().grouped(lambdas.clone(), groups.clone()).unwrap();
            let elastic = plain().penalised_by(SmoothElastic::new(0.7, 0.1).unwrap());
            let weighted = plain().weighted(weights.clone()).unwrap();
            let all = plain().weighted(weights.clone()).unwrap().grouped(lambdas.clone(), groups.clone()).unwrap();
            let all = all.penalised_by(SmoothElastic::new(0.3, 0.2).unwrap());
            let boxed: [(&str, Box<dyn AssembleHessian>, Vec<f64>); 5] = [
                with("plain", plain(), wrt, &targets),
                with("weighted", weighted, wrt, &targets),
                with("grouped", grouped, wrt, &targets),
                with("elastic", elastic, wrt, &targets),
                with("all", all, wrt, &targets),
            ];
            cases.extend(boxed.into_iter().map(|(label, problem, x)| Case {
                name: format!("{name} {label}, {}, lambda {lambda:e}, seed {seed}", wrt.name()),
                problem,
                x,
            }));
        }
        cases
    }
}

fn with<'a, L: NamedLoss, R: Penalty + 'static>(
    label: &'a str,
    problem: Glm<L, R>,
    wrt: Wrt,
    targets: &[f64],
) -> (&'a str, Box<dyn AssembleHessian>, Vec<f64>) {
    let (problem, x) = problem.wrt(wrt, targets.to_vec()).unwrap();
    (label, Box::new(problem), x)
}
