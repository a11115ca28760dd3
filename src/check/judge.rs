//! Compares what a device left in the slots with what the twin left there.

/// Allowed difference, absolute.
pub const ABS: f32 = 1e-5;
/// Allowed difference, relative to the larger of the two.
pub const REL: f32 = 2e-5;

/// Of so many results of a kernel that works in place, one may be what was there before.
pub const CHANCE: usize = 1000;

/// The element that is off the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// Its difference, as a part of what is allowed; at most 1.
    pub error: f32,
    /// Its place among all floats of the slots.
    pub at: usize,
    /// The twin's value.
    pub cpu: f32,
    /// The device's value.
    pub gpu: f32,
}

/// Judges the slots after a kernel. `cpu_before`, `cpu`: the twin's slots before and after; `gpu_before`, `gpu`: the
/// device's. Elements the twin changed must agree within the tolerance, `slack` times the usual one; all others must keep
/// their bits. But for every 1000 (`CHANCE`) elements changed, one may be found within the tolerance of what it was: what the twin
/// computed for it happened to be that.
///
/// # Errors
/// A sentence about the first element that is wrong. NaN is wrong.
pub fn judge(
    cpu_before: &[f32],
    cpu: &[f32],
    gpu_before: &[f32],
    gpu: &[f32],
    slack: f32,
) -> Result<Worst, String> {
    let n = cpu_before.len();
    if [cpu.len(), gpu_before.len(), gpu.len()] != [n; 3] {
        return Err(format!(
            "expected {n} floats, found {}, {} and {}",
            cpu.len(),
            gpu_before.len(),
            gpu.len()
        ));
    }
    let changed = cpu.iter().zip(cpu_before).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    if changed == 0 {
        return Err("the twin changes nothing, so there is nothing to compare".into());
    }
    let mut worst = Worst { error: 0.0, at: 0, cpu: 0.0, gpu: 0.0 };
    let mut by_chance = changed / CHANCE;
    for at in 0..n {
        let (want, got) = (cpu[at], gpu[at]);
        let error = (want - got).abs() / (slack * (ABS + REL * want.abs().max(got.abs())));
        if want.to_bits() == cpu_before[at].to_bits() {
            if got.to_bits() != gpu_before[at].to_bits() {
                if error <= 1.0 && by_chance > 0 {
                    by_chance -= 1;
                    continue;
                }
                return Err(format!(
                    "float {at}: expected it untouched at {:e}, found {got:e}",
                    gpu_before[at]
                ));
            }
            continue;
        }
        // NaN counts as wrong
        if error.is_nan() || error > 1.0 {
            return Err(format!("float {at}: expected {want:e}, found {got:e}"));
        }
        if error > worst.error {
            worst = Worst { error, at, cpu: want, gpu: got };
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Floats 2 and 3 of 6 are the kernel's; the device begins with other values there.
    fn case() -> [Vec<f32>; 4] {
        let before = vec![0.5, -0.25, 1.0, 2.0, 3.0, -4.0];
        let mut after = before.clone();
        (after[2], after[3]) = (100.0, 0.0);
        let mut device = before.clone();
        (device[2], device[3]) = (1e7, 1e7);
        let mut result = device.clone();
        (result[2], result[3]) = (100.0005, -5e-6);
        [before, after, device, result]
    }
    fn judged(change: impl FnOnce(&mut [f32])) -> Result<Worst, String> {
        let [before, after, device, mut result] = case();
        change(&mut result);
        judge(&before, &after, &device, &result, 1.0)
    }

    #[test]
    fn what_agrees_passes_and_the_worst_is_named() {
        let w = judged(|_| {}).unwrap();
        assert_eq!((w.at, w.cpu), (3, 0.0));
        assert!(w.error > 0.4 && w.error < 0.6);
    }
    #[test]
    fn one_of_many_results_may_be_what_was_there() {
        let before: Vec<f32> = (0..2000).map(|i| i as f32 + 1.0).collect();
        let mut after: Vec<f32> = before.iter().map(|x| -x).collect();
        after[7] = before[7];
        let mut result = after.clone();
        result[7] *= 1.0 + 1e-6;
        let judged = |result: &[f32]| judge(&before, &after, &before, result, 1.0);
        assert!(judged(&result).is_ok());
        // but not by more than rounding, nor many
        result[7] *= 1.001;
        assert!(judged(&result).unwrap_err().contains("float 7: expected it untouched"));
        let (mut after, mut result) = (after.clone(), after.clone());
        for i in 10..12 {
            (after[i], result[i]) = (before[i], before[i] * (1.0 + 1e-6));
        }
        result[7] = before[7];
        assert!(judge(&before, &after, &before, &result, 1.0).unwrap_err().contains("float 11"));
    }
    #[test]
    fn sabotage_is_seen() {
        let fails = |change: fn(&mut [f32]), what: &str| {
            let e = judged(change).unwrap_err();
            assert!(e.contains(what), "{e}");
        };
        fails(|r| r[2] = f32::NAN, "expected 1e2, found NaN");
        fails(|r| r[2] = f32::INFINITY, "found inf");
        fails(|r| r[2] = 100.01, "float 2: expected 1e2");
        fails(|r| r[3] = 1e7, "float 3: expected 0e0, found 1e7"); // not written
        fails(|r| r[0] = 0.5000001, "float 0: expected it untouched");
        assert!(judge(&[1.0], &[1.0], &[1.0], &[1.0], 1.0).is_err(), "a check of nothing");
        fails(|r| r[5] = f32::NAN, "float 5: expected it untouched"); // a guard
        let [before, after, device, result] = case();
        assert!(judge(&before, &after, &device, &result[..5], 1.0).is_err());
    }
}
