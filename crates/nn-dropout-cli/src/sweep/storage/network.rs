//! Whether a file lies on a network file system.

use std::path::Path;

/// The name of the network file system that a folder is on, if it is on one. Only Linux tells.
pub fn file_system(folder: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let kind = rustix::fs::statfs(folder).ok()?.f_type;
        // The type has another width on each architecture, and all are 32 bits.
        name(kind as u32)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        None
    }
}

/// The name of a file system by its number in Linux' `statfs(2)`, and in the sources of those outside the kernel.
#[cfg(target_os = "linux")]
fn name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => "SMB",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x5346_414F | 0x6B41_4653 => "AFS",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_number() {
        assert_eq!([0x6969, 0xFF53_4D42, 0xEF53].map(name), [Some("NFS"), Some("SMB"), None]);
        assert_eq!(file_system(Path::new("/proc")), None);
    }
}
