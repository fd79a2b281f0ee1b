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
