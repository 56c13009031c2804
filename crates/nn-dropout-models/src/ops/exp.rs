//! The exponential function from additions and multiplications alone: the same on every instruction set, and many at once.

/// The exponential function of a number that is not positive, within 3e-7 of the result.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding this number rounds to an integer, which is in the last bits of the sum then.
    const ROUND: f32 = 12_582_912.0;
    // Their sum is -ln 2. The first has so few bits that its products with integers are exact.
    const LN_2: [f32; 2] = [-0.693_359_4, 2.121_944_4e-4];
    const SERIES: [f32; 6] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    // Not `max`, which would lose a NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    let whole = rounded - ROUND;
    let rest = (x + whole * LN_2[0]) + whole * LN_2[1];
    power * (1.0 + rest * SERIES.into_iter().fold(0.0, |sum, factor| sum * rest + factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_exponential_function() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let right = f64::from(x).exp();
            assert!((f64::from(exp(x)) / right - 1.0).abs() < 3e-7, "{x}: {} {right}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
        assert!(exp(f32::NAN).is_nan());
    }
}
