//! Threefry-2x32 with 20 rounds, JAX's counter-based generator.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// By how many bits each of eight rounds rotates; then they start again.
pub const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

/// The key's words, and a third one that depends on both.
pub const fn key_schedule([k0, k1]: [u32; 2]) -> [u32; 3] {
    [k0, k1, k0 ^ k1 ^ 0x1BD1_1BDA]
}

/// The two random words of one counter under one key.
pub fn threefry2x32(counter: [u32; 2], key: [u32; 2]) -> [u32; 2] {
    let schedule = key_schedule(key);
    let mut x0 = counter[0].wrapping_add(schedule[0]);
    let mut x1 = counter[1].wrapping_add(schedule[1]);
    for four in 0..5 {
        for rotation in ROTATIONS[four % 2] {
            x0 = x0.wrapping_add(x1);
            x1 = x1.rotate_left(rotation) ^ x0;
        }
        x0 = x0.wrapping_add(schedule[(four + 1) % 3]);
        x1 = x1.wrapping_add(schedule[(four + 2) % 3]).wrapping_add(four as u32 + 1);
    }
    [x0, x1]
}

#[cfg(test)]
mod tests {
    use super::threefry2x32;

    /// The known answers that come with Random123, the authors' own implementation.
    #[test]
    fn gives_the_published_words() {
        assert_eq!(threefry2x32([0; 2], [0; 2]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        let pi = threefry2x32([0x243f_6a88, 0x85a3_08d3], [0x1319_8a2e, 0x0370_7344]);
        assert_eq!(pi, [0xc492_3a9c, 0x483d_f7a0]);
    }
}
