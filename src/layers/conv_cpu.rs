//! The twins of `layers/conv_*`: matrix products over windows, which lie in the slot as overlapping rows.
use crate::layers::conv::{ConvArgs, ItemShape};
use crate::layers::gemm::{Start, gemm};
use crate::runtime::kernel::{Call, Spec};
use crate::runtime::tile::Tile;

fn shape(a: &ConvArgs, spec: &Spec) -> ItemShape {
    let pair = |h: &str, w: &str| [spec.get(h), spec.get(w)];
    ItemShape {
        size: [a.height as usize, a.width as usize],
        kernel: pair("KH", "KW"),
        stride: pair("SH", "SW"),
        pad: pair("PH", "PW"),
    }
}

/// Writes or adds what the product is added to; whether there is anything.
fn begin(tile: &Tile, a: &ConvArgs, spec: &Spec, y: &mut [f32], items: usize, j: usize) -> bool {
    let add = spec.get("ADD") == 1;
    let (fixed, rows) = match spec.get("BIAS") {
        1 => (Some(tile.param(a.bias, j)), None),
        2 => (None, Some(tile.read(a.bias, j))),
        _ => return add,
    };
    for (r, row) in y.chunks_exact_mut(items * j).enumerate() {
        let bias = fixed.or(rows.map(|rows| &rows[r * j..(r + 1) * j])).unwrap_or(&[]);
        for item in row.chunks_exact_mut(j) {
            if add {
                item.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            } else {
                item.copy_from_slice(bias);
            }
        }
    }
    true
}

pub(super) fn forward_cpu(tile: &Tile, call: &Call) {
    let a: ConvArgs = call.args();
    let (p, j, s) = (call.spec.get("P"), call.spec.get("J"), shape(&a, &call.spec));
    let (items, out_items) = (s.items(), s.out_items());
    let weight = tile.param(a.weight, s.taps() * p * j);
    let x = tile.read(a.x, items * p);
    let y = tile.write(a.y, out_items * j);
    let add = call.spec.get("ADD") == 1;
    if s.taps() == 1 && s.stride == [1, 1] && !add {
        match call.spec.get("BIAS") {
            2 => {
                let rows = tile.read(a.bias, j);
                for (r, row) in rows.chunks_exact(j).enumerate() {
                    let (x, y) = (&x[r * items * p..], &mut y[r * items * j..]);
                    gemm(items, j, p, x, p, 1, weight, j, y, j, Start::Row(row));
                }
            }
            1 => {
                let start = Start::Row(tile.param(a.bias, j));
                gemm(tile.rows * items, j, p, x, p, 1, weight, j, y, j, start);
            }
            _ => gemm(tile.rows * items, j, p, x, p, 1, weight, j, y, j, Start::Zero),
        }
        return;
    }
    let add = begin(tile, &a, &call.spec, y, out_items, j);
    if s.taps() == 1 && s.stride == [1, 1] {
        return gemm(tile.rows * items, j, p, x, p, 1, weight, j, y, j, Start::Add);
    }
    if !add {
        y.fill(0.0);
    }
    let ([_, width], [_, out_width], [kh, kw], [_, sw], [_, pw]) =
        (s.size, s.out(), s.kernel, s.stride, s.pad);
    // Windows that lie inside the row: the last tap's first to the first tap's last.
    let (all_from, all_to) = (s.inside(1, 0).0, s.inside(1, kw - 1).1);
    for (x, y) in x.chunks_exact(items * p).zip(y.chunks_exact_mut(out_items * j)) {
        for ky in 0..kh {
            let (y0, y1) = s.inside(0, ky);
            for oy in y0..y1 {
                let input = &x[(oy * s.stride[0] + ky - s.pad[0]) * width * p..][..width * p];
                let output = &mut y[oy * out_width * j..][..out_width * j];
                let mut part = |from: usize, to: usize, t0: usize, t1: usize| {
                    let first = from * sw + t0 - pw;
                    let w = &weight[(ky * kw + t0) * p * j..];
                    let (m, k) = (to - from, (t1 - t0) * p);
                    gemm(
                        m,
                        j,
                        k,
                        &input[first * p..],
                        sw * p,
                        1,
                        w,
                        j,
                        &mut output[from * j..],
                        j,
                        Start::Add,
                    );
                };
                if all_from < all_to {
                    part(all_from, all_to, 0, kw);
                }
                let edges = (0..all_from.min(out_width)).chain(all_to.max(all_from)..out_width);
                for o in edges {
                    let t0 = pw.saturating_sub(o * sw);
                    let t1 = kw.min((width + pw).saturating_sub(o * sw));
                    if t0 < t1 {
                        part(o, o + 1, t0, t1);
                    }
                }
            }
        }
    }
}

pub(super) fn backward_cpu(tile: &Tile, call: &Call) {
    let a: ConvArgs = call.args();
    let (p, j, s) = (call.spec.get("P"), call.spec.get("J"), shape(&a, &call.spec));
    let (items, out_items, taps) = (s.items(), s.out_items(), s.taps());
    let weight = tile.param(a.weight, taps * p * j);
    let delta = tile.read(a.y, out_items * j);
    let d_x = tile.write(a.x, items * p);
    if call.spec.get("ADD") == 0 {
        d_x.fill(0.0);
    }
    let ([_, width], [_, out_width], [_, kw], [sh, sw], [ph, pw]) =
        (s.size, s.out(), s.kernel, s.stride, s.pad);
    for (d_x, delta) in d_x.chunks_exact_mut(items * p).zip(delta.chunks_exact(out_items * j)) {
        for t in 0..taps {
            let (ky, kx) = (t / kw, t % kw);
            let ((y0, y1), (x0, x1)) = (s.inside(0, ky), s.inside(1, kx));
            if x0 == x1 {
                continue;
            }
            for oy in y0..y1 {
                let to = ((oy * sh + ky - ph) * width + x0 * sw + kx - pw) * p;
                let from = (oy * out_width + x0) * j;
                let (w, c) = (&weight[t * p..], &mut d_x[to..]);
                gemm(x1 - x0, p, j, &delta[from..], j, 1, w, taps * p, c, sw * p, Start::Add);
            }
        }
    }
}
