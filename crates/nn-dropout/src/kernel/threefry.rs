//! JAX's bits: Threefry-2x32 as plain loops over many lanes, of which the compiler makes vector instructions.

use super::LANES;
use crate::spec::threefry::{JaxMask, ROTATIONS, key_schedule};

/// Draws `8 * count` bits from number `8 * first` on, and a few more.
#[inline(always)]
pub fn jax_bits(mask: &JaxMask, first: u64, count: usize, bits: &mut [u8]) {
    let (schedule, threshold) = (key_schedule(mask.key.data()), mask.threshold());
    for done in (0..count).step_by(LANES / 8) {
        let index = first.wrapping_add(done as u64).wrapping_mul(8);
        let (mut x0, mut x1) = ([0_u32; LANES], [0_u32; LANES]);
        for i in 0..LANES {
            let index = index.wrapping_add(i as u64);
            x0[i] = ((index >> 32) as u32).wrapping_add(schedule[0]);
            x1[i] = (index as u32).wrapping_add(schedule[1]);
        }
        for four in 0..5 {
            for rotation in ROTATIONS[four % 2] {
                for i in 0..LANES {
                    x0[i] = x0[i].wrapping_add(x1[i]);
                    x1[i] = x1[i].rotate_left(rotation) ^ x0[i];
                }
            }
            for i in 0..LANES {
                x0[i] = x0[i].wrapping_add(schedule[(four + 1) % 3]);
                x1[i] = x1[i].wrapping_add(schedule[(four + 2) % 3]).wrapping_add(four as u32 + 1);
            }
        }
        let mut kept = 0;
        for i in 0..LANES {
            kept |= u64::from((x0[i] ^ x1[i]) >> 9 < threshold) << i;
        }
        bits[done..done + LANES / 8].copy_from_slice(&kept.to_le_bytes());
    }
}
