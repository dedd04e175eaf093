//! What people do about the messages they get: confirm soon, late or never, decline, cancel the visit after all.
//!
//! They know what the message says and nothing else. Who does not follow the account hears nothing.

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};

use super::agenda::Act;
use super::chance::Chance;
use super::traffic::Play;
use crate::waitlist::{calendar, ids};

/// Who reads a message at night answers in the morning.
const ASLEEP_UNTIL: u32 = 6;
const AWAKE_UNTIL: u32 = 23;

/// Reads what arrived at `now` and plans the answers.
pub(super) async fn hear(play: &mut Play<'_>, now: DateTime<Utc>) {
    let messages = play.stage.messages.accepted_after(play.read).await;
    play.read += messages.len();
    for message in &messages {
        let Some(entry) = ids::run_of(&message.client_msg_id) else { continue };
        let Some((nth, application)) = play.application(entry) else { continue };
        match message.fields.get("候补状态").map(String::as_str) {
            Some("待确认") => {
                let heard = usize::try_from(play.count().offers_heard).unwrap_or(0);
                play.count().offers_heard += 1;
                let answered = if application.declines {
                    Some((now + TimeDelta::minutes(4), Answer::Decline))
                } else {
                    answer(play, now, nth)
                };
                if let Some((at, act)) = answered {
                    let act = match act {
                        Answer::Confirm => Act::Confirm { entry, nth: heard },
                        Answer::Decline => Act::Decline { entry, nth: heard },
                    };
                    play.agenda.put(at, act);
                }
            }
            Some("挂号成功") => {
                let patient_id = application.patient_id.clone();
                play.count().bookings_heard += 1;
                let mut chance = Chance::of(play.script.seed, "after all", nth);
                if chance.percent(9) {
                    let at = awake(play, now + TimeDelta::minutes(chance.between(25, 240)), &mut chance);
                    play.agenda.put(at, Act::CancelVisit { entry, patient_id });
                }
            }
            _ => {}
        }
    }
}

enum Answer {
    Confirm,
    Decline,
}

/// Confirms within minutes, at the last moment, too late, never; or declines.
fn answer(play: &Play<'_>, now: DateTime<Utc>, nth: usize) -> Option<(DateTime<Utc>, Answer)> {
    let mut chance = Chance::of(play.script.seed, "answer", nth);
    let (minutes, answer) = match chance.between(0, 99) {
        0..=62 => (chance.between(1, 12), Answer::Confirm),
        63..=71 => (chance.between(20, 29), Answer::Confirm),
        72..=76 => (chance.between(31, 40), Answer::Confirm),
        77..=86 => (chance.between(2, 15), Answer::Decline),
        _ => return None,
    };
    let at = now + TimeDelta::minutes(minutes);
    Some((if asleep(play, now) { awake(play, at, &mut chance) } else { at }, answer))
}

fn asleep(play: &Play<'_>, at: DateTime<Utc>) -> bool {
    let hour = at.with_timezone(&play.stage.tz).hour();
    !(ASLEEP_UNTIL..AWAKE_UNTIL).contains(&hour)
}

/// That instant, or minutes after getting up.
fn awake(play: &Play<'_>, at: DateTime<Utc>, chance: &mut Chance) -> DateTime<Utc> {
    if !asleep(play, at) {
        return at;
    }
    let local = at.with_timezone(&play.stage.tz);
    let day = if local.hour() >= AWAKE_UNTIL { local.date_naive() + TimeDelta::days(1) } else { local.date_naive() };
    let up = NaiveTime::from_hms_opt(ASLEEP_UNTIL, 0, 0).unwrap_or_default();
    calendar::visit_starts_at(day, up, play.stage.tz) + TimeDelta::minutes(chance.between(1, 25))
}
