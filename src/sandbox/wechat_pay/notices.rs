//! Notices: when they are tried, what goes wrong with them, and how one try is made.
//!
//! A notice is repeated on the real schedule until it is answered 200 or 204, and given up after the last try.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::entries::{NoticeEntry, misstate};
use super::keys::{Keys, MERCHANT_ID};
use crate::ports::payments::Provider;
use crate::ports::payments::platform::wire::Telling;
use crate::ports::payments::sealed::ALGORITHM;
use crate::ports::payments::signature::{SCHEME, nonce, platform_message};
use crate::ports::stamp::Way;
use crate::sandbox::faults::{LONG_AGO, PushFault, hash};

/// How long after each try the next one comes (4.3), seconds.
const RETRIES_SECONDS: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// How long the platform waits for an answer (4.3).
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Somebody else.
const OTHER_MERCHANT: &str = "1900000999";

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Answered 200 or 204.
    pub answered: bool,
    /// The copy with a wrong signature was answered 2xx.
    pub probe_believed: bool,
}

/// A new notice, first due at `at` or, with a fault, otherwise. `roll` is its chance.
#[allow(clippy::too_many_arguments)] // Each is one field of the entry.
pub(super) fn planned(
    id: String,
    event: &str,
    about: &str,
    resource: Value,
    url: String,
    at: DateTime<Utc>,
    fault: Option<PushFault>,
    roll: u64,
) -> NoticeEntry {
    let late = match fault {
        Some(PushFault::Late) => TimeDelta::seconds(300 + i64::try_from(roll % 3300).unwrap_or(0)),
        _ => TimeDelta::zero(),
    };
    let lost = match fault {
        Some(PushFault::Lost) => u32::try_from(1 + roll % (RETRIES_SECONDS.len() as u64 + 1)).unwrap_or(1),
        _ => 0,
    };
    NoticeEntry {
        id,
        about: about.to_owned(),
        event: event.to_owned(),
        resource,
        door: Provider::default(),
        misstated: fault == Some(PushFault::WrongAmount),
        misdirected: fault == Some(PushFault::WrongMerchant),
        old: fault == Some(PushFault::Old),
        url,
        created_at: at,
        next_at: Some(at + late),
        tries: 0,
        lost,
        doubled: fault == Some(PushFault::Duplicate),
        probe: fault == Some(PushFault::WrongSignature),
        answered_at: None,
        probe_believed: false,
    }
}

/// Notes what a try came to: answered, the next try, or given up.
pub(super) fn note(notice: &mut NoticeEntry, outcome: Outcome, now: DateTime<Utc>) {
    let Some(tried_at) = notice.next_at else { return };
    let delay = usize::try_from(notice.tries).ok().and_then(|tries| RETRIES_SECONDS.get(tries));
    notice.tries += 1;
    notice.probe_believed |= outcome.probe_believed;
    notice.probe = false;
    notice.misstated = false;
    notice.misdirected = false;
    notice.old = false;
    if outcome.answered {
        notice.answered_at = Some(now);
        notice.next_at = None;
    } else {
        notice.next_at = delay.map(|seconds| tried_at + TimeDelta::seconds(*seconds));
    }
}

/// One try: the probe, the copy of long ago or the notice with another amount or to another merchant first if there is one, then the notice, then once more if it is doubled.
pub(super) async fn try_once(http: &reqwest::Client, keys: &Keys, notice: &NoticeEntry, now: DateTime<Utc>) -> Outcome {
    if notice.tries < notice.lost {
        return Outcome { answered: false, probe_believed: false };
    }
    let Some(body) = envelope(keys, notice, MERCHANT_ID) else {
        tracing::error!(notice = %notice.id, "a notice could not be sealed");
        return Outcome { answered: false, probe_believed: false };
    };
    if notice.misstated {
        let wrong = misstated(notice);
        if let Some(body) = envelope(keys, &wrong, MERCHANT_ID) {
            post(http, keys, &wrong, &body, now, false).await;
        }
    }
    if notice.misdirected {
        let mut wrong = NoticeEntry { id: format!("{}-other", notice.id), ..notice.clone() };
        if let Some(merchant) = wrong.resource.get_mut("mchid") {
            *merchant = json!(OTHER_MERCHANT);
        }
        if let Some(body) = envelope(keys, &wrong, OTHER_MERCHANT) {
            post(http, keys, &wrong, &body, now, false).await;
        }
    }
    if notice.old {
        post(http, keys, notice, &body, now - LONG_AGO, false).await;
    }
    let probe_believed = notice.probe && matches!(post(http, keys, notice, &body, now, true).await, Some(200..300));
    let mut answered = is_answer(post(http, keys, notice, &body, now, false).await);
    if notice.doubled {
        answered |= is_answer(post(http, keys, notice, &body, now, false).await);
    }
    Outcome { answered, probe_believed }
}

/// Another notice about the same, with an 分 more than there is.
fn misstated(notice: &NoticeEntry) -> NoticeEntry {
    let mut wrong = notice.clone();
    wrong.id = format!("{}-wrong", notice.id);
    misstate(&mut wrong.resource, notice.door);
    wrong
}

fn is_answer(status: Option<u16>) -> bool {
    matches!(status, Some(200 | 204))
}

/// The notice's body: of WeChat Pay sealed, of a platform open.
fn envelope(keys: &Keys, notice: &NoticeEntry, merchant_id: &str) -> Option<String> {
    if notice.door == Provider::Platform {
        let (id, event, data) = (notice.id.clone(), notice.event.clone(), notice.resource.clone());
        let telling = Telling { id, event, merchant_id: merchant_id.to_owned(), data };
        return serde_json::to_string(&telling).ok();
    }
    let original = if notice.event.starts_with("REFUND") { "refund" } else { "transaction" };
    // A nonce serves once: it follows from the notice and the try.
    let unique = hash(&[notice.id.as_bytes(), &notice.tries.to_le_bytes()]);
    let nonce = format!("{:012x}", unique & 0xffff_ffff_ffff);
    let ciphertext = keys.sealing.seal(&nonce, original, notice.resource.to_string().as_bytes())?;
    let body = json!({
        "id": notice.id,
        "create_time": notice.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "resource_type": "encrypt-resource",
        "event_type": notice.event,
        "summary": if original == "refund" { "退款通知" } else { "支付成功" },
        "resource": {
            "original_type": original, "algorithm": ALGORITHM, "ciphertext": ciphertext,
            "associated_data": original, "nonce": nonce,
        },
    });
    Some(body.to_string())
}

/// Posts once; the status that came back, if any.
async fn post(
    http: &reqwest::Client,
    keys: &Keys,
    notice: &NoticeEntry,
    body: &str,
    now: DateTime<Utc>,
    probe: bool,
) -> Option<u16> {
    if notice.door == Provider::Platform {
        // A wrong signature is one over something else.
        let said = if probe { "another body" } else { body };
        let stamp = keys.stamper.sign(Way::Event, now, &nonce(), said.as_bytes());
        let mut request = http.post(&notice.url).header("Content-Type", "application/json").body(body.to_owned());
        for (name, value) in stamp.headers() {
            request = request.header(name, value);
        }
        return request.send().await.ok().map(|response| response.status().as_u16());
    }
    let (timestamp, nonce) = (now.timestamp().to_string(), nonce());
    let signature = keys.platform().sign(&platform_message(&timestamp, &nonce, body.as_bytes()))?;
    // The platform's own probes look like this.
    let signature = if probe { format!("WECHATPAY/SIGNTEST/{signature}") } else { signature };
    let request = http
        .post(&notice.url)
        .header("Content-Type", "application/json")
        .header("Wechatpay-Timestamp", timestamp)
        .header("Wechatpay-Nonce", nonce)
        .header("Wechatpay-Serial", keys.platform_serial())
        .header("Wechatpay-Signature", signature)
        .header("Wechatpay-Signature-Type", SCHEME)
        .body(body.to_owned());
    request.send().await.ok().map(|response| response.status().as_u16())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn planned_with(fault: Option<PushFault>, roll: u64) -> NoticeEntry {
        let at = "2026-09-01T00:00:00Z".parse().unwrap();
        planned("EV-1".into(), "TRANSACTION.SUCCESS", "no", Value::Null, String::new(), at, fault, roll)
    }

    #[test]
    fn an_unanswered_notice_keeps_to_the_real_schedule_and_ends() {
        let mut notice = planned_with(None, 0);
        let mut gaps = Vec::new();
        while let Some(at) = notice.next_at {
            note(&mut notice, Outcome { answered: false, probe_believed: false }, at);
            gaps.extend(notice.next_at.map(|next| (next - at).num_seconds()));
        }
        assert_eq!(gaps, RETRIES_SECONDS);
        assert_eq!((notice.tries, notice.answered_at), (16, None));
    }

    #[test]
    fn an_answer_ends_it() {
        let mut notice = planned_with(None, 0);
        let at = notice.created_at;
        note(&mut notice, Outcome { answered: true, probe_believed: false }, at);
        assert_eq!((notice.next_at, notice.answered_at, notice.tries), (None, Some(at), 1));
    }

    #[test]
    fn faults_delay_or_drop_the_first_tries() {
        let late = planned_with(Some(PushFault::Late), 7);
        assert!(late.next_at.unwrap() >= late.created_at + TimeDelta::minutes(5));
        let lost: Vec<u32> = (0..200).map(|roll| planned_with(Some(PushFault::Lost), roll).lost).collect();
        assert_eq!((lost.iter().min(), lost.iter().max()), (Some(&1), Some(&16)));
        assert!(planned_with(Some(PushFault::Duplicate), 1).doubled);
        assert!(planned_with(Some(PushFault::WrongSignature), 1).probe);
    }
}
