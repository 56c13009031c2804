//! Contenders take turns, and each gets one number from its times.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;

use crate::memory::Buffers;

/// Takes part in a comparison. Of several with the same name only the fastest counts.
pub struct Contender<'a, T> {
    who: &'static str,
    time: Box<Timer<'a, T>>,
}

/// Makes this many calls and returns how many seconds they took together.
type Timer<'a, T> = dyn FnMut(&mut Buffers<T>, u32) -> Result<f64> + Send + 'a;

impl<'a, T> Contender<'a, T> {
    /// A contender whose calls are timed here, including the time to drop what each returns.
    pub fn new<R>(who: &'static str, mut call: impl FnMut(&mut Buffers<T>) -> Result<R> + Send + 'a) -> Self {
        Self::timed_elsewhere(who, move |buffers, calls| {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(call(black_box(buffers))?);
            }
            Ok(start.elapsed().as_secs_f64())
        })
    }

    /// A contender that times itself.
    pub fn timed_elsewhere(
        who: &'static str,
        time: impl FnMut(&mut Buffers<T>, u32) -> Result<f64> + Send + 'a,
    ) -> Self {
        Self { who, time: Box::new(time) }
    }
}

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Effort {
    /// How often each contender's turn comes.
    rounds: usize,
    /// How many seconds a turn should take; one call if that takes longer.
    turn: f64,
}

impl Effort {
    pub const FULL: Self = Self { rounds: 21, turn: 0.003 };
    pub const QUICK: Self = Self { rounds: 9, turn: 0.002 };
    /// For calls that take a tenth of a second, and differ little.
    pub const STEPS: Self = Self { rounds: 41, turn: 0.2 };
    /// How many turns even the slowest contender gets.
    const MIN_TURNS: usize = 3;

    /// The seconds after which a contender whose calls take longer than a turn sits out the other rounds.
    fn patience(self) -> f64 {
        2.0 * self.turn * self.rounds as f64
    }
}

/// A contender's result.
pub struct Measured {
    pub who: &'static str,
    /// The seconds of one call.
    pub seconds: f64,
}

/// Lets all `contenders` take turns.
pub fn measure<T>(contenders: &mut [Contender<T>], buffers: &mut Buffers<T>, effort: Effort) -> Result<Vec<Measured>> {
    let calls =
        contenders.iter_mut().map(|each| calls_in_turn(each, buffers, effort.turn)).collect::<Result<Vec<u32>>>()?;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for _ in 0..effort.rounds {
        for ((contender, &calls), times) in contenders.iter_mut().zip(&calls).zip(&mut times) {
            let spent: f64 = times.iter().sum::<f64>() * f64::from(calls);
            if times.len() < Effort::MIN_TURNS || spent < effort.patience() {
                if calls > 1 {
                    (contender.time)(buffers, 1)?; // brings the data back into the caches
                }
                times.push((contender.time)(buffers, calls)? / f64::from(calls));
            }
        }
    }
    let mut fastest: Vec<Measured> = Vec::new();
    for (contender, times) in contenders.iter().zip(times) {
        let (who, seconds) = (contender.who, lower_quartile(times));
        match fastest.iter_mut().find(|measured| measured.who == who) {
            Some(measured) => measured.seconds = measured.seconds.min(seconds),
            None => fastest.push(Measured { who, seconds }),
        }
    }
    Ok(fastest)
}

/// Warms up, and finds how many calls fit into one turn.
fn calls_in_turn<T>(contender: &mut Contender<T>, buffers: &mut Buffers<T>, turn: f64) -> Result<u32> {
    let mut calls = 1;
    loop {
        let seconds = (contender.time)(buffers, calls)?;
        if seconds > turn / 2.0 {
            return Ok(((turn / seconds * f64::from(calls)) as u32).max(1));
        }
        calls *= 2;
    }
}

/// Other programs can only add to a time, so smaller times are nearer to the truth; the very smallest may be luck.
fn lower_quartile(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::memory::Memory;

    #[test]
    fn the_fastest_of_a_name_counts_and_a_slow_one_sits_out() {
        let slow_calls = AtomicU32::new(0);
        let takes = |who, seconds: f64| {
            let slow_calls = &slow_calls;
            Contender::<f32>::timed_elsewhere(who, move |_, calls| {
                slow_calls.fetch_add(if who == "slow" { calls } else { 0 }, Ordering::Relaxed);
                Ok(seconds * f64::from(calls))
            })
        };
        let mut contenders = [takes("fast", 2e-6), takes("slow", 10.0), takes("fast", 1e-6)];
        let mut memory = Memory::new(1);
        let measured = measure(&mut contenders, &mut memory.buffers(), Effort::QUICK).unwrap();
        let [fast, slow] = &measured[..] else { panic!("expected one result per name") };
        assert_eq!((fast.who, slow.who), ("fast", "slow"));
        assert!((fast.seconds / 1e-6 - 1.0).abs() < 1e-9);
        assert_eq!(slow.seconds, 10.0);
        assert_eq!(slow_calls.load(Ordering::Relaxed) as usize, 1 + Effort::MIN_TURNS);
    }

    #[test]
    fn takes_the_lower_quartile() {
        assert_eq!(lower_quartile(vec![5.0, 1.0, 4.0, 2.0, 3.0]), 2.0);
        assert_eq!(lower_quartile(vec![7.0]), 7.0);
    }
}
