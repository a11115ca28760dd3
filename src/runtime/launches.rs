//! What a plan costs on a GPU, by counting: launches, workgroups, barriers. Needs no device.
use crate::runtime::jobs;
use crate::runtime::plan::Plan;
use crate::runtime::tiling::Tiling;
use crate::runtime::wgsl;

/// Threads of a workgroup of the weight-gradient and update launches.
const STEP_THREADS: usize = 256;

/// One launch of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// `rows`, or the path of its shader.
    pub name: &'static str,
    /// Workgroups.
    pub groups: usize,
    /// Threads of a workgroup.
    pub threads: usize,
    /// Times it runs in a step or pass: once for each chunk of the rows.
    pub times: usize,
    /// Barriers between calls that one workgroup passes; kernels have more of their own.
    pub barriers: usize,
}

/// The launches that take `rows` rows through a plan whose slots hold `capacity` rows at a time, with this tiling of the row
/// launch; and the number of distinct (kernel, specialisation) pairs in the row program.
///
/// # Errors
/// A sentence naming the kernel whose template and specialisation do not fit.
pub fn launches(
    plan: &Plan,
    rows: usize,
    capacity: usize,
    tiling: Tiling,
) -> Result<(Vec<Launch>, usize), String> {
    let cases = wgsl::row_module(plan, tiling)?.cases;
    let chunks = rows.div_ceil(capacity.max(1)).max(1);
    let groups = rows.min(capacity).div_ceil(tiling.rows);
    let rows_launch =
        Launch { name: "rows", groups, threads: tiling.threads, times: chunks, barriers: plan.calls.len() };
    let mut all = vec![rows_launch];
    if !plan.grads.is_empty() {
        let grad_groups = jobs::grad_groups(&jobs::grad_records(plan));
        let update_groups = jobs::update_groups(&jobs::update_records(&plan.params, grad_groups - 1));
        let launch = |name, groups, times| Launch { name, groups, threads: STEP_THREADS, times, barriers: 0 };
        all.push(launch("optim/weight_grad", grad_groups, chunks));
        all.push(launch("optim/adamw", update_groups, 1));
    }
    Ok((all, cases))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::params::{Init, ParamTable};
    use crate::runtime::recorder::Recorder;
    use std::sync::Arc;

    #[test]
    fn a_step_is_three_launches_and_two_more_a_further_chunk() {
        let mut table = ParamTable::default();
        let w = table.matrix("w", 64, 64, Init::Constant(0.0));
        let mut r = Recorder::new();
        let (x, delta, meta) = (r.slot(64), r.slot(64), r.slot(4));
        r.product_gradient(x, delta, w);
        let plan = r.finish("train", Arc::new(table.clone()), meta);
        let (one, cases) = launches(&plan, 64, 64, Tiling::default()).unwrap();
        let counts = |all: &[Launch]| all.iter().map(|l| (l.groups, l.times)).collect::<Vec<_>>();
        // 64 x 64 floats are 2 x 2 tiles of 32, and a workgroup for the bookkeeping
        assert_eq!((counts(&one), cases), (vec![(8, 1), (5, 1), (4, 1)], 0));
        let (four, _) = launches(&plan, 200, 64, Tiling::default()).unwrap();
        assert_eq!(counts(&four), [(8, 4), (5, 4), (4, 1)]);
        let (other, _) = launches(&plan, 200, 64, Tiling { rows: 32, threads: 128 }).unwrap();
        assert_eq!((counts(&other), other[0].threads), (vec![(2, 4), (5, 4), (4, 1)], 128));
        let inference = Recorder::new().finish("sample", Arc::new(table), meta);
        assert_eq!(counts(&launches(&inference, 9, 64, Tiling::default()).unwrap().0), [(2, 1)]);
    }
}
