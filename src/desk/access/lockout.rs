//! How long no password of a user is looked at from a place after wrong ones there: a person who mistypes hardly notices, a program
//! that guesses gets a few tries an hour, and a user is let in elsewhere meanwhile.

use std::time::Duration;

/// So many wrong ones in a row are anybody's.
const FREE: i32 = 5;
/// After that, the first wait.
const FIRST: Duration = Duration::from_secs(30);
/// Twice as long after each further one, up to this.
const MOST: Duration = Duration::from_mins(15);

/// The wait after so many tries in a row without a right one; none: the next is looked at at once.
pub fn wait_after(tries: i32) -> Option<Duration> {
    let beyond = u32::try_from(tries.checked_sub(FREE)?).ok()?;
    Some(FIRST.saturating_mul(2_u32.saturating_pow(beyond)).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_has_an_end() {
        let waits: Vec<Option<u64>> = (0..13).map(|tries| wait_after(tries).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits[..5], [None; 5]);
        assert_eq!(waits[5..], [30, 60, 120, 240, 480, 900, 900, 900].map(Some));
        assert_eq!(wait_after(i32::MAX), Some(MOST));
        assert_eq!(wait_after(i32::MIN), None);
    }
}
