//! Several vectors at once, one after another in memory, as right-hand sides and solutions are.

use danskin_core::ctx::Ctx;
use danskin_core::linear::Hessian;
use danskin_core::problem::Problem;

/// Right-hand sides that are solved together: so many numbers of a latent variable fill a line of cache, and one pass over D serves
/// them all.
pub(crate) const TOGETHER: usize = 8;

/// `out = L_zz V`, V and `out` m x k by columns.
pub(crate) fn multiply<P: Problem + ?Sized>(hessian: Hessian<'_, P>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
    let m = hessian.problem.latent_len();
    if v.len() == m {
        return hessian.apply(v, out, ctx);
    }
    let columns = v.len() / m.max(1);
    let (mut interleaved, mut image) = (ctx.take(v.len()), ctx.take(v.len()));
    for (k, v) in v.chunks_exact(m).enumerate() {
        interleaved.iter_mut().skip(k).step_by(columns).zip(v).for_each(|(to, from)| *to = *from);
    }
    hessian.problem.hess_columns(hessian.at, columns, &interleaved, &mut image, ctx);
    for (k, out) in out.chunks_exact_mut(m).enumerate() {
        out.iter_mut().zip(image.iter().skip(k).step_by(columns)).for_each(|(to, from)| *to = *from);
    }
    ctx.give(image);
    ctx.give(interleaved);
}

/// The power of two by which a vector is divided to be of a size of about 1, so that neither a product nor a residual under- or
/// overflows, and nothing is rounded.
pub(crate) fn power_of_two(size: f64) -> f64 {
    if size > 0.0 { 2.0_f64.powi(size.log2().floor().clamp(-1000.0, 1000.0) as i32) } else { 1.0 }
}

/// `v *= scale`; `false` where that rounds, the numbers being so small: `unit`, which was v, is then what v stands for.
pub(crate) fn is_exact(v: &mut [f64], scale: f64, unit: &mut [f64]) -> bool {
    v.iter_mut().for_each(|v| *v *= scale);
    if v.iter().zip(&*unit).all(|(v, unit)| v / scale == *unit || v.is_infinite()) {
        return true;
    }
    unit.iter_mut().zip(v).for_each(|(unit, v)| *unit = *v / scale);
    false
}
