//! The device that a user names.

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, DeviceType};
use clap::ValueEnum;

use crate::io::guard::guard;
use crate::settings::DeviceName;

/// The first device of this name. It has to be one that the program was built for, and that the machine has.
pub fn open(name: DeviceName) -> Result<Device> {
    let word = word(name);
    let Some(kind) = kind(name) else {
        let known = DeviceName::value_variants().iter().filter(|name| kind(**name).is_some());
        let known: Vec<String> = known.map(|&name| self::word(name)).collect();
        bail!("--device {word} needs a program built with `--features {word}`, and this one has {}", known.join(", "))
    };
    // A backend may panic where its driver is missing.
    let first = guard(|| Ok(Device::enumerate(kind).into_iter().next())).ok().flatten();
    first.with_context(|| format!("--device {word}: this machine has no such device"))
}

/// The name as a user writes it.
fn word(name: DeviceName) -> String {
    name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What Burn calls the device, if the program was built for it.
fn kind(name: DeviceName) -> Option<DeviceType> {
    match name {
        DeviceName::Cpu => Some(DeviceType::Flex),
        #[cfg(feature = "cuda")]
        DeviceName::Cuda => Some(DeviceType::Cuda),
        #[cfg(feature = "metal")]
        DeviceName::Metal => Some(DeviceType::Metal),
        #[cfg(feature = "rocm")]
        DeviceName::Rocm => Some(DeviceType::Rocm),
        #[cfg(feature = "vulkan")]
        DeviceName::Vulkan => Some(DeviceType::Vulkan),
        #[cfg(feature = "wgpu")]
        DeviceName::Wgpu => Some(DeviceType::Wgpu),
        #[allow(unreachable_patterns, reason = "with all features there is no other")]
        _ => None,
    }
}
