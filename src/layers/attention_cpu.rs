//! The twins of `layers/attention_*`: products of one head of one row.
use crate::layers::attention::AttentionArgs;
use crate::layers::gemm::{Start, gemm};
use crate::layers::pool::counting;
use crate::math::exp_;
use crate::runtime::kernel::Call;
use crate::runtime::params::pad4;
use crate::runtime::tile::Tile;
use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<[Vec<f32>; 2]> = const { RefCell::new([vec![], vec![]]) };
}

/// Columns `first .. first + e` of the items, transposed: `(e, stride)`.
fn transpose(x: &[f32], width: usize, first: usize, e: usize, n: usize, stride: usize, to: &mut Vec<f32>) {
    to.clear();
    to.resize(e * stride, 0.0);
    for (i, item) in x.chunks_exact(width).take(n).enumerate() {
        (0..e).for_each(|c| to[c * stride + i] = item[first + c]);
    }
}

pub(super) fn forward_cpu(tile: &Tile, call: &Call) {
    let a: AttentionArgs = call.args();
    let (width, heads, e) = (call.spec.get("WIDTH"), call.spec.get("HEADS"), call.spec.get("E"));
    let (m, n) = (a.queries as usize, a.keys as usize);
    let stride = pad4(n);
    let (q, k, v) = (tile.read(a.q, m * width), tile.read(a.k, n * width), tile.read(a.v, n * width));
    let (y, p) = (tile.write(a.y, m * width), tile.write(a.p, heads * m * stride));
    let count = tile.read(a.count, 4);
    let scale = 1.0 / (e as f32).sqrt();
    SCRATCH.with_borrow_mut(|[turned, _]| {
        for r in 0..tile.rows {
            let here = counting(count[4 * r], n, a.shrink as usize);
            let (q, k, v) = (&q[r * m * width..], &k[r * n * width..], &v[r * n * width..]);
            let y = &mut y[r * m * width..][..m * width];
            for head in 0..heads {
                let p = &mut p[(r * heads + head) * m * stride..][..m * stride];
                let at = head * e;
                p.fill(0.0);
                if here == 0 {
                    y.chunks_exact_mut(width).for_each(|y| y[at..at + e].fill(0.0));
                    continue;
                }
                transpose(k, width, at, e, here, stride, turned);
                gemm(m, here, e, &q[at..], width, 1, turned, stride, p, stride, Start::Zero);
                for p in p.chunks_exact_mut(stride) {
                    let largest = p[..here].iter().fold(f32::MIN, |m, &s| m.max(s));
                    let mut sum = 0.0;
                    for s in &mut p[..here] {
                        *s = exp_((*s - largest) * scale);
                        sum += *s;
                    }
                    let part = 1.0 / sum;
                    p[..here].iter_mut().for_each(|s| *s *= part);
                }
                gemm(m, e, here, p, stride, 1, &v[at..], width, &mut y[at..], width, Start::Zero);
            }
        }
    });
}

pub(super) fn backward_cpu(tile: &Tile, call: &Call) {
    let a: AttentionArgs = call.args();
    let (width, heads, e) = (call.spec.get("WIDTH"), call.spec.get("HEADS"), call.spec.get("E"));
    let (m, n) = (a.queries as usize, a.keys as usize);
    let stride = pad4(n);
    let (q, k, v) = (tile.read(a.q, m * width), tile.read(a.k, n * width), tile.read(a.v, n * width));
    let (d_y, p) = (tile.read(a.y, m * width), tile.write(a.p, heads * m * stride));
    let (d_q, d_k, d_v) =
        (tile.write(a.d_q, m * width), tile.write(a.d_k, n * width), tile.write(a.d_v, n * width));
    let count = tile.read(a.count, 4);
    let scale = 1.0 / (e as f32).sqrt();
    d_q.fill(0.0);
    d_k.fill(0.0);
    d_v.fill(0.0);
    SCRATCH.with_borrow_mut(|[turned, d_p]| {
        for r in 0..tile.rows {
            let here = counting(count[4 * r], n, a.shrink as usize);
            if here == 0 {
                continue;
            }
            let (q, k, v) = (&q[r * m * width..], &k[r * n * width..], &v[r * n * width..]);
            let d_y = &d_y[r * m * width..];
            let (d_q, d_k, d_v) =
                (&mut d_q[r * m * width..], &mut d_k[r * n * width..], &mut d_v[r * n * width..]);
            for head in 0..heads {
                let p = &mut p[(r * heads + head) * m * stride..][..m * stride];
                let at = head * e;
                gemm(here, e, m, p, 1, stride, &d_y[at..], width, &mut d_v[at..], width, Start::Zero);
                transpose(v, width, at, e, here, stride, turned);
                d_p.clear();
                d_p.resize(m * stride, 0.0);
                gemm(m, here, e, &d_y[at..], width, 1, turned, stride, d_p, stride, Start::Zero);
                for (p, d) in p.chunks_exact_mut(stride).zip(d_p.chunks_exact(stride)) {
                    let dot: f32 = p[..here].iter().zip(d).map(|(p, d)| p * d).sum();
                    p[..here].iter_mut().zip(d).for_each(|(p, d)| *p *= (d - dot) * scale);
                }
                gemm(m, e, here, p, stride, 1, &k[at..], width, &mut d_q[at..], width, Start::Zero);
                gemm(here, e, m, p, 1, stride, &q[at..], width, &mut d_k[at..], width, Start::Zero);
            }
        }
    });
}
