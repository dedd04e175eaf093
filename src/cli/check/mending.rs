//! How to mend what keeps a system outside from answering: one sentence, from what was seen. Pure.

use crate::ports::CallError;

/// What to do about it; `look_at` names the keys of the configuration that it hangs on.
pub(super) fn mend(error: &CallError, look_at: &str) -> String {
    let (CallError::NotTaken { detail, .. }
    | CallError::NotNow { detail, .. }
    | CallError::Unknown { detail, .. }
    | CallError::Broken { detail, .. }) = error;
    let of = |what: &str| format!("{what}: look at {look_at}");
    match status(detail) {
        Some(300..=399) => {
            return "it sends us elsewhere: put the address where that ends into the configuration".to_owned();
        }
        Some(401 | 403) => return of("it does not let us in, our key or our network address is not known there"),
        Some(404 | 405 | 410) => return of("something answers there, but not this service: the path is wrong"),
        Some(429) => {
            return "it is asked too often: ask again in a minute, and set its rate_per_s in [limits]".to_owned();
        }
        Some(500..) => return "it fails itself, or the proxy before it does: look into its log".to_owned(),
        _ => {}
    }
    match error {
        CallError::NotTaken { .. } if detail == "no connection" => of(
            "nobody answers at that address: is it right, is the service up, does a firewall let us out, is its certificate good",
        ),
        CallError::NotTaken { .. } | CallError::NotNow { .. } => "it cannot just now: ask again later".to_owned(),
        CallError::Unknown { .. } if detail == "no answer in time" => {
            "it is reached and does not answer in time: raise timeout_ms, or ask whoever runs it".to_owned()
        }
        CallError::Unknown { .. } if detail.contains("cut") => {
            of("it hangs up: http where it wants https, or a certificate of ours that it wants to see")
        }
        CallError::Unknown { .. } if detail.contains("signature") => {
            of("its answer is signed with another key than ours")
        }
        CallError::Unknown { .. } => of("something answers there, but not as this service does"),
        CallError::Broken { .. } if detail.contains("differ") || detail.starts_with("RETURN_CODE 7") => {
            of("our signature is refused, the keys of the two sides differ")
        }
        CallError::Broken { .. } => of("it refuses what we ask"),
    }
}

/// The status in `HTTP 404 …`.
fn status(detail: &str) -> Option<u16> {
    detail.strip_prefix("HTTP ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_says_what_to_do() {
        let (system, call) = ("his", "2003 GetRegInfo");
        let not_taken = |detail: &str| CallError::NotTaken { system, detail: detail.to_owned() };
        let unknown = |detail: &str| CallError::Unknown { system, call, detail: detail.to_owned() };
        let broken = |detail: &str| CallError::Broken { system, call, detail: detail.to_owned() };
        for (error, does) in [
            (not_taken("no connection"), "firewall"),
            (not_taken("HTTP 429"), "too often"),
            (unknown("no answer in time"), "timeout_ms"),
            (unknown("the connection was cut"), "https"),
            (unknown("HTTP 502"), "its log"),
            (unknown("the reply's signature is wrong"), "another key"),
            (unknown("the reply cannot be read"), "not as this service"),
            (broken("HTTP 404"), "path"),
            (broken("HTTP 302"), "elsewhere"),
            (broken("HTTP 403 forbidden"), "let us in"),
            (broken("RETURN_CODE 7"), "keys"),
            (broken("RETURN_CODE 1"), "refuses"),
        ] {
            let said = mend(&error, "[his] url");
            assert!(said.contains(does), "{error}: {said}");
        }
    }
}
