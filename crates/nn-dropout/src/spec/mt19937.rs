//! MT19937, PyTorch's generator on the CPU: a sequence of words, each made from earlier ones.
//!
//! Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number generator",
//! ACM TOMACS 1998.

#![expect(clippy::inline_always, reason = "vectorised together with the loops that call them")]

/// The number of words in the state. All of them are renewed at once.
pub const WORDS: usize = 624;

/// The distance of the words that a new one is made from.
pub const DISTANCE: usize = 397;

/// A sequence, and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mt19937 {
    pub words: [u32; WORDS],
    /// The word to read next. At 0 and at [`WORDS`] the words have to be renewed first.
    pub next: usize,
}

impl Mt19937 {
    /// The start of the sequence of `seed`.
    pub fn new(seed: u32) -> Self {
        let mut words = [seed; WORDS];
        for i in 1..WORDS {
            let before = words[i - 1];
            words[i] = (before ^ before >> 30).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { words, next: 0 }
    }

    /// Whether there is no word left to read.
    pub const fn is_used_up(&self) -> bool {
        self.next == 0 || self.next == WORDS
    }

    /// The next word of the sequence.
    #[cfg(test)]
    pub fn next_word(&mut self) -> u32 {
        if self.is_used_up() {
            for i in 0..WORDS {
                let words = &mut self.words;
                words[i] = twist(words[i], words[(i + 1) % WORDS]) ^ words[(i + DISTANCE) % WORDS];
            }
            self.next = 0;
        }
        self.next += 1;
        temper(self.words[self.next - 1])
    }
}

/// What two neighbouring words contribute to the new one in the place of the first.
#[inline(always)]
pub const fn twist(word: u32, after: u32) -> u32 {
    let joined = word & 0x8000_0000 | after & 0x7FFF_FFFF;
    joined >> 1 ^ (after & 1).wrapping_neg() & 0x9908_B0DF
}

/// The random word that a word of the state stands for.
#[inline(always)]
pub const fn temper(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= word << 7 & 0x9D2C_5680;
    word ^= word << 15 & 0xEFC6_0000;
    word ^ word >> 18
}

#[cfg(test)]
mod tests {
    use super::Mt19937;

    /// The C++ standard gives the 10,000th word of the default seed.
    #[test]
    fn gives_the_published_word() {
        let mut sequence = Mt19937::new(5489);
        let word = (0..10_000).map(|_| sequence.next_word()).last();
        assert_eq!(word, Some(4_123_659_995));
    }
}
