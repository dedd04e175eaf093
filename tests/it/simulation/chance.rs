//! Chance that can be repeated: dice that fall the same for the same seed, whoever throws them and when.

use std::fmt::Display;

/// Dice.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The dice for one matter under a seed: what is decided about it does not depend on what was decided before.
    pub fn about(seed: u64, matter: &[&dyn Display]) -> Self {
        // FNV-1a.
        let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
        for part in matter {
            for byte in part.to_string().bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    /// Any number (`SplitMix64`).
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to and without `sides`.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.throw() % sides
    }

    /// `from` up to and with `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        let many = u64::try_from(these.len()).unwrap();
        these[usize::try_from(self.below(many)).unwrap()]
    }
}

#[test]
fn the_same_seed_throws_the_same() {
    let three = |mut dice: Dice| [dice.throw(), dice.throw(), dice.throw()];
    assert_eq!(three(Dice::new(7)), three(Dice::new(7)));
    assert_ne!(three(Dice::new(7)), three(Dice::new(8)));
    assert_eq!(three(Dice::about(7, &[&"a", &1])), three(Dice::about(7, &[&"a", &1])));
    assert_ne!(three(Dice::about(7, &[&"a", &11])), three(Dice::about(7, &[&"a1", &1])), "a matter has parts");
}
