//! Whether a model fits into memory before it is loaded: a machine that swaps is worse than a clear
//! refusal. Reads Linux's own files; elsewhere it lets everything pass.

use super::super::InferenceError;

/// Kept free for the rest of the process and the key-value cache.
const MARGIN: u64 = 64 << 20;

/// # Errors
/// `Model` with both numbers when `needed` bytes are more than what is available.
pub(super) fn check(needed: u64) -> Result<(), InferenceError> {
    enough(needed, available())
}

fn enough(needed: u64, available: Option<u64>) -> Result<(), InferenceError> {
    let needed = needed.saturating_add(MARGIN);
    match available {
        Some(available) if available < needed => Err(InferenceError::Model(format!(
            "the model needs about {} MB of memory and {} MB are available: close other programs or choose a smaller model",
            needed >> 20,
            available >> 20
        ))),
        _ => Ok(()),
    }
}

/// The smaller of what the machine has left and what the control group has left.
fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(mem_available);
    let group = || {
        let max = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()?;
        let used = std::fs::read_to_string("/sys/fs/cgroup/memory.current")
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()?;
        Some(max.saturating_sub(used))
    };
    match (machine, group()) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_memory_is_read_from_meminfo() {
        let text = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    8192000 kB\n";
        assert_eq!(mem_available(text), Some(8_192_000 * 1024));
        assert_eq!(mem_available("MemFree: 3 kB\n"), None);
    }

    #[test]
    fn too_little_memory_is_refused_with_both_numbers() {
        let error = enough(1000 << 20, Some(500 << 20)).unwrap_err().to_string();
        assert!(error.contains("1064 MB") && error.contains("500 MB"), "{error}");
        assert!(enough(1000 << 20, Some(2000 << 20)).is_ok());
        assert!(enough(u64::MAX, None).is_ok());
    }
}
