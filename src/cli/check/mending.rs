//! How to mend what keeps a system outside from answering: one sentence, from what was seen. Pure.

use crate::ports::CallError;
use crate::ports::identity::IdentityError;

/// The keys of an access token.
const OAUTH: &str = "[his.oauth] token_url, client_id, and client_secret or private_key_pem";

/// What to do about it; `look_at` names the keys of the configuration that it hangs on.
pub(super) fn mend(error: &CallError, look_at: &str) -> String {
    let (CallError::NotTaken { detail, .. }
    | CallError::NotNow { detail, .. }
    | CallError::Unknown { detail, .. }
    | CallError::Broken { detail, .. }) = error;
    let (detail, look_at) = meant(error, detail, look_at);
    let of = |what: &str| format!("{what}: look at {look_at}");
    if let Some(told) = by_wechat(detail) {
        return of(told);
    }
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
        CallError::NotTaken { .. } if matches!(detail, "no connection" | "no answer") => of(
            "nobody answers at that address: is it right, is the service up, does a firewall let us out, is its certificate good",
        ),
        CallError::NotTaken { .. } if detail == "unreadable answer" => {
            of("something answers there, but not as this service does")
        }
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

/// What to do about an identity provider.
pub(super) fn mend_identity(error: &IdentityError) -> &'static str {
    match error {
        IdentityError::Away(_) => "nobody answers at that address as an OpenID provider does",
        IdentityError::Refused(_) => {
            "something answers there, but has no /.well-known/openid-configuration: the path is wrong"
        }
        IdentityError::Unbelieved(_) => "it has to call itself exactly so",
    }
}

/// A call that failed for the want of its token: what was seen at the token's own address, and the keys that this hangs on.
fn meant<'a>(error: &CallError, detail: &'a str, look_at: &'a str) -> (&'a str, &'a str) {
    let of_oauth = matches!(error, CallError::Broken { call: "OAuth token", .. });
    match detail.strip_prefix("OAuth token: ") {
        Some(seen) => (seen, OAUTH),
        None if of_oauth => (detail, OAUTH),
        None => (detail.strip_prefix("no token: ").unwrap_or(detail), look_at),
    }
}

/// What WeChat tells who asks for a token and does not get one.
fn by_wechat(detail: &str) -> Option<&'static str> {
    match detail.strip_prefix("errcode ")? {
        "40164" => Some("our network address is not on the account's IP allow-list (IP 白名单)"),
        "40013" => Some("it knows no such app_id"),
        "40001" | "40125" => Some("the secret is not this account's"),
        _ => None,
    }
}

/// The status in `HTTP 404 …` or `status 404`.
fn status(detail: &str) -> Option<u16> {
    let told = detail.strip_prefix("HTTP ").or_else(|| detail.strip_prefix("status "))?;
    told.split(' ').next()?.parse().ok()
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
            (not_taken("OAuth token: no answer"), "firewall let us out, is its certificate good: look at [his.oauth]"),
            (not_taken("OAuth token: HTTP 503"), "its log"),
            (not_taken("no token: no answer"), "firewall"),
            (not_taken("no token: status 404"), "path"),
            (not_taken("no token: unreadable answer"), "not as this service"),
            (not_taken("no token: busy or over the limit"), "later"),
            (broken("errcode 40164"), "allow-list"),
            (broken("errcode 40125"), "secret"),
            (broken("errcode 40013"), "app_id"),
        ] {
            let said = mend(&error, "[his] url");
            assert!(said.contains(does), "{error}: {said}");
        }
    }

    #[test]
    fn a_refused_token_leads_to_the_keys_of_the_token() {
        for detail in ["HTTP 401 invalid_client", "HTTP 400 invalid_scope", "HTTP 404", "no token came"] {
            let error = CallError::Broken { system: "his", call: "OAuth token", detail: detail.to_owned() };
            let said = mend(&error, "[his] url");
            assert!(said.contains("[his.oauth] token_url") && !said.contains("[his] url"), "{detail}: {said}");
        }
    }
}
