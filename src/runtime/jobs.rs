//! Work lists of the two launches that end a step: which workgroup forms or updates which part of which parameter.
use crate::runtime::params::ParamTable;
use crate::runtime::plan::{GradJob, Plan};

/// Kinds of `shaders/optim/weight_grad.wgsl`.
mod kind {
    pub const TILE32: u32 = 0;
    pub const SUMS: u32 = 1;
    pub const ALONG_J: u32 = 2;
    pub const ALONG_K: u32 = 3;
    pub const META: u32 = 4;
}
/// Quads along a side of a square tile.
const TILE_QUADS: u32 = 8;
/// Quads along a strip.
const STRIP_QUADS: u32 = 32;
/// A matrix with at most so many quads along one side is cut into strips: a square would be mostly empty.
const THIN: u32 = 3;
/// Words of a record of a gradient: what it is, then where the items of a row stand.
pub const GRAD_WORDS: usize = 20;
/// Words of a record of an update.
const UPDATE_WORDS: usize = 8;
/// Floats of a vector that one workgroup updates.
const FLAT: usize = 1024;
/// Rows and columns of a matrix that one workgroup updates.
const SIDE: usize = 32;

/// Records of `optim/weight_grad`, one a workgroup; the last ends the step's bookkeeping and has no partial norm.
pub fn grad_records(plan: &Plan) -> Vec<u32> {
    let mut records = vec![];
    for job in &plan.grads {
        grad_job(job, &mut records);
    }
    records.extend([0, 0, plan.meta.at, 1, 0, 0, 0, kind::META]);
    records.resize(records.len().next_multiple_of(GRAD_WORDS), 0);
    records
}

fn grad_job(job: &GradJob, records: &mut Vec<u32>) {
    let (delta, j) = (job.delta.at, job.j / 4);
    let (x, k) = job.x.map_or((0, 1), |x| (x.at, job.k.div_ceil(4)));
    let [x_row, d_row] = [job.x.map_or(0, |x| x.width), job.delta.width].map(|w| w / 4);
    let (xv, dv) = (job.x_view, job.delta_view);
    let items = [x_row, d_row, job.items[0], job.items[1]];
    let views = [xv.first, xv.outer, xv.inner, dv.first, dv.outer, dv.inner].map(|floats| floats / 4);
    let mut push = |k0: u32, j0: u32, kind: u32| {
        records.extend([x, k, delta, j, job.at / 4, k0, j0, kind]);
        records.extend(items);
        records.extend(views);
        records.extend([0, 0]);
    };
    let every = |n: u32, by: u32| (0..n).step_by(by as usize);
    if job.x.is_none() {
        every(j, STRIP_QUADS).for_each(|j0| push(0, j0, kind::SUMS));
    } else if k <= THIN {
        every(j, STRIP_QUADS).for_each(|j0| (0..k).for_each(|k0| push(k0, j0, kind::ALONG_J)));
    } else if j <= THIN {
        every(k, STRIP_QUADS).for_each(|k0| (0..j).for_each(|j0| push(k0, j0, kind::ALONG_K)));
    } else {
        every(k, TILE_QUADS).for_each(|k0| every(j, TILE_QUADS).for_each(|j0| push(k0, j0, kind::TILE32)));
    }
}

/// Records of `optim/adamw`: a header, then one a workgroup. `n_norm`: partial norms.
pub fn update_records(table: &ParamTable, n_norm: usize) -> Vec<u32> {
    let mut records = vec![n_norm as u32, table.len as u32, 0, 0, 0, 0, 0, 0];
    let mut vectors: Option<(usize, usize)> = None;
    for p in &table.entries {
        if !p.matrix {
            // Vectors that stand side by side are one range.
            let begin = match vectors {
                Some((begin, end)) if end == p.at => begin,
                other => {
                    flat(other, &mut records);
                    p.at
                }
            };
            vectors = Some((begin, p.at + p.stored()));
            continue;
        }
        let (rows, cols) = (p.stored_rows(), p.stride());
        for row0 in (0..rows).step_by(SIDE) {
            for col0 in (0..cols).step_by(SIDE) {
                records.extend([1, p.at, rows, cols, row0, col0, 0, 0].map(|v: usize| v as u32));
            }
        }
    }
    flat(vectors, &mut records);
    records
}

fn flat(range: Option<(usize, usize)>, records: &mut Vec<u32>) {
    let Some((begin, end)) = range else { return };
    for at in (begin..end).step_by(FLAT) {
        records.extend([0, at, 0, 0, 0, 0, end, 0].map(|v: usize| v as u32));
    }
}

/// Workgroups of [`grad_records`].
pub fn grad_groups(records: &[u32]) -> usize {
    records.len() / GRAD_WORDS
}
/// Workgroups of [`update_records`].
pub fn update_groups(records: &[u32]) -> usize {
    records.len() / UPDATE_WORDS - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::params::Init;
    use crate::runtime::recorder::Recorder;
    use std::sync::Arc;

    /// Every element of every parameter is formed once and updated once.
    #[test]
    fn records_cover_each_element_once() {
        let mut table = ParamTable::default();
        let mut r = Recorder::new();
        for (rows, cols) in [(3, 5), (128, 128), (70, 8), (12, 300), (40, 16), (4, 132), (16, 4)] {
            let w = table.matrix("w", rows, cols, Init::Constant(0.0));
            let b = table.vector("b", cols, Init::Constant(0.0));
            let (x, delta) = (r.slot(rows), r.slot(cols));
            r.product_gradient(x, delta, w);
            r.sum_gradient(delta, b);
        }
        let v = table.vector("v", 5000, Init::Constant(0.0));
        let (delta, meta) = (r.slot(5000), r.slot(4));
        r.sum_gradient(delta, v);
        let plan = r.finish("test", Arc::new(table.clone()), meta);

        let mut formed = vec![0; table.len];
        let records = grad_records(&plan);
        for w in records.chunks_exact(GRAD_WORDS) {
            let (k, j) = (w[1], w[3]);
            let (dk, dj) = [(8, 8), (1, 32), (1, 32), (32, 1), (0, 0)][w[7] as usize];
            for kq in w[5]..(w[5] + dk).min(k) {
                for jq in w[6]..(w[6] + dj).min(j) {
                    for row in 0..if w[7] == kind::SUMS { 1 } else { 4 } {
                        let at = 4 * (w[4] + (4 * kq + row) * j + jq) as usize;
                        formed[at..at + 4].iter_mut().for_each(|n| *n += 1);
                    }
                }
            }
        }
        assert!(formed.iter().all(|&n| n == 1));
        let last = &records[records.len() - GRAD_WORDS..];
        assert_eq!((last[2], last[7]), (plan.meta.at, kind::META));

        let (mut updated, mut imaged) = (vec![0; table.len], vec![0; table.len]);
        let records = update_records(&table, 17);
        assert_eq!(records[..2], [17, table.len as u32]);
        for w in records[8..].chunks_exact(8) {
            let w: Vec<usize> = w.iter().map(|&v| v as usize).collect();
            if w[0] == 0 {
                updated[w[1]..(w[1] + FLAT).min(w[6])].iter_mut().for_each(|n| *n += 1);
                continue;
            }
            for row in w[4]..(w[4] + SIDE).min(w[2]) {
                for col in w[5]..(w[5] + SIDE).min(w[3]) {
                    updated[w[1] + row * w[3] + col] += 1;
                    imaged[w[1] + col * w[2] + row] += 1;
                }
            }
        }
        assert!(updated.iter().all(|&n| n == 1));
        for p in &table.entries {
            let want = i32::from(p.matrix);
            assert!(imaged[p.at..p.at + p.stored()].iter().all(|&n| n == want), "{}", p.name);
        }
    }
}
