//! The GPUs that tests run on.

use burn::tensor::{Device, DeviceType};

/// The devices that this build knows and this machine has.
pub fn devices() -> Vec<Device> {
    let types = [
        #[cfg(feature = "cuda")]
        DeviceType::Cuda,
        #[cfg(feature = "rocm")]
        DeviceType::Rocm,
        #[cfg(feature = "metal")]
        DeviceType::Metal,
        #[cfg(feature = "vulkan")]
        DeviceType::Vulkan,
    ];
    let mut devices: Vec<Device> = types.into_iter().flat_map(Device::enumerate).collect();
    #[cfg(feature = "wgpu")]
    if devices.is_empty() {
        devices.extend(Device::enumerate(DeviceType::Wgpu));
    }
    if devices.is_empty() {
        let required = std::env::var("NN_DROPOUT_GPU").is_ok_and(|gpu| gpu == "required");
        assert!(!required, "there is no GPU for this build's backends, and NN_DROPOUT_GPU=required");
        println!("skipped: there is no GPU for this build's backends");
    }
    devices
}
