//! Figures as pictures, drawn here: bars by day, and shares of a whole. Pure.

use chrono::NaiveDate;

/// Sizes, in units of the picture.
const WIDTH: i64 = 480;
const FLOOR: i64 = 190;
const TOP: i64 = 14;
const LEFT: i64 = 40;

/// Two numbers a day, side by side.
pub(super) struct Bars {
    pub(super) days: Vec<Bar>,
    /// Lines across with their number.
    pub(super) lines: Vec<(i64, i64)>,
    pub(super) width: i64,
}

/// A day.
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) middle: i64,
    pub(super) wide: i64,
    pub(super) all_y: i64,
    pub(super) all_tall: i64,
    pub(super) part_y: i64,
    pub(super) part_tall: i64,
    pub(super) day: String,
    /// Written below where there is room.
    pub(super) label: String,
    pub(super) all: i64,
    pub(super) part: i64,
}

impl Bars {
    /// Day, all, and the part of it that stands out.
    pub(super) fn draw(days: impl Iterator<Item = (NaiveDate, i64, i64)>) -> Self {
        let days: Vec<_> = days.collect();
        let most = round(days.iter().map(|(_, all, part)| *all.max(part)).max().unwrap_or(0));
        let count = i64::try_from(days.len()).unwrap_or(1).max(1);
        let step = (WIDTH - LEFT) / count;
        let every = (count + 7) / 8;
        let tall = |n: i64| (n * (FLOOR - TOP)).checked_div(most).unwrap_or(0);
        let bars = days.into_iter().zip(0i64..).map(|((day, all, part), nth)| Bar {
            x: LEFT + nth * step + step / 8,
            middle: LEFT + nth * step + step / 2,
            wide: (step * 3 / 4).max(1),
            all_y: FLOOR - tall(all),
            all_tall: tall(all),
            part_y: FLOOR - tall(part),
            part_tall: tall(part),
            day: day.to_string(),
            label: if nth % every == 0 { day.format("%m-%d").to_string() } else { String::new() },
            all,
            part,
        });
        let lines = (0..=4).map(|nth| most * nth / 4).map(|n| (FLOOR - tall(n), n));
        let mut lines: Vec<(i64, i64)> = lines.collect();
        lines.dedup();
        Self { days: bars.collect(), lines, width: WIDTH }
    }
}

/// The least round number that is no less.
fn round(most: i64) -> i64 {
    let mut unit = 1;
    while most > unit * 10 {
        unit *= 10;
    }
    [1, 2, 4, 6, 8, 10].into_iter().map(|times| times * unit).find(|round| *round >= most).unwrap_or(most).max(4)
}

/// Parts of a whole, one below the other.
pub(super) struct Shares {
    pub(super) parts: Vec<Share>,
}

/// A part.
pub(super) struct Share {
    pub(super) n: i64,
    pub(super) name: &'static str,
    pub(super) tone: &'static str,
    /// Of the largest, from 0 to 100.
    pub(super) wide: i64,
}

impl Shares {
    /// Number, name, colour.
    pub(super) fn draw(parts: impl Iterator<Item = (i64, &'static str, &'static str)>) -> Self {
        let parts: Vec<_> = parts.collect();
        let most = parts.iter().map(|(n, ..)| *n).max().unwrap_or(0);
        let share = |n: i64| (n * 100).checked_div(most).unwrap_or(0);
        Self { parts: parts.into_iter().map(|(n, name, tone)| Share { n, name, tone, wide: share(n) }).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_floor_and_end_below_the_top() {
        let day = |n: u64| NaiveDate::default() + chrono::Days::new(n);
        let bars = Bars::draw((0..40).map(|n| (day(n), i64::try_from(n).unwrap_or(0) * 3, 1)));
        assert_eq!(bars.days.len(), 40);
        assert!(
            bars.days.iter().all(|bar| bar.all_y >= TOP
                && bar.all_y + bar.all_tall == FLOOR
                && bar.part_tall <= bar.all_tall.max(2))
        );
        assert!(bars.days.iter().filter(|bar| !bar.label.is_empty()).count() <= 8);
        assert_eq!([0, 3, 17, 117, 600, 601].map(round), [4, 4, 20, 200, 600, 800]);
    }

    #[test]
    fn no_days_are_an_empty_picture() {
        let bars = Bars::draw(std::iter::empty());
        assert!(bars.days.is_empty() && !bars.lines.is_empty());
        assert_eq!(Shares::draw([(0, "a", "")].into_iter()).parts.first().map(|part| part.wide), Some(0));
    }
}
