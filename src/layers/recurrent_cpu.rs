//! The twins of `layers/recurrent_*`: for each time step one product over the tile's rows, then the gates.
use crate::layers::gemm::{Start, gemm};
use crate::layers::pool::counting;
use crate::layers::recurrent::RecurrentArgs;
use crate::math::loops::logistic;
use crate::runtime::kernel::Call;
use crate::runtime::tile::Tile;
use multiversion::multiversion;
use multiversion::target::target_cfg_f;

#[inline(always)]
fn tanh<const FUSED: bool>(x: f32) -> f32 {
    2.0 * logistic::<FUSED>(2.0 * x) - 1.0
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn lstm(gates: &mut [f32], c_before: &[f32], c: &mut [f32], h: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let n = h.len();
    let (i, rest) = gates.split_at_mut(n);
    let (f, rest) = rest.split_at_mut(n);
    let (g, o) = rest.split_at_mut(n);
    let (o, c, c_before) = (&mut o[..n], &mut c[..n], &c_before[..n]);
    for k in 0..n {
        i[k] = logistic::<FUSED>(i[k]);
        f[k] = logistic::<FUSED>(f[k]);
        g[k] = tanh::<FUSED>(g[k]);
        o[k] = logistic::<FUSED>(o[k]);
        c[k] = f[k] * c_before[k] + i[k] * g[k];
        h[k] = o[k] * tanh::<FUSED>(c[k]);
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn lstm_back(gates: &mut [f32], c_before: &[f32], c: &[f32], d_h: &[f32], d_c: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let n = d_h.len();
    let (i, rest) = gates.split_at_mut(n);
    let (f, rest) = rest.split_at_mut(n);
    let (g, o) = rest.split_at_mut(n);
    let (o, c, c_before, d_c) = (&mut o[..n], &c[..n], &c_before[..n], &mut d_c[..n]);
    for k in 0..n {
        let t = tanh::<FUSED>(c[k]);
        let d = d_c[k] + d_h[k] * o[k] * (1.0 - t * t);
        d_c[k] = d * f[k];
        o[k] = d_h[k] * t * o[k] * (1.0 - o[k]);
        let (di, dg) = (d * g[k] * i[k] * (1.0 - i[k]), d * i[k] * (1.0 - g[k] * g[k]));
        f[k] = d * c_before[k] * f[k] * (1.0 - f[k]);
        i[k] = di;
        g[k] = dg;
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn gru(gates: &mut [f32], inner: &[f32], h_before: &[f32], h: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let n = h.len();
    let (r, rest) = gates.split_at_mut(n);
    let (z, m) = rest.split_at_mut(n);
    let (m, inner, h_before) = (&mut m[..n], &inner[..3 * n], &h_before[..n]);
    for k in 0..n {
        r[k] = logistic::<FUSED>(r[k] + inner[k]);
        z[k] = logistic::<FUSED>(z[k] + inner[n + k]);
        m[k] = tanh::<FUSED>(m[k] + r[k] * inner[2 * n + k]);
        h[k] = m[k] + z[k] * (h_before[k] - m[k]);
    }
}

/// `d_h` becomes the share of the gradient by the state before that does not pass through the products.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn gru_back(gates: &mut [f32], inner: &mut [f32], h_before: &[f32], d_h: &mut [f32]) {
    let n = d_h.len();
    let (r, rest) = gates.split_at_mut(n);
    let (z, m) = rest.split_at_mut(n);
    let (m, inner, h_before) = (&mut m[..n], &mut inner[..3 * n], &h_before[..n]);
    for k in 0..n {
        let d_m = d_h[k] * (1.0 - z[k]) * (1.0 - m[k] * m[k]);
        let d_z = d_h[k] * (h_before[k] - m[k]) * z[k] * (1.0 - z[k]);
        let d_r = d_m * inner[2 * n + k] * r[k] * (1.0 - r[k]);
        d_h[k] *= z[k];
        inner[2 * n + k] = d_m * r[k];
        inner[n + k] = d_z;
        inner[k] = d_r;
        r[k] = d_r;
        z[k] = d_z;
        m[k] = d_m;
    }
}

struct Sizes {
    items: usize,
    h: usize,
    j: usize,
    is_lstm: bool,
    reverse: bool,
}

fn sizes(a: &RecurrentArgs, call: &Call) -> Sizes {
    let (h, gates) = (call.spec.get("H"), call.spec.get("GATES"));
    let reverse = call.spec.get("REVERSE") == 1;
    Sizes { items: a.items as usize, h, j: gates * h, is_lstm: gates == 4, reverse }
}

impl Sizes {
    /// Items in the order in which the cell meets them.
    fn order(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (n, reverse) = (self.items, self.reverse);
        (0..n).map(move |t| if reverse { n - 1 - t } else { t })
    }
    /// The item met before item t; none at the beginning.
    fn before(&self, t: usize) -> Option<usize> {
        if self.reverse { (t + 1 < self.items).then_some(t + 1) } else { t.checked_sub(1) }
    }
}

pub(super) fn forward_cpu(tile: &Tile, call: &Call) {
    let a: RecurrentArgs = call.args();
    let s = sizes(&a, call);
    let (n, h, j) = (s.items, s.h, s.j);
    let count = tile.read(a.count, 4);
    let counts: Vec<usize> = (0..tile.rows).map(|r| counting(count[4 * r], n, a.shrink as usize)).collect();
    let weight = tile.param(a.weight, h * j);
    let gates = tile.write(a.gates, n * j);
    let out = tile.write(a.h, n * h);
    let last = tile.write(a.last, h);
    let extra: &mut [f32] = match s.is_lstm {
        true => tile.write(a.c, n * h),
        false => tile.write(a.inner, n * 3 * h),
    };
    let bias: &[f32] = if s.is_lstm { &[] } else { tile.param(a.bias, 3 * h) };
    let zeros = vec![0.0; h];
    last.fill(0.0);
    for t in s.order() {
        if counts.iter().all(|&c| t >= c) {
            // Nobody is there any more: what later calls read must be 0.
            for r in 0..tile.rows {
                out[(r * n + t) * h..][..h].fill(0.0);
                gates[(r * n + t) * j..][..j].fill(0.0);
                let e = extra.len() / tile.rows / n;
                extra[(r * n + t) * e..][..e].fill(0.0);
            }
            continue;
        }
        let before = s.before(t);
        // The outputs of items that do not count are 0, and so is the first state.
        if s.is_lstm {
            if let Some(b) = before {
                gemm(
                    tile.rows,
                    j,
                    h,
                    &out[b * h..],
                    n * h,
                    1,
                    weight,
                    j,
                    &mut gates[t * j..],
                    n * j,
                    Start::Add,
                );
            }
        } else {
            (0..tile.rows).for_each(|r| extra[(r * n + t) * j..][..j].copy_from_slice(bias));
            if let Some(b) = before {
                gemm(
                    tile.rows,
                    j,
                    h,
                    &out[b * h..],
                    n * h,
                    1,
                    weight,
                    j,
                    &mut extra[t * j..],
                    n * j,
                    Start::Add,
                );
            }
        }
        for (r, &c) in counts.iter().enumerate() {
            let at = r * n + t;
            let gates = &mut gates[at * j..][..j];
            if t >= c {
                out[at * h..][..h].fill(0.0);
                gates.fill(0.0);
                let e = if s.is_lstm { h } else { j };
                extra[at * e..][..e].fill(0.0);
                continue;
            }
            let (was, now) = pair(out, r * n, before, t, h, &zeros);
            if s.is_lstm {
                let (c_before, c) = pair(extra, r * n, before, t, h, &zeros);
                lstm(gates, c_before, c, now);
            } else {
                gru(gates, &extra[at * j..][..j], was, now);
            }
            last[r * h..(r + 1) * h].copy_from_slice(now);
        }
    }
}

/// The vector of an item to write, and that of the item before it.
fn pair<'a>(
    all: &'a mut [f32],
    first: usize,
    before: Option<usize>,
    t: usize,
    h: usize,
    zeros: &'a [f32],
) -> (&'a [f32], &'a mut [f32]) {
    let at = (first + t) * h;
    match before {
        None => (zeros, &mut all[at..at + h]),
        Some(b) if b < t => {
            let (low, high) = all.split_at_mut(at);
            (&low[(first + b) * h..][..h], &mut high[..h])
        }
        Some(b) => {
            let (low, high) = all.split_at_mut((first + b) * h);
            (&high[..h], &mut low[at..at + h])
        }
    }
}

pub(super) fn backward_cpu(tile: &Tile, call: &Call) {
    let a: RecurrentArgs = call.args();
    let s = sizes(&a, call);
    let (n, h, j) = (s.items, s.h, s.j);
    let count = tile.read(a.count, 4);
    let counts: Vec<usize> = (0..tile.rows).map(|r| counting(count[4 * r], n, a.shrink as usize)).collect();
    let weight = tile.param(a.weight, h * j);
    let gates = tile.write(a.gates, n * j);
    let out = tile.read(a.h, n * h);
    let sequence = (call.spec.get("SEQUENCE") == 1).then(|| tile.read(a.d_h, n * h));
    let work = tile.write(a.work, 2 * h);
    let (cells, mut inner): (&[f32], Option<&mut [f32]>) = match s.is_lstm {
        true => (tile.read(a.c, n * h), None),
        false => (&[], Some(tile.write(a.inner, n * 3 * h))),
    };
    work.fill(0.0);
    if call.spec.get("LAST") == 1 {
        let d_last = tile.read(a.d_last, h);
        (0..tile.rows).for_each(|r| work[2 * r * h..][..h].copy_from_slice(&d_last[r * h..(r + 1) * h]));
    }
    let zeros = vec![0.0; h];
    for t in s.order().rev() {
        let before = s.before(t);
        let mut active = 0;
        for (r, &c) in counts.iter().enumerate().filter(|(_, c)| t < **c) {
            active += 1;
            let at = r * n + t;
            let (d_h, d_c) = work[2 * r * h..][..2 * h].split_at_mut(h);
            if let Some(d) = sequence {
                d_h.iter_mut().zip(&d[at * h..][..h]).for_each(|(a, b)| *a += b);
            }
            // The item before counts, or it is the one past the end, which is 0.
            let of = |all| before.filter(|b| *b < c).map_or(&zeros[..], |b| item(all, r * n + b, h));
            let gates = &mut gates[at * j..][..j];
            match &mut inner {
                None => {
                    lstm_back(gates, of(cells), item(cells, at, h), d_h, d_c);
                    d_h.fill(0.0);
                }
                Some(inner) => gru_back(gates, &mut inner[at * j..][..j], of(out), d_h),
            }
        }
        let delta = inner.as_deref().unwrap_or(gates);
        if before.is_none() || active == 0 {
            continue;
        }
        if active == tile.rows {
            gemm(tile.rows, h, j, &delta[t * j..], n * j, 1, weight, h, work, 2 * h, Start::Add);
        } else {
            for (r, _) in counts.iter().enumerate().filter(|(_, c)| t < **c) {
                let to = &mut work[2 * r * h..][..h];
                gemm(1, h, j, &delta[(r * n + t) * j..], j, 1, weight, h, to, h, Start::Add);
            }
        }
    }
}

fn item(all: &[f32], at: usize, h: usize) -> &[f32] {
    &all[at * h..(at + 1) * h]
}
