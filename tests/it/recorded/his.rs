//! Every function of the port of HIS in each of its three languages: done once, and refused once, with all that the interfaces are
//! known to say.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Config, DayPart, Functions, His, Identity, ListedBreach, LockedBy, Page, PaidBy, PaidWith, Place,
    Protocol, TimeSlot, connect,
};

use super::tape::{Recording, Scenario, Tape, recordings};

const KEY: &str = "recorded-sign-key";
const ID: &str = "L01J055R4HMFAY8VVR14D2PF2DA";

/// Where its service lies under the address of the tape.
fn path(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Jiankangtong => "/services/his",
        Protocol::Rest => "/rest",
        Protocol::Fhir => "/fhir",
    }
}

fn recorded(protocol: Protocol) -> impl Iterator<Item = (String, Recording)> {
    recordings(&format!("his/{}", protocol.name())).into_iter()
}

/// The functions as the port declares them.
fn functions() -> BTreeSet<String> {
    let port = include_str!("../../../src/ports/his/mod.rs");
    let (_, body) = port.split_once("pub trait His").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let named = body.lines().filter_map(|line| line.trim_start().strip_prefix("async fn ")?.split_once('('));
    named.map(|(name, _)| name.to_owned()).collect()
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, 12).unwrap()
}

fn place(half_day: bool) -> Place {
    let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    let slot =
        if half_day { TimeSlot::of_half_day(time(8, 0), time(12, 0)) } else { TimeSlot::new(time(8, 0), time(8, 30)) };
    Place {
        reg_id: "R1".to_owned(),
        department_id: "K01".to_owned(),
        doctor_id: "D7".to_owned(),
        visit_date: day(),
        part: DayPart::Morning,
        slot,
        fee_fen: 5000,
    }
}

fn paid() -> PaidWith {
    PaidWith { out_trade_no: "T01J055R4HMFAY8VVR14D2PF2DA".to_owned(), amount_fen: 5000 }
}

fn booking(locked_and_paid: bool, half_day: bool) -> BookRequest {
    BookRequest {
        order_id: ID.to_owned(),
        locked: locked_and_paid,
        place: place(half_day),
        // The example of GB 11643.
        identity: Identity {
            id_type: "1".to_owned(),
            id_number: "11010519491231002X".to_owned(),
            name: "李时珍".to_owned(),
            phone: "13800138000".to_owned(),
        },
        paid: locked_and_paid.then(paid),
        at: "2026-10-11T14:00:00Z".parse().unwrap(),
    }
}

/// Breaches carry personal data, and cannot be shown otherwise.
fn shown(page: &Page<ListedBreach>) -> String {
    let line = |it: &ListedBreach| {
        [&it.his_order_id, &it.id_type, &it.id_number, &it.department_id, &it.channel_id, &it.kind]
            .map(String::as_str)
            .join(" ")
    };
    format!("{} pages: {}", page.pages, page.lines.iter().map(line).collect::<Vec<_>>().join(", "))
}

/// Makes the call of a recording, and shows what came of it.
async fn made(his: &dyn His, call: &str) -> Result<String, CallError> {
    let next = day().succ_opt().unwrap();
    Ok(match call {
        "schedules" => format!("{:?}", his.schedules("K01", None, day(), next).await?),
        "schedules of a doctor" => format!("{:?}", his.schedules("K01", Some("D7"), day(), next).await?),
        "open_slots" => format!("{:?}", his.open_slots("R1", day()).await?),
        "lock" => format!("{:?}", his.lock(ID, &place(false), 30).await?),
        "lock of a half-day" => format!("{:?}", his.lock(ID, &place(true), 30).await?),
        "renew" => format!("{:?}", his.renew(ID, 30).await?),
        "lock_standing" => format!("{:?}", his.lock_standing(ID).await?),
        "unlock" => format!("{:?}", his.unlock(ID).await?),
        "book" => format!("{:?}", his.book(&booking(false, false)).await?),
        "book locked and paid" => format!("{:?}", his.book(&booking(true, false)).await?),
        "book of a half-day" => format!("{:?}", his.book(&booking(false, true)).await?),
        "cancel" => format!("{:?}", his.cancel(ID, "患者取消").await?),
        "refund" => format!("{:?}", his.refund(ID, &paid()).await?),
        "order" => format!("{:?}", his.order(ID).await?),
        "time_of" => format!("{:?}", his.time_of(ID).await?),
        "orders_of" => format!("{:?}", his.orders_of(day(), 1).await?),
        "locks_of" => format!("{:?}", his.locks_of(day(), 1).await?),
        "breaches_of" => shown(&his.breaches_of(day(), 1).await?),
        other => panic!("no recording makes the call {other}"),
    })
}

async fn replayed(protocol: Protocol, what: &str, scenario: &Scenario) {
    let stamped = (protocol == Protocol::Rest).then_some(KEY);
    let (address, tape) = Tape::play(scenario, stamped).await;
    let functions = match scenario.note("functions") {
        Some("v3.3") => Functions { lock: LockedBy::LockReg { minutes: 10 }, pay: PaidBy::PayReg },
        _ => Functions::default(),
    };
    let his = connect(Config {
        protocol,
        url: format!("{address}{}", path(protocol)),
        hospital_id: "1001".to_owned(),
        user_id: "HOUBU".to_owned(),
        sign_key: KEY.into(),
        aes_key: "0123456789abcdef".into(),
        charset: tape.charset(),
        oauth: None,
        channel_id: "1".to_owned(),
        timeout: Duration::from_secs(20),
        time_zone: chrono_tz::Asia::Shanghai,
        cares_for_locks: true,
        functions,
    })
    .unwrap();
    let came = made(&*his, scenario.note("call").unwrap()).await;
    tape.was_asked(what);
    let came = came.unwrap_or_else(|error| error.to_string());
    assert_eq!(Some(came.as_str()), scenario.note("means"), "{what}");
}

async fn every_recording(protocol: Protocol) {
    for (function, recording) in recorded(protocol) {
        for scenario in &recording.scenarios {
            let what = format!("{} {function}: {}", protocol.name(), scenario.title);
            replayed(protocol, &what, scenario).await;
        }
    }
}

#[tokio::test]
async fn what_a_his_of_jiankangtong_is_asked_and_means_is_as_recorded() {
    every_recording(Protocol::Jiankangtong).await;
}

#[tokio::test]
async fn what_a_his_of_rest_is_asked_and_means_is_as_recorded() {
    every_recording(Protocol::Rest).await;
}

#[tokio::test]
async fn what_a_his_of_fhir_is_asked_and_means_is_as_recorded() {
    every_recording(Protocol::Fhir).await;
}

#[test]
fn every_function_of_the_port_is_recorded_done_and_refused_in_each_language() {
    let functions = functions();
    assert!(functions.len() >= 14, "{functions:?}");
    for protocol in Protocol::ALL {
        let name = protocol.name();
        let mut found = BTreeSet::new();
        for (function, recording) in recorded(protocol) {
            assert!(
                recording.source.contains("Written from") && recording.source.contains("not captured"),
                "{function}"
            );
            let calls = |it: &Scenario| it.note("call").and_then(|call| call.split(' ').next()) == Some(&function);
            assert!(recording.scenarios.iter().all(calls), "{name}/{function} records another call");
            let said = |it: &&Scenario| it.note("code").is_some_and(|code| it.answers().contains(code));
            let refused = recording.scenarios.iter().filter(said).count();
            let done = recording.scenarios.iter().filter(|it| it.note("code").is_none()).count();
            assert!(done > 0 && refused > 0, "{name}/{function}: {done} done, {refused} refused");
            assert_eq!(done + refused, recording.scenarios.len(), "{name}/{function}: a code that no answer says");
            found.insert(function);
        }
        assert_eq!(found, functions, "{name}");
    }
}

/// What a HIS that offers v3.3 alone is asked differently.
#[test]
fn the_functions_of_v3_3_are_recorded_in_both_languages_that_have_them() {
    for protocol in [Protocol::Jiankangtong, Protocol::Rest] {
        let all: Vec<Scenario> = recorded(protocol).flat_map(|(_, recording)| recording.scenarios).collect();
        let plain: Vec<&Scenario> = all.iter().filter(|it| it.note("functions") == Some("v3.3")).collect();
        let codes: BTreeSet<&str> = plain.iter().filter_map(|it| it.note("code")).collect();
        for code in ["200501", "200504", "200505", "200506", "200802", "200803", "200804", "99"] {
            assert!(codes.contains(code), "{}: {code}", protocol.name());
        }
    }
}

#[test]
fn every_code_that_is_known_of_a_lock_or_a_booking_is_recorded() {
    for protocol in Protocol::ALL {
        let codes: BTreeSet<String> = recorded(protocol)
            .flat_map(|(_, recording)| recording.scenarios)
            .filter_map(|it| it.note("code").map(str::to_owned))
            .collect();
        for code in [
            "200501", "200505", "200506", "200601", "200701", "200708", "200709", "200710", "200711", "200902",
            "201001", "201401",
        ] {
            assert!(codes.contains(code), "{}: {code}", protocol.name());
        }
    }
}
