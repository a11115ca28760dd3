//! On what a record was taken: device, driver, versions, commit; and memory of this process.
use serde::{Deserialize, Serialize};

use crate::runtime::Device;

/// The machine and the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the device that worked, driver included.
    pub device: String,
    /// The processor.
    pub cpu: String,
    /// Threads that work.
    pub threads: usize,
    /// Best instruction set that the kernels use here.
    pub simd: String,
    /// Operating system and architecture.
    pub system: String,
    /// This program's version.
    pub couplet: String,
    /// Commit it was built from: variable `COUPLET_COMMIT` at build time or now; may be empty.
    pub commit: String,
}

impl Machine {
    /// This machine and this program.
    pub fn here(device: &Device) -> Self {
        let cpu = processor();
        Self {
            device: match device {
                Device::Cpu => cpu.clone(),
                Device::Gpu(gpu) => gpu.info.to_string(),
            },
            cpu,
            threads: rayon::current_num_threads(),
            simd: simd().into(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            couplet: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("COUPLET_COMMIT")
                .map(String::from)
                .or_else(|| std::env::var("COUPLET_COMMIT").ok())
                .unwrap_or_default(),
        }
    }
    /// One line for people.
    pub fn line(&self) -> String {
        let at = if self.commit.is_empty() { String::new() } else { format!(", commit {}", self.commit) };
        format!("{}, {} threads, {}, couplet {}{at}", self.device, self.threads, self.simd, self.couplet)
    }
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split(": ").nth(1));
    name.map_or_else(|| format!("{} CPU", std::env::consts::ARCH), |n| n.trim().into())
}

fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    if cfg!(target_arch = "aarch64") { "NEON" } else { "portable" }
}

/// Most resident memory of this process so far, bytes (`VmHWM`); none where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    memory_line(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn memory_line(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Lets [`peak_memory`] begin anew at what is resident now, where the system allows it (Linux does).
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described_and_memory_is_read() {
        let m = Machine::here(&Device::Cpu);
        assert!(m.device == m.cpu && !m.cpu.is_empty() && m.threads > 0 && !m.system.is_empty());
        assert!(m.line().contains(&m.couplet), "{}", m.line());
        assert_eq!(memory_line("VmPeak:\t 9 kB\nVmHWM:\t    1234 kB\nVmRSS: 5 kB"), Some(1234 * 1024));
        assert_eq!(memory_line("VmRSS: 5 kB"), None);
        assert_eq!(memory_line("VmHWM: much"), None);
        if cfg!(target_os = "linux") {
            assert!(peak_memory().is_some_and(|b| b > 1 << 20));
        }
    }
}
