//! The figures for managers (R33) against what the script knows: what callers were told, HIS's books, and our history read in
//! another way than the API reads it. Who did not come is read from the one table that knows it, and so is not among them.

use chrono::Days;
use serde_json::Value;

use super::deeds::items;
use super::figures::Figures;
use super::held::Held;
use super::traffic::Play;
use super::world::DAYS;

/// Asks the API for all days that were played, and notes every sum that is another one.
pub(super) async fn compare(play: &Play<'_>, figures: &Figures) {
    let (from, days) = (play.script.day, u64::from(play.script.days) + DAYS);
    let path = format!("/v1/kpis?from={from}&to={}", from + Days::new(days));
    let lines = items(&play.api.get(&path).await);
    let each = |field: &str| lines.iter().filter_map(|line| line.get(field).and_then(Value::as_i64)).sum::<i64>();
    // A history knows that a place was not to be had, and not why.
    let sum = |field: &str| if field == "lost" { each("lost") + each("unusable") } else { each(field) };
    let known = [
        ("applications", play.count().admitted),
        ("converted", figures.converted),
        ("offers", figures.offers),
        ("declined", figures.declined),
        ("missed", figures.lapsed),
        ("lost", figures.lost),
        ("visits", figures.visits),
    ];
    for (field, known) in known {
        let told = sum(field);
        if told == i64::from(known) {
            play.saw(Held::KpisAgree);
        } else {
            play.fault(format!("the API says {told} {field}, the script counted {known}"));
        }
    }
}
