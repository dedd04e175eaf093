//! The numbers that go outside (E6): derived from the run and a count, so that they exist before the first call and
//! a repeated call carries the same one; and the way back from a number to its run, for callbacks.
//!
//! An id is a letter, the run in 26 digits of Crockford's base 32, and the count in 2 to 4 digits. The digits are
//! upper case without `I L O U`, so a system that folds case keeps ids apart, and `U` can divide a refund's two counts.

use uuid::Uuid;

use super::notice::NoticeKind;
use super::route::Channel;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RUN_DIGITS: usize = 26;
const TRADE: char = 'T';
const LOCK: char = 'L';
const MESSAGE: char = 'M';
const SMS: char = 'S';
const BY_TEMPLATE: char = 'W';
const BY_SUBSCRIPTION: char = 'B';
const BY_PLATFORM: char = 'P';
/// Between the two counts of a refund, and of a message that staff sent again.
const DIVIDER: char = 'U';

/// `out_trade_no` of the run's `nth` payment order: 29 to 31 letters and digits (the provider takes 6 to 32).
pub fn trade_no(run: Uuid, nth: u16) -> String {
    id(TRADE, run, nth)
}

/// `out_refund_no` of the `nth` refund of an order: at most 36 characters where `trade_no` is ours (limit 64).
/// A new number is right only after a refund was closed for good; a repetition keeps its number.
pub fn refund_no(trade_no: &str, nth: u16) -> String {
    let mut id = trade_no.to_owned();
    id.push(DIVIDER);
    push_count(&mut id, nth);
    id
}

/// `LOCK_ID` of the run's `offer_nth` attempt at a place (2005, 2013).
pub fn lock_id(run: Uuid, offer_nth: u16) -> String {
    id(LOCK, run, offer_nth)
}

/// `ORDER_ID` of the run's `offer_nth` attempt at a place (2007): the same as the `LOCK_ID`, as HIS demands where the
/// place was locked.
pub fn order_id(run: Uuid, offer_nth: u16) -> String {
    lock_id(run, offer_nth)
}

/// `client_msg_id` of the run's `nth` notice of this kind: at most 32 characters.
pub fn client_msg_id(run: Uuid, kind: NoticeKind, nth: u16) -> String {
    let mut id = head(MESSAGE, run);
    id.push(kind.letter());
    push_count(&mut id, nth);
    id
}

/// The id of the SMS in the place of a message.
pub fn sms_id(client_msg_id: &str) -> String {
    instead_id(client_msg_id, Channel::Sms)
}

/// The id of what goes by this channel in the place of a message: there is one for each, whatever it is in the place of.
pub fn instead_id(client_msg_id: &str, channel: Channel) -> String {
    let letter = match channel {
        Channel::Sms => SMS,
        Channel::WechatTemplate => BY_TEMPLATE,
        Channel::WechatSubscribe => BY_SUBSCRIPTION,
        Channel::Platform => BY_PLATFORM,
    };
    let mut id = letter.to_string();
    id.extend(client_msg_id.chars().skip(1));
    id
}

/// The ids of a message in all channels that can bring it.
pub fn by_any_channel(client_msg_id: &str) -> Vec<String> {
    let instead = Channel::ALL.into_iter().map(|channel| instead_id(client_msg_id, channel));
    std::iter::once(client_msg_id.to_owned()).chain(instead).collect()
}

/// The id of a message's `nth` repetition by staff, from 1; none where there were too many. A repetition's own repetitions
/// are its message's.
pub fn resent_id(id: &str, nth: usize) -> Option<String> {
    let digit = DIGITS.get(nth).filter(|_| nth > 0)?;
    let mut id = first_id(id).to_owned();
    id.extend([DIVIDER, char::from(*digit)]);
    Some(id)
}

/// The id of the message that this one repeats, or its own.
pub fn first_id(id: &str) -> &str {
    id.split_once(DIVIDER).map_or(id, |(first, _)| first)
}

/// The run that an id of ours was derived from, in whichever case it comes back. `None` for anything that no
/// function above could have made.
pub fn run_of(id: &str) -> Option<Uuid> {
    let id = id.to_ascii_uppercase();
    let mut letters = id.chars();
    let kind = letters.next()?;
    let (run, rest) = letters.as_str().split_at_checked(RUN_DIGITS)?;
    let run = digits_of(run)?;
    let ours = match kind {
        TRADE => match rest.split_once(DIVIDER) {
            Some((order, refund)) => is_count(order) && is_count(refund),
            None => is_count(rest),
        },
        LOCK => is_count(rest),
        MESSAGE | SMS | BY_TEMPLATE | BY_SUBSCRIPTION | BY_PLATFORM => {
            let mut rest = rest.chars();
            let kind = rest.next().is_some_and(|letter| NoticeKind::LETTERS.contains(&letter));
            let (nth, again) = rest.as_str().split_once(DIVIDER).unwrap_or((rest.as_str(), "1"));
            let again = matches!(again.as_bytes(), [digit] if *digit != b'0' && DIGITS.contains(digit));
            kind && again && is_count(nth)
        }
        _ => false,
    };
    ours.then(|| Uuid::from_u128(run))
}

fn id(kind: char, run: Uuid, nth: u16) -> String {
    let mut id = head(kind, run);
    push_count(&mut id, nth);
    id
}

fn head(kind: char, run: Uuid) -> String {
    let mut id = String::with_capacity(32);
    id.push(kind);
    push_digits(&mut id, run.as_u128(), RUN_DIGITS);
    id
}

/// Two digits up to 1023, then three, then four: `u16` keeps the whole id within 32 characters.
fn push_count(id: &mut String, nth: u16) {
    let width = match nth {
        0..=0x3ff => 2,
        0x400..=0x7fff => 3,
        _ => 4,
    };
    push_digits(id, nth.into(), width);
}

fn push_digits(id: &mut String, value: u128, width: usize) {
    for place in (0..width).rev() {
        let digit = (value >> (5 * place)) & 31;
        id.extend(usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit)).map(|digit| char::from(*digit)));
    }
}

/// The value of base-32 digits; `None` for a letter that is no digit or a value above 128 bits.
fn digits_of(text: &str) -> Option<u128> {
    text.bytes().try_fold(0_u128, |value, letter| {
        let digit = DIGITS.iter().position(|digit| *digit == letter)?;
        value.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)
    })
}

/// True for exactly what `push_count` writes.
fn is_count(text: &str) -> bool {
    let count = digits_of(text).and_then(|value| u16::try_from(value).ok());
    count.is_some_and(|nth| {
        let mut written = String::new();
        push_count(&mut written, nth);
        written == text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::waitlist::notice::FailReason;

    fn run() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn all(run: Uuid, nth: u16, other: u16) -> Vec<String> {
        let mut ids = vec![trade_no(run, nth), refund_no(&trade_no(run, nth), other), lock_id(run, nth)];
        ids.extend(NoticeKind::samples().map(|kind| client_msg_id(run, kind, nth)));
        let told = client_msg_id(run, NoticeKind::Booked, nth);
        ids.extend(
            Channel::ALL
                .map(|channel| instead_id(&told, channel))
                .into_iter()
                .chain(resent_id(&told, usize::from(other % 31) + 1)),
        );
        ids
    }

    #[test]
    fn e06_an_id_looks_like_this_for_ever() {
        let run = Uuid::from_u128(0x0190_0a5c_1234_7abc_8def_0123_4567_89ab);
        assert_eq!(trade_no(run, 1), "T01J055R4HMFAY8VVR14D2PF2DB01");
        assert_eq!(refund_no(&trade_no(run, 1), 0), "T01J055R4HMFAY8VVR14D2PF2DB01U00");
        assert_eq!(lock_id(run, 31), "L01J055R4HMFAY8VVR14D2PF2DB0Z");
        assert_eq!(client_msg_id(run, NoticeKind::Booked, 0), "M01J055R4HMFAY8VVR14D2PF2DBB00");
        assert_eq!(order_id(run, 31), lock_id(run, 31));
    }

    #[test]
    fn r23_a_repetition_and_an_sms_have_ids_of_their_own_and_lead_back() {
        let told = client_msg_id(Uuid::from_u128(7), NoticeKind::Booked, 1);
        let again = resent_id(&told, 3).unwrap();
        assert_eq!((again.len(), again.ends_with("U3"), first_id(&again)), (32, true, told.as_str()));
        assert_eq!(resent_id(&again, 3).as_ref(), Some(&again));
        assert_eq!((resent_id(&told, 0), resent_id(&told, 32)), (None, None));
        let sms = sms_id(&again);
        assert!(sms.starts_with('S') && sms.get(1..) == again.get(1..));
        assert_eq!(run_of(&sms), Some(Uuid::from_u128(7)));
    }

    #[test]
    fn strangers_are_not_ours() {
        let good = trade_no(Uuid::from_u128(7), 0);
        let table = ["", "T", "T00", "X0000000000000000000000000700", "T0000000000000000000000000i700", "预约号"];
        for id in table.into_iter().map(str::to_owned).chain([
            format!("{good}0"),
            format!("{good}U"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            // More than 128 bits.
            good.replacen("T0", "TZ", 1),
        ]) {
            assert_eq!(run_of(&id), None, "{id}");
        }
    }

    #[test]
    fn every_kind_of_notice_has_an_id_of_its_own() {
        let kinds: Vec<_> = NoticeKind::samples().collect();
        let run = Uuid::from_u128(1);
        let ids: HashSet<_> = kinds.iter().map(|kind| client_msg_id(run, *kind, 0)).collect();
        let failures = FailReason::ALL.len();
        // All failures share one letter: an application fails once.
        assert_eq!(ids.len(), kinds.len() - failures + 1);
    }

    proptest! {
        #[test]
        fn every_id_leads_back_to_its_run(run in run(), nth: u16, other: u16) {
            for id in all(run, nth, other) {
                prop_assert_eq!(run_of(&id), Some(run), "{}", id);
                prop_assert_eq!(run_of(&id.to_ascii_lowercase()), Some(run));
            }
        }

        #[test]
        fn every_id_fits(run in run(), nth: u16, other: u16) {
            for id in all(run, nth, other) {
                prop_assert!(id.bytes().all(|letter| letter.is_ascii_alphanumeric()));
                prop_assert!(id.len() >= 6);
                prop_assert!(id.len() <= if id.contains('U') { 36 } else { 32 }, "{}", id);
            }
        }

        #[test]
        fn different_origins_give_different_ids(
            a in (run(), any::<u16>(), any::<u16>()),
            b in (run(), any::<u16>(), any::<u16>()),
            same_run: bool,
        ) {
            let b = if same_run { (a.0, b.1, b.2) } else { b };
            prop_assume!(a != b);
            let refund = |(run, nth, other)| refund_no(&trade_no(run, nth), other);
            prop_assert_ne!(refund(a), refund(b));
            if (a.0, a.1) != (b.0, b.1) {
                prop_assert_ne!(trade_no(a.0, a.1), trade_no(b.0, b.1));
                prop_assert_ne!(lock_id(a.0, a.1), lock_id(b.0, b.1));
            }
            prop_assert_ne!(trade_no(a.0, a.1), lock_id(a.0, a.1));
        }

        #[test]
        fn nothing_from_outside_breaks_the_way_back(id in "\\PC{0,40}", rest in "[A-Z0-9]{0,34}") {
            let _ = run_of(&id);
            if let Some(run) = run_of(&rest) {
                prop_assert!(all(run, 0, 0).iter().any(|ours| ours.get(..27) == rest.get(..27)));
            }
        }
    }
}
