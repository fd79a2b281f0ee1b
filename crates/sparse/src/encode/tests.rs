use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

/// Numbers in [-1, 1) that look random.
fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A problem with weights of its own for each atom.
#[derive(Clone, Debug)]
struct Case {
    n: usize,
    m: usize,
    design: Vec<f64>,
    lambda: Vec<f64>,
    mu: Vec<f64>,
    nonnegative: bool,
    signals: Vec<f64>,
}

impl Case {
    fn random(seed: u64, [n, m, count]: [usize; 3]) -> Self {
        let lambda = numbers(seed + 1, m).into_iter().map(|v| 0.1 + 0.05 * v).collect();
        let [design, signals] = [numbers(seed + 2, n * m), numbers(seed + 3, count * n)];
        Self { n, m, design, lambda, mu: vec![0.0; m], nonnegative: false, signals }
    }

    fn count(&self) -> usize {
        self.signals.len() / self.n
    }

    fn dense(&self) -> Design {
        Design::dense(self.n, self.m, self.design.clone()).unwrap()
    }

    fn sparse(&self) -> Design {
        let at = |k: usize| (k / self.m, k % self.m, self.design[k]);
        let entries: Vec<_> = (0..self.design.len()).map(at).filter(|entry| entry.2 != 0.0).collect();
        Design::from_triplets(self.n, self.m, &entries).unwrap()
    }

    fn penalties(&self) -> Penalties {
        let penalties = Penalties::l1_per_atom(self.lambda.clone()).ridge_per_atom(self.mu.clone());
        if self.nonnegative { penalties.nonnegative() } else { penalties }
    }

    fn encoder(&self, design: Design, form: Form) -> Encoder {
        Encoder::new(design, &self.penalties()).unwrap().form(form)
    }

    fn encode(&self, form: Form) -> (Vec<f64>, Encoded) {
        let mut codes = vec![f64::NAN; self.count() * self.m];
        let encoder = self.encoder(self.dense(), form);
        let encoded = encoder.encode(&self.signals, &mut codes, &mut Ctx::new()).unwrap();
        (codes, encoded)
    }

    fn signal(&self, k: usize) -> &[f64] {
        &self.signals[k * self.n..][..self.n]
    }

    /// u - D z.
    fn residual(&self, u: &[f64], z: &[f64]) -> Vec<f64> {
        (0..self.n).map(|i| u[i] - (0..self.m).map(|j| self.design[i * self.m + j] * z[j]).sum::<f64>()).collect()
    }

    /// D^T r - mu z.
    fn correlations(&self, u: &[f64], z: &[f64]) -> Vec<f64> {
        let r = self.residual(u, z);
        let along = |j: usize| (0..self.n).map(|i| self.design[i * self.m + j] * r[i]).sum::<f64>();
        (0..self.m).map(|j| along(j) - self.mu[j] * z[j]).collect()
    }

    fn value(&self, u: &[f64], z: &[f64]) -> f64 {
        let r = self.residual(u, z);
        let penalty = |j: usize| self.lambda[j] * z[j].abs() + 0.5 * self.mu[j] * z[j] * z[j];
        0.5 * r.iter().map(|r| r * r).sum::<f64>() + (0..self.m).map(penalty).sum::<f64>()
    }

    /// Cyclic coordinate descent on the residual, by the definition.
    fn reference(&self, u: &[f64], sweeps: usize) -> Vec<f64> {
        let (mut z, mut r) = (vec![0.0; self.m], u.to_vec());
        for _ in 0..sweeps {
            for (j, z) in z.iter_mut().enumerate() {
                let column = || (0..self.n).map(|i| self.design[i * self.m + j]);
                let square: f64 = column().map(|d| d * d).sum();
                if square == 0.0 {
                    continue;
                }
                let v = column().zip(&r).map(|(d, r)| d * r).sum::<f64>() + square * *z;
                let floor = if self.nonnegative { 0.0 } else { f64::NEG_INFINITY };
                let new = v.signum() * (v.abs() - self.lambda[j]).max(0.0) / (square + self.mu[j]);
                let new = new.max(floor);
                r.iter_mut().zip(column()).for_each(|(r, d)| *r -= (new - *z) * d);
                *z = new;
            }
        }
        z
    }

    /// That codes are optimal, each condition but for `allowed`, and that what was said of their gaps is true.
    fn check(&self, codes: &[f64], encoded: &Encoded, allowed: f64) {
        assert!(encoded.all_converged(), "{encoded:?}");
        assert_eq!(encoded.gaps.len(), self.count());
        for (k, z) in codes.chunks_exact(self.m).enumerate() {
            let u = self.signal(k);
            assert!(encoded.gaps[k] <= 0.5e-8 * u.iter().map(|u| u * u).sum::<f64>());
            for (j, q) in self.correlations(u, z).into_iter().enumerate() {
                assert!(!self.nonnegative || z[j] >= 0.0, "z_{j} of signal {k} is {}", z[j]);
                let wrong = match z[j] {
                    0.0 if self.nonnegative => q - self.lambda[j],
                    0.0 => q.abs() - self.lambda[j],
                    z => (q - self.lambda[j] * z.signum()).abs(),
                };
                assert!(wrong <= allowed, "signal {k}, atom {j}: z {}, q {q}, lambda {}", z[j], self.lambda[j]);
            }
        }
    }
}

/// The cases that every form is checked on.
fn cases() -> Vec<(&'static str, Case)> {
    let mut cases = Vec::new();
    for (seed, shape) in [[20, 30, 70], [30, 12, 3], [5, 100, 5], [64, 33, 2], [1, 1, 3]].into_iter().enumerate() {
        cases.push(("plain", Case::random(seed as u64, shape)));
    }
    let case = Case::random(7, [15, 40, 9]);
    cases.push(("elastic net", Case { mu: numbers(8, 40).iter().map(|v| 0.3 + 0.2 * v).collect(), ..case.clone() }));
    cases.push(("nonnegative", Case { nonnegative: true, ..case.clone() }));
    cases.push(("nonnegative elastic net", Case { mu: vec![0.2; 40], nonnegative: true, ..case.clone() }));
    let mut twins = case.clone();
    twins.lambda = vec![0.1; 40];
    for row in twins.design.chunks_exact_mut(40) {
        for j in 0..20 {
            // The second twin points the other way, and a few are 0.
            row[j + 20] = if j < 15 { -row[j] } else { 0.0 };
        }
    }
    cases.push(("duplicate atoms", twins.clone()));
    cases.push(("duplicate atoms and a ridge", Case { mu: vec![0.1; 40], ..twins }));
    let mut halves = case.clone();
    // Each atom of the second half is the sum of two of the first: any of them may be replaced.
    for row in halves.design.chunks_exact_mut(40) {
        for j in 0..20 {
            row[j + 20] = row[j] + row[(j + 1) % 20];
        }
    }
    cases.push(("sums of atoms", halves));
    let mut silent = case;
    silent.signals[15..30].fill(0.0);
    cases.push(("a signal of zeros", silent));
    cases
}

#[test]
fn codes_are_optimal_in_either_form() {
    for (name, case) in cases() {
        for form in [Form::Gram, Form::WorkingSets] {
            println!("{name} {form:?}");
            let (codes, encoded) = case.encode(form);
            assert_eq!(encoded.form, form);
            // A gap of 0.5e-8 ‖u‖² leaves conditions open by its root; most signals end at rounding.
            case.check(&codes, &encoded, 1e-3);
            let far = codes.chunks_exact(case.m).enumerate().filter(|(k, z)| {
                let q = case.correlations(case.signal(*k), z);
                (0..case.m).any(|j| z[j] != 0.0 && (q[j] - case.lambda[j] * z[j].signum()).abs() > 1e-10)
            });
            assert_eq!(far.count(), 0, "S is solved for exactly");
        }
    }
}

#[test]
fn the_value_is_that_of_plain_coordinate_descent() {
    for (name, case) in cases() {
        let (codes, encoded) = case.encode(Form::Gram);
        for (k, z) in codes.chunks_exact(case.m).enumerate().take(5) {
            let u = case.signal(k);
            let (found, reference) = (case.value(u, z), case.value(u, &case.reference(u, 5000)));
            assert!(found <= reference + encoded.gaps[k] + 1e-13, "{name}, {k}: {found} {reference}");
            // The reference has not quite ended where atoms depend on each other.
            assert!(reference <= found + 1e-9, "{name}, {k}: {found} {reference}");
        }
    }
}

#[test]
fn a_gap_bounds_what_is_left_on_the_way() {
    for (name, case) in cases() {
        let (best, _) = case.encode(Form::Gram);
        for form in [Form::Gram, Form::WorkingSets] {
            let encoder = case.encoder(case.dense(), form).tolerance(0.1).unwrap();
            let mut codes = vec![0.0; best.len()];
            let encoded = encoder.encode(&case.signals, &mut codes, &mut Ctx::new()).unwrap();
            for k in 0..case.count() {
                let [found, best] = [&codes, &best].map(|z| case.value(case.signal(k), &z[k * case.m..][..case.m]));
                assert!(found - best <= encoded.gaps[k] + 1e-13, "{name}, {k}: {found} {best} {}", encoded.gaps[k]);
                // And is no worse a bound than that of z = 0, by which the loosest tolerance is met.
                assert!(encoded.gaps[k] <= 0.05 * case.signal(k).iter().map(|u| u * u).sum::<f64>());
            }
        }
    }
}

#[test]
fn a_sparse_design_gives_the_codes_of_a_dense_one() {
    for (name, mut case) in cases() {
        case.design.iter_mut().enumerate().for_each(|(k, d)| *d = if k % 3 == 0 { 0.0 } else { *d });
        for form in [Form::Gram, Form::WorkingSets] {
            let mut codes = vec![0.0; case.count() * case.m];
            let encoder = case.encoder(case.sparse(), form);
            let encoded = encoder.encode(&case.signals, &mut codes, &mut Ctx::new()).unwrap();
            case.check(&codes, &encoded, 1e-3);
            let dense = case.encode(form).0;
            for k in 0..case.count() {
                let [a, b] = [&codes, &dense].map(|z| case.value(case.signal(k), &z[k * case.m..][..case.m]));
                assert!((a - b).abs() < 1e-7, "{name} {k}: {a} {b}");
            }
        }
    }
}

#[test]
fn sparse_codes_are_the_dense_ones_and_start_what_they_are_given_to() {
    for (name, case) in cases() {
        for form in [Form::Gram, Form::WorkingSets] {
            let encoder = case.encoder(case.dense(), form);
            let (sparse, encoded) = encoder.encode_sparse(&case.signals, None, &mut Ctx::new()).unwrap();
            assert!(encoded.all_converged());
            let mut written = vec![0.0; case.count() * case.m];
            for k in 0..sparse.signals() {
                assert!(sparse.code(k).map(|(j, _)| j).is_sorted_by(|a, b| a < b));
                sparse.code(k).for_each(|(j, z)| written[k * case.m + j] = z);
            }
            assert_eq!(written, case.encode(form).0, "{name}");
            assert_eq!(sparse.values.iter().filter(|z| **z == 0.0).count(), 0);
            let (again, encoded) = encoder.encode_sparse(&case.signals, Some(&sparse), &mut Ctx::new()).unwrap();
            assert_eq!((encoded.steps, again.signals()), (0, case.count()), "{name}: nothing is left to enter");
            let mut from = written.clone();
            let from_dense = encoder.encode_from(&case.signals, &mut from, &mut Ctx::new()).unwrap();
            assert_eq!((from_dense.steps, from_dense.all_converged()), (0, true));
        }
    }
}

#[test]
fn every_start_ends_at_the_same_minimum() {
    for (name, case) in cases() {
        let best = case.encode(Form::Gram).0;
        for (seed, form) in [(1, Form::Gram), (2, Form::WorkingSets), (3, Form::Gram)] {
            let mut codes = numbers(seed, best.len());
            // Dense, sparse and mostly wrong in sign.
            codes.iter_mut().enumerate().filter(|(k, _)| seed > 1 && k % 4 > 0).for_each(|(_, z)| *z = 0.0);
            let encoder = case.encoder(case.dense(), form);
            let encoded = encoder.encode_from(&case.signals, &mut codes, &mut Ctx::new()).unwrap();
            case.check(&codes, &encoded, 1e-3);
            for k in 0..case.count() {
                let [found, best] = [&codes, &best].map(|z| case.value(case.signal(k), &z[k * case.m..][..case.m]));
                assert!((found - best).abs() <= 1e-7, "{name} {k}: {found} {best}");
            }
        }
    }
}

/// A start that is optimal but for its sign is left.
#[test]
fn a_start_below_zero_is_left_where_codes_are_not() {
    let signals = vec![-2.0];
    let case = Case { nonnegative: true, design: vec![1.0], lambda: vec![0.5], signals, ..Case::random(1, [1, 1, 1]) };
    for form in [Form::Gram, Form::WorkingSets] {
        let mut codes = [-1.5];
        let encoder = case.encoder(case.dense(), form);
        let encoded = encoder.encode_from(&case.signals, &mut codes, &mut Ctx::new()).unwrap();
        assert_eq!((codes, encoded.gaps), ([0.0], vec![0.0]));
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (_, mut case) in cases() {
        case.signals = numbers(5, 150 * case.n);
        for form in [Form::Gram, Form::WorkingSets] {
            let by = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (codes, encoded) = pool.install(|| case.encode(form));
                let bits = |numbers: &[f64]| numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                (bits(&codes), bits(&encoded.gaps), encoded.steps)
            };
            let one = by(1);
            assert!(one == by(2) && one == by(3));
        }
    }
}

#[test]
fn lambda_from_its_largest_has_codes_of_zero() {
    let case = Case::random(3, [10, 20, 6]);
    for k in 0..case.count() {
        let most = case.correlations(case.signal(k), &[0.0; 20]).iter().fold(0.0, |most: f64, q| most.max(q.abs()));
        for (scale, used) in [(1.0 + 1e-12, false), (0.99, true)] {
            let encoder = Encoder::new(case.dense(), &Penalties::l1(scale * most)).unwrap();
            let mut codes = [7.0; 20];
            let encoded = encoder.encode(case.signal(k), &mut codes, &mut Ctx::new()).unwrap();
            assert_eq!(codes.iter().any(|z| *z != 0.0), used, "{scale}");
            assert!(encoded.all_converged() && (used || encoded.gaps == [0.0]), "{encoded:?}");
        }
    }
}

/// Without lambda it is least squares, or a ridge: the normal equations hold.
#[test]
fn lambda_may_be_zero() {
    for (shape, mu) in [([30, 8, 5], 0.0), ([8, 30, 5], 0.3), ([8, 30, 5], 0.0), ([30, 8, 5], 1.0)] {
        let case = Case { lambda: vec![0.0; shape[1]], mu: vec![mu; shape[1]], ..Case::random(11, shape) };
        for form in [Form::Gram, Form::WorkingSets] {
            let (codes, encoded) = case.encode(form);
            assert!(encoded.all_converged(), "{shape:?} {mu} {form:?} {encoded:?}");
            for (k, z) in codes.chunks_exact(case.m).enumerate() {
                for q in case.correlations(case.signal(k), z) {
                    // The root of the gap, where some atoms depend on others and not all enter.
                    assert!(q.abs() < 1e-3, "{shape:?} {mu} {form:?}: {q}");
                }
            }
        }
    }
    let case = Case { lambda: vec![0.0; 8], nonnegative: true, ..Case::random(12, [30, 8, 5]) };
    let (codes, encoded) = case.encode(Form::Gram);
    case.check(&codes, &encoded, 1e-8);
}

#[test]
fn nothing_to_do_is_done() {
    let penalties = Penalties::l1(1.0);
    let mut ctx = Ctx::new();
    let of = |n, m| Encoder::new(Design::dense(n, m, vec![0.5; n * m]).unwrap(), &penalties).unwrap();
    for form in [Form::Auto, Form::Gram, Form::WorkingSets] {
        let mut codes = [3.0; 4];
        let encoded = of(0, 2).form(form).encode(&[], &mut codes, &mut ctx).unwrap();
        assert_eq!((codes, encoded.gaps.len(), encoded.all_converged()), ([0.0; 4], 2, true));
        let encoded = of(2, 0).form(form).encode(&[1.0; 6], &mut [], &mut ctx).unwrap();
        assert_eq!(encoded.gaps, [0.0; 3]);
        let encoded = of(2, 3).form(form).encode(&[], &mut [], &mut ctx).unwrap();
        assert_eq!((encoded.gaps.len(), encoded.max_gap(), encoded.total_gap()), (0, 0.0, 0.0));
        assert_eq!(of(0, 0).form(form).encode(&[], &mut [], &mut ctx).unwrap().gaps.len(), 0);
        let (codes, encoded) = of(2, 0).form(form).encode_sparse(&[1.0; 6], None, &mut ctx).unwrap();
        assert_eq!((codes.signals(), codes.values.len(), encoded.gaps.len()), (3, 0, 3));
        let (codes, _) = of(2, 3).form(form).encode_sparse(&[], None, &mut ctx).unwrap();
        assert_eq!(codes.signals(), 0);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let design = || Design::dense(2, 3, vec![1.0; 6]).unwrap();
    let refused = |penalties: Penalties| Encoder::new(design(), &penalties).unwrap_err().to_string();
    assert_eq!(refused(Penalties::l1(-1.0)), "lambda of atom 0 (from 0) is -1, expected a finite number of at least 0");
    let of = |lambda: &[f64]| refused(Penalties::l1_per_atom(lambda.to_vec()));
    assert_eq!(of(&[1.0, 0.0, f64::NAN]), "lambda of atom 2 (from 0) is NaN, expected a finite number of at least 0");
    assert_eq!(of(&[1.0]), "1 numbers in lambda, expected 3");
    let infinite = Penalties::l1(1.0).ridge(f64::INFINITY);
    assert_eq!(refused(infinite), "mu of atom 0 (from 0) is inf, expected a finite number of at least 0");

    let encoder = || Encoder::new(design(), &Penalties::l1(0.1)).unwrap();
    let error = encoder().tolerance(f64::NAN).unwrap_err();
    assert_eq!(error.to_string(), "a tolerance of NaN, expected a finite number of at least 0");
    let (encoder, mut ctx) = (encoder(), Ctx::new());
    let mut codes = [5.0; 6];
    let error = encoder.encode(&[1.0, 2.0, 3.0, f64::NAN], &mut codes, &mut ctx).unwrap_err();
    assert_eq!(error.to_string(), "feature 1 of signal 1 (both from 0) is NaN, expected a finite number");
    assert_eq!(codes, [5.0; 6]);
    let error = encoder.encode(&[1.0, 2.0, 3.0], &mut codes, &mut ctx).unwrap_err();
    assert_eq!(error.to_string(), "3 numbers in the signals, expected 2");
    let error = encoder.encode(&[1.0, 2.0], &mut codes, &mut ctx).unwrap_err();
    assert_eq!(error.to_string(), "6 numbers in the codes, expected 3");
    codes[4] = f64::INFINITY;
    let error = encoder.encode_from(&[1.0; 4], &mut codes, &mut ctx).unwrap_err();
    assert_eq!(error.to_string(), "atom 1 of code 1 (both from 0) starts at inf, expected a finite number");
    let start = SparseCodes { atoms: 3, pointers: vec![0, 1], indices: vec![3], values: vec![1.0] };
    assert!(encoder.encode_sparse(&[1.0; 2], Some(&start), &mut ctx).is_err());
    let start = SparseCodes { pointers: vec![1, 0], ..start };
    assert!(encoder.encode_sparse(&[1.0; 2], Some(&start), &mut ctx).is_err());
}

/// Numbers whose squares overflow, or vanish, end and are not said to have converged where they have not.
#[test]
fn every_scale_ends() {
    let case = Case::random(2, [6, 9, 2]);
    for scale in [1e-310, 1e-160, 1e-20, 1e20, 1e160, 1e308] {
        let signals: Vec<f64> = case.signals.iter().map(|u| u * scale).collect();
        for form in [Form::Gram, Form::WorkingSets] {
            let encoder = Encoder::new(case.dense(), &Penalties::l1(0.1 * scale)).unwrap().form(form).sweeps(20);
            let mut codes = vec![0.0; 18];
            let encoded = encoder.encode(&signals, &mut codes, &mut Ctx::new()).unwrap();
            if (1e-100..1e100).contains(&scale) {
                assert!(encoded.all_converged(), "{scale:e} {form:?} {encoded:?}");
            }
            for (k, gap) in encoded.gaps.iter().enumerate().filter(|_| scale > 1e100) {
                assert!(encoded.not_converged == 2, "{scale:e} {form:?} {k} {gap}");
            }
        }
    }
}

#[test]
fn whoever_watches_may_end_it() {
    let case = Case::random(4, [8, 12, 1000]);
    for form in [Form::Gram, Form::WorkingSets] {
        let mut ctx = Ctx::watched(Box::new(|tick| {
            assert_eq!((tick.phase, tick.total), (Phase::Solve, 1000));
            if tick.done >= 200 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }));
        let mut codes = vec![9.0; 12_000];
        let encoded = case.encoder(case.dense(), form).encode(&case.signals, &mut codes, &mut ctx).unwrap();
        let left = encoded.gaps.iter().filter(|gap| gap.is_infinite()).count();
        assert!(left > 500 && left == encoded.not_reached && encoded.not_converged == 0, "{left}");
        for (code, gap) in codes.chunks_exact(12).zip(&encoded.gaps) {
            assert_eq!(code == [9.0; 12], gap.is_infinite());
        }
    }
}

/// Where the inverse may not be kept, sweeps over all atoms get there.
#[test]
fn sweeps_alone_reach_the_minimum() {
    for (name, case) in cases().into_iter().filter(|(name, _)| !name.contains("sums")) {
        let atoms = Atoms::new(case.dense());
        let (gram, blocks) = (atoms.gram(&case.mu), case.m.div_ceil(PAD));
        let mut linear = vec![[0.0; PAD]; case.count() * blocks];
        atoms.correlate(&case.signals, blocks, &mut linear);
        let checked = Checked::new(&case.penalties(), &atoms.squares).unwrap();
        let best = case.encode(Form::Gram).0;
        for k in 0..case.count().min(5) {
            let square: f64 = case.signal(k).iter().map(|u| u * u).sum();
            let mut raised = Raised::default();
            let bounds = checked.bounds(square.sqrt(), &mut raised);
            let problem = Quadratic {
                gram: &gram,
                linear: &linear[k * blocks..][..blocks],
                lambda: bounds.lambda,
                inverse: bounds.inverse,
                nonnegative: case.nonnegative,
                square,
                target: 0.5e-8 * square,
                sweeps: 20_000,
            };
            let mut active = Active::default();
            active.correlations = problem.linear.to_vec();
            let nothing = Ended { gap: f64::INFINITY, converged: false, steps: 0, sweeps: 0 };
            let ended = sweep::solve(&mut active, &problem, nothing);
            assert!(ended.converged, "{name} {k}: {ended:?}");
            let [found, best] =
                [&active.dense[..], &best[k * case.m..][..case.m]].map(|z| case.value(case.signal(k), z));
            assert!((found - best).abs() <= ended.gap + 1e-8 * square, "{name} {k}: {found} {best}");
        }
    }
}

/// Gram form pays from about m / 6 signals, within its memory.
#[test]
fn the_form_is_found_by_counting() {
    let of = |n, m| Encoder::new(Design::dense(n, m, vec![1.0; n * m]).unwrap(), &Penalties::l1(1.0)).unwrap();
    assert_eq!([9, 10].map(|signals| of(7, 60).form_of(signals)), [Form::WorkingSets, Form::Gram]);
    assert_eq!(of(7, 60).gram_bytes(8 * 60 * 64).form_of(100), Form::Gram);
    assert_eq!(of(7, 60).gram_bytes(8 * 60 * 64 - 1).form_of(100), Form::WorkingSets);
}

proptest! {
    /// Small integers make ties, duplicates and dependent atoms of every kind.
    #[test]
    fn codes_of_small_integers_are_optimal(
        (n, m, design, signals) in (1_usize..6, 1_usize..12).prop_flat_map(|(n, m)| {
            let [design, signals] = [n * m, n * 3].map(|len| prop::collection::vec(-2_i32..3, len));
            (Just(n), Just(m), design, signals)
        }),
        lambda in prop::sample::select(vec![0.5, 1.0, 2.0, 0.1]),
        mu in prop::sample::select(vec![0.0, 0.0, 1.0]),
        nonnegative: bool,
        start in prop::collection::vec(-2_i32..3, 36),
    ) {
        let [design, signals] = [design, signals].map(|numbers| numbers.into_iter().map(f64::from).collect());
        let case = Case { n, m, design, lambda: vec![lambda; m], mu: vec![mu; m], nonnegative, signals };
        for form in [Form::Gram, Form::WorkingSets] {
            let (codes, encoded) = case.encode(form);
            case.check(&codes, &encoded, 1e-3);
            prop_assert_eq!(encoded.sweeps, 0, "the active set gets there by itself");
            let mut codes: Vec<f64> = start[..3 * m].iter().map(|z| f64::from(*z)).collect();
            let encoder = case.encoder(case.dense(), form);
            let encoded = encoder.encode_from(&case.signals, &mut codes, &mut Ctx::new()).unwrap();
            case.check(&codes, &encoded, 1e-3);
        }
    }
}
