//! The driver's chance: every decision hangs on the seed and on what is decided, never on time or order of arrival.

use crate::sandbox::faults::hash;

/// A stream of chance for one thing.
pub(super) struct Chance(u64);

impl Chance {
    /// The stream of the `nth` of `what`.
    pub(super) fn of(seed: u64, what: &str, nth: usize) -> Self {
        Self(hash(&[&seed.to_le_bytes(), what.as_bytes(), &nth.to_le_bytes()]))
    }

    fn draw(&mut self) -> u64 {
        self.0 = hash(&[&self.0.to_le_bytes()]);
        self.0
    }

    /// 0 to `n` − 1; 0 where `n` is 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % n).unwrap_or(0)
    }

    /// `least` to `most`, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = u64::try_from(most - least + 1).unwrap_or(1).max(1);
        least + i64::try_from(self.draw() % width).unwrap_or(0)
    }

    /// The same, counted.
    pub(super) fn count(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.between(i64::from(least), i64::from(most))).unwrap_or(least)
    }

    /// True in `of_100` cases of a hundred.
    pub(super) fn percent(&mut self, of_100: i64) -> bool {
        self.between(0, 99) < of_100
    }

    /// One of these.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_chance_and_stays_in_bounds() {
        let draws = |seed, nth| {
            let mut chance = Chance::of(seed, "x", nth);
            (0..50).map(|_| chance.between(3, 7)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        assert_ne!(draws(1, 2), draws(1, 3));
        assert_ne!(draws(1, 2), draws(2, 2));
        assert!(draws(1, 2).iter().all(|n| (3..=7).contains(n)));
        assert!((3..=7).all(|n| draws(1, 2).contains(&n)));
    }
}
