//! The bits of a call's elements, a chunk at a time: drawn from the mask, and brought into the elements' order.
//!
//! An [`Index`] makes runs of elements along its innermost axis. Where each has the next bit they are drawn in one go. Where
//! all share one, or where short runs repeat, a bit is drawn once and written many times. Bits that lie apart are
//! gathered one by one.

use super::philox::Rounds;
use crate::spec::index::{Axis, Index};
use crate::spec::mask::Family;
use crate::spec::number::Distribution;
use crate::spec::philox::{BLOCK, BLOCKS, PhiloxMask};
use crate::spec::stored::StoredMask;
use crate::spec::threefry::JaxMask;

/// The most elements that the kernel of any instruction set draws and applies in one go.
pub const CHUNK: usize = 1024;

/// The bits of a chunk, and room for more that are drawn in excess.
pub type Bits = [u8; CHUNK / 8 + 64];

/// The loops that draw bits and numbers, compiled for one instruction set.
#[derive(Clone, Copy)]
pub struct Drawers {
    pub philox: unsafe fn(&Rounds, first: u32, count: usize, &mut [u8]),
    pub jax: unsafe fn(&JaxMask, first: u64, count: usize, &mut [u8]),
    pub numbers: unsafe fn(&PhiloxMask, Distribution, start: u64, &mut [f32]),
}

/// The bits of a mask, by their own numbers.
pub struct Source<'a> {
    drawers: Drawers,
    family: Drawn<'a>,
    mask: &'a Family,
}

enum Drawn<'a> {
    Philox(Rounds),
    Jax(&'a JaxMask),
    Stored(&'a StoredMask),
}

impl<'a> Source<'a> {
    /// # Safety
    ///
    /// The CPU has the instructions of `drawers`.
    #[inline(always)]
    pub unsafe fn new(drawers: Drawers, mask: &'a Family) -> Self {
        let family = match mask {
            Family::Philox(mask) => Drawn::Philox(Rounds::new(*mask, 0)),
            Family::Jax(mask) => Drawn::Jax(mask),
            Family::Stored(mask) => Drawn::Stored(mask),
        };
        Self { drawers, family, mask }
    }

    /// Whether the bits are drawn by Philox.
    pub fn is_philox(&self) -> bool {
        matches!(&self.family, Drawn::Philox(rounds) if rounds.threshold.is_some())
    }

    /// The rounds and the threshold of blocks whose numbers have this upper half, where the source [is
    /// Philox](Self::is_philox).
    pub fn rounds(&mut self, upper: u32) -> Option<(&Rounds, u16)> {
        match &mut self.family {
            Drawn::Philox(rounds) => {
                let rounds = with_upper(rounds, upper);
                rounds.threshold.map(|threshold| (rounds, threshold))
            }
            _ => None,
        }
    }

    /// Draws `count` bits from number `start` on, at most a chunk, and a few more.
    pub fn draw(&mut self, start: u64, count: usize, bits: &mut Bits) {
        let shift = (start % BLOCK) as usize;
        let blocks = (shift + count).div_ceil(BLOCK as usize);
        self.draw_blocks(start / BLOCK, blocks, bits);
        if shift > 0 {
            for i in (0..blocks).step_by(8) {
                let word = bits_from(bits, 8 * i + shift);
                bits[i..i + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Draws numbers from number `start` on, which the mask has to have.
    fn numbers(&self, distribution: Distribution, start: u64, numbers: &mut [f32]) {
        let Family::Philox(mask) = self.mask else { unreachable!("a draw with numbers has a mask that has some") };
        // SAFETY: `new` asked for a CPU that has the drawers' instructions.
        unsafe { (self.drawers.numbers)(mask, distribution, start, numbers) }
    }

    /// Draws bits eight by eight, from the eight with number `first` on.
    fn draw_blocks(&mut self, first: u64, count: usize, bits: &mut [u8]) {
        match &mut self.family {
            Drawn::Philox(rounds) => {
                let alike = (count as u64).min((1 << 32) - (first & 0xFFFF_FFFF)) as usize;
                let rounds = with_upper(rounds, (first >> 32) as u32);
                // SAFETY: `new` asked for a CPU that has the drawers' instructions.
                unsafe { (self.drawers.philox)(rounds, first as u32, alike, bits) };
                if alike < count {
                    // The blocks drawn in excess are wrong from here on.
                    self.draw_blocks((first + alike as u64) % BLOCKS, count - alike, &mut bits[alike..]);
                }
            }
            // SAFETY: as above.
            Drawn::Jax(mask) => unsafe { (self.drawers.jax)(mask, first, count, bits) },
            Drawn::Stored(mask) => {
                let (bits, wrapped) = bits[..count].split_at_mut((count as u64).min(BLOCKS - first) as usize);
                mask.copy_bytes(first, bits);
                mask.copy_bytes(0, wrapped);
            }
        }
    }
}

fn with_upper(rounds: &mut Rounds, upper: u32) -> &Rounds {
    if rounds.upper != upper {
        *rounds = Rounds::new(rounds.mask, upper);
    }
    rounds
}

/// The bits of a mask, by the numbers of elements.
pub struct Mapped<'a> {
    pub source: Source<'a>,
    index: &'a Index,
    /// The two innermost axes.
    inner: Axis,
    next: Axis,
    gather: Option<Gather>,
}

/// What is kept from one chunk to the next where bits are not drawn in the elements' order.
struct Gather {
    /// Bits of the mask drawn before, from number `start` on.
    start: u64,
    count: usize,
    bits: Bits,
    spread: Spread,
}

impl<'a> Mapped<'a> {
    #[inline(always)]
    pub fn new(source: Source<'a>, index: &'a Index) -> Self {
        const NONE: Axis = Axis { size: 1, stride: 0 };
        let (inner, next) = match *index.axes() {
            [.., next, inner] => (inner, next),
            [inner] => (inner, NONE),
            [] => (NONE, NONE),
        };
        Self { source, index, inner, next, gather: None }
    }

    /// The bit of an element, and for how many elements from it on each has the next bit.
    #[inline]
    pub fn run(&self, element: u64) -> (u64, u64) {
        match (self.inner, self.index.axes()) {
            (Axis { size, stride: 1 }, [_]) => (self.index.start().wrapping_add(element), size - element),
            (Axis { size, stride: 1 }, _) => (self.index.bit(element), size - element % size),
            _ => (self.index.bit(element), 1),
        }
    }

    /// Whether runs that are shorter than a chunk repeat, so that their bits need not be drawn again.
    pub fn repeats(&self) -> bool {
        self.next.stride == 0 && self.next.size > 1 && self.inner.size < CHUNK as u64
    }

    /// Draws the numbers of elements from number `first` on, wherever they are.
    pub fn numbers(&self, distribution: Distribution, first: u64, numbers: &mut [f32]) {
        let Axis { size, stride } = self.inner;
        let (mut first, mut rest) = (first, numbers);
        while !rest.is_empty() {
            let (start, run) = self.run(first);
            let alike = if stride == 0 { size - first % size } else { run };
            let (now, later) = rest.split_at_mut(alike.min(rest.len() as u64) as usize);
            if stride == 0 {
                self.source.numbers(distribution, start, &mut now[..1]);
                now.fill(now[0]);
            } else {
                self.source.numbers(distribution, start, now);
            }
            first = first.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    /// Draws the bits of `count` elements from number `first` on, at most a chunk, wherever they are.
    pub fn gather(&mut self, first: u64, count: usize, bits: &mut Bits) {
        let Self { source, index, inner, next, gather } = self;
        let gather =
            gather.get_or_insert_with(|| Gather { start: 0, count: 0, bits: [0; _], spread: Spread::new(inner.size) });
        let mut to = Writer { bits, at: 0, word: 0, filled: 0 };
        let mut done = 0;
        while done < count {
            done += gather.write_runs(source, (index, *inner, *next), first + done as u64, count - done, &mut to);
        }
        to.finish();
    }
}

impl Gather {
    /// Writes the bits of the next elements that lie on one run, or in one block of runs: at least one, and at most `count`.
    /// Returns how many.
    fn write_runs(
        &mut self,
        source: &mut Source,
        (index, Axis { size, stride }, next): (&Index, Axis, Axis),
        first: u64,
        count: usize,
        to: &mut Writer,
    ) -> usize {
        let (bit, place) = (index.bit(first), first % size);
        let left = |all: u64| all.min(count as u64) as usize;
        match (stride, next) {
            // A row of bits that repeats.
            (1, Axis { size: times, stride: 0 }) if size < CHUNK as u64 => {
                let count = left((times - first / size % times).saturating_mul(size) - place);
                self.draw(source, bit.wrapping_sub(place), size as usize);
                to.repeat(&self.bits, size as usize, place as usize, count);
                count
            }
            (1, _) => {
                let count = left(size - place);
                self.draw(source, bit, count);
                to.repeat(&self.bits, count, 0, count);
                count
            }
            // One bit after the other, each for several elements.
            (0, Axis { size: bits, stride: 1 }) => {
                let count = left((bits - first / size % bits).saturating_mul(size) - place);
                self.draw(source, bit, place.saturating_add(count as u64).div_ceil(size) as usize);
                to.spread(&self.bits, &self.spread, place, count);
                count
            }
            (0, _) => {
                let count = left(size - place);
                self.draw(source, bit, 1);
                to.spread(&self.bits, &self.spread, place, count);
                count
            }
            _ => {
                to.push(u64::from(source.mask.keeps(bit)), 1);
                1
            }
        }
    }

    /// Draws `count` bits from `start` on, unless they are there.
    fn draw(&mut self, source: &mut Source, start: u64, count: usize) {
        if (self.start, self.count) != (start, count) {
            source.draw(start, count, &mut self.bits);
            (self.start, self.count) = (start, count);
        }
    }
}

/// How each of several bits is written `times` times.
struct Spread {
    times: u64,
    /// How many bits fill a word.
    group: usize,
    /// Step k moves every bit whose number has a 1 at place k to the left, past those that come to lie between: where the bits
    /// are after each step, the last one first.
    places: [u64; 5],
}

impl Spread {
    fn new(times: u64) -> Self {
        let group = (64 / times.max(1)).min(32) as usize;
        let place = |step: usize, bit: usize| (bit >> step << step) * times as usize + bit % (1 << step);
        let places = |step: usize| (0..group).fold(0, |places, bit| places | 1_u64 << place(step, bit));
        Self { times, group, places: std::array::from_fn(|step| if group > 1 { places(step) } else { 0 }) }
    }

    /// The first bits of `bits`, as many as make a group, each `times` times.
    #[inline]
    fn word(&self, bits: u64) -> u64 {
        let mut word = bits & ones(self.group);
        for step in (0..5).rev() {
            word = (word | word << ((self.times - 1) << step & 63)) & self.places[step];
        }
        word.wrapping_mul(ones(self.times as usize))
    }
}

/// Bits written one after the other.
struct Writer<'a> {
    bits: &'a mut Bits,
    /// How many bytes are written.
    at: usize,
    /// The bits that do not fill eight bytes yet, and how many there are.
    word: u64,
    filled: usize,
}

impl Writer<'_> {
    /// Writes the lowest `count` of `bits`, 1 to 64; the others are 0.
    #[inline]
    fn push(&mut self, bits: u64, count: usize) {
        self.word |= bits << self.filled;
        let filled = self.filled + count;
        if filled >= 64 {
            self.bits[self.at..self.at + 8].copy_from_slice(&self.word.to_le_bytes());
            self.at += 8;
            self.word = if self.filled == 0 { 0 } else { bits >> (64 - self.filled) };
            self.filled = filled - 64;
        } else {
            self.filled = filled;
        }
    }

    /// Writes the first `period` of `bits` again and again, from number `place` on, until `count` are written.
    fn repeat(&mut self, bits: &Bits, period: usize, mut place: usize, mut count: usize) {
        // As many short ones as a word holds are joined first.
        let times = 64 / period;
        let joined = (0..times).fold(0, |word, i| word | (bits_from(bits, 0) & ones(period)) << (i * period));
        let period = period * times.max(1);
        while count > 0 {
            let now = 64.min(period - place).min(count);
            let word = if times > 0 { joined >> place } else { bits_from(bits, place) };
            self.push(word & ones(now), now);
            count -= now;
            place = if place + now == period { 0 } else { place + now };
        }
    }

    /// Writes each of `bits` several times, until `count` are written, the first one `place` times less.
    fn spread(&mut self, bits: &Bits, spread: &Spread, place: u64, mut count: usize) {
        let (group, times) = (spread.group, spread.times);
        let (mut bit, mut left) = (0, times - place);
        while count > 0 {
            if group > 1 && left == times && count >= group * times as usize {
                self.push(spread.word(bits_from(bits, bit)), group * times as usize);
                bit += group;
                count -= group * times as usize;
            } else {
                let now = left.min(count as u64).min(64) as usize;
                self.push(0_u64.wrapping_sub(u64::from(bits[bit / 8] >> (bit % 8) & 1)) & ones(now), now);
                count -= now;
                left -= now as u64;
                if left == 0 {
                    (bit, left) = (bit + 1, times);
                }
            }
        }
    }

    /// Writes what does not fill eight bytes.
    fn finish(self) {
        self.bits[self.at..self.at + 8].copy_from_slice(&self.word.to_le_bytes());
    }
}

/// The lowest `count` bits, at most 64.
#[inline]
fn ones(count: usize) -> u64 {
    if count == 64 { u64::MAX } else { (1 << count) - 1 }
}

/// 64 bits from number `at` on.
#[inline]
fn bits_from(bits: &Bits, at: usize) -> u64 {
    let bytes: [u8; 16] = bits[at / 8..at / 8 + 16].try_into().expect("sixteen bytes");
    (u128::from_le_bytes(bytes) >> (at % 8)) as u64
}
