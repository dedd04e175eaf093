//! What the push reader believes, what it refuses, and that nothing makes it panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn credentials() -> Credentials {
    Credentials { user_id: "HIS-1".into(), sign_key: "sign".into(), aes_key: "0123456789abcdef".into() }
}

fn reader() -> PushReader {
    PushReader::new(&credentials(), chrono_tz::Asia::Shanghai).unwrap()
}

fn sealed(function: &str, body: &str) -> String {
    soap::request("Push", &Envelope::new(&credentials()).unwrap().seal_request(function, body).unwrap())
}

const CANCEL: &str = "<REQ><EVENT_ID>e1</EVENT_ID><HOSP_ORDER_ID>H1</HOSP_ORDER_ID><CHANNEL_ID>9</CHANNEL_ID>\
    <REG_ID>R1</REG_ID><DEPT_ID>D1</DEPT_ID><DOCTOR_ID>7</DOCTOR_ID><REG_DATE>2026-10-12</REG_DATE>\
    <TIME_FLAG>1</TIME_FLAG><BEGIN_TIME>08:00</BEGIN_TIME><END_TIME>8:30</END_TIME>\
    <CANCEL_TIME>2026-10-10 09:15:30</CANCEL_TIME></REQ>";

#[test]
fn a_cancel_push_is_read_in_the_hospitals_clock() {
    let Push::Cancelled { event_id, slot, cancelled_at, part, .. } =
        reader().read(sealed("5007", CANCEL).as_bytes()).unwrap()
    else {
        panic!("not a cancel")
    };
    assert_eq!((event_id.as_str(), part), ("e1", DayPart::Morning));
    let time = |text: &str| text.parse::<NaiveTime>().unwrap();
    assert_eq!(slot, Some(TimeSlot::new(time("08:00"), time("08:30"))));
    assert_eq!(cancelled_at.to_rfc3339(), "2026-10-10T01:15:30+00:00");
}

#[test]
fn r30_a_booking_of_ours_that_his_has_cancelled_is_named_by_our_number() {
    let cancel = "<REQ><HOS_ID>1</HOS_ID><ORDER_ID>L1</ORDER_ID><CANCEL_DATE>2026-10-10</CANCEL_DATE>\
        <CANCEL_REMARK>窗口退号</CANCEL_REMARK></REQ>";
    let read = |body: &str| reader().read(sealed("5002", body).as_bytes());
    assert_eq!(read(cancel), Ok(Push::OrderCancelled { order_id: "L1".into() }));
    assert_eq!(read(&cancel.replace("L1", " ")), Err(PushError::Unreadable("ORDER_ID")));
}

#[test]
fn r34_a_change_says_who_sees_patients_and_when_from_now_on() {
    let change = "<REQ><EVENT_ID>c1</EVENT_ID><REG_ID>R1</REG_ID><DEPT_ID>D1</DEPT_ID><DOCTOR_ID>9</DOCTOR_ID>\
        <DOCTOR_NAME>王医生</DOCTOR_NAME><REG_DATE>2026-10-13</REG_DATE><TIME_FLAG>2</TIME_FLAG>\
        <CHANGE_TIME>2026-10-10 09:15:30</CHANGE_TIME></REQ>";
    let read = |body: &str| reader().read(sealed("5008", body).as_bytes());
    let Ok(Push::Changed { event_id, reg_id, doctor, sitting, changed_at, .. }) = read(change) else {
        panic!("not a change")
    };
    assert_eq!((event_id.as_str(), reg_id.as_str(), doctor.0.as_str()), ("c1", "R1", "王医生"));
    assert_eq!((sitting.doctor_id.as_str(), sitting.part), ("9", DayPart::Afternoon));
    assert_eq!(changed_at.to_rfc3339(), "2026-10-10T01:15:30+00:00");
    let nobody = change.replace("<DOCTOR_ID>9", "<DOCTOR_ID> ");
    assert_eq!(read(&nobody), Err(PushError::Unreadable("DOCTOR_ID")));
}

#[test]
fn a_stop_without_an_event_id_gets_a_stable_one() {
    let id = |doctor: &str, remark: &str| {
        let body = format!(
            "<REQ><DEPT_ID>D1</DEPT_ID><DOCTOR_ID>{doctor}</DOCTOR_ID><REG_DATE>2026-10-12</REG_DATE>\
             <TIME_FLAG></TIME_FLAG><BEGIN_TIME/><STOP_REMARK>{remark}</STOP_REMARK></REQ>"
        );
        match reader().read(sealed("5001", &body).as_bytes()).unwrap() {
            Push::Stopped { event_id, part: None, slot: None, .. } => event_id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(id("7", "会议"), id("7", "外出会议"));
    assert_ne!(id("7", "会议"), id("8", "会议"));
}

#[test]
fn other_functions_and_every_refusal_have_their_own_word() {
    let reader = reader();
    let read = |raw: &str| reader.read(raw.as_bytes());
    assert_eq!(read(&sealed("5003", "<REQ/>")), Ok(Push::Other { code: "5003".into() }));
    assert_eq!(read("hello"), Err(PushError::NotXml));
    assert_eq!(read(&format!("<!DOCTYPE x>{}", sealed("5007", CANCEL))), Err(PushError::NotXml));
    assert_eq!(read(&sealed("5007", CANCEL).replace("5007", "5001")), Err(PushError::BadSignature));
    let without = CANCEL.replace("<EVENT_ID>e1</EVENT_ID>", "<EVENT_ID> </EVENT_ID>");
    assert_eq!(read(&sealed("5007", &without)), Err(PushError::Unreadable("EVENT_ID")));
    assert_eq!(read(&sealed("5007", "<!DOCTYPE x><REQ/>")), Err(PushError::Unreadable("5007 CancelPush")));
    let half = CANCEL.replace("<END_TIME>8:30</END_TIME>", "");
    assert_eq!(read(&sealed("5007", &half)), Err(PushError::Unreadable("BEGIN_TIME/END_TIME")));
}

#[test]
fn the_answer_is_an_envelope_that_the_his_can_verify() {
    let reader = reader();
    for (answer, code) in [
        (PushAnswer::Accepted, "0"),
        (PushAnswer::from(PushError::NotXml), "1"),
        (PushAnswer::from(PushError::BadSignature), "7"),
        (PushAnswer::TryAgain, "99"),
    ] {
        let text = reader.answer(answer);
        assert!(text.contains(&format!("<RETURN_CODE>{code}</RETURN_CODE>")), "{text}");
        assert_eq!(Envelope::new(&credentials()).unwrap().open_reply(text.as_bytes()).unwrap().code, code);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(reader().read(&raw).is_err());
    }

    #[test]
    fn random_markup_never_panics(raw in "(<[A-Z]{0,4}/?>|</?ROOT>|<!\\[CDATA\\[|\\]\\]>|&#?[a-z0-9]{0,9};|<!DOCTYPE|[^<]{0,5}){0,40}") {
        prop_assert!(reader().read(raw.as_bytes()).is_err());
    }

    /// A mutated envelope is refused, or says what it said before (white space, the case of the signature).
    #[test]
    fn mutated_envelopes_are_never_believed(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut raw = sealed("5007", CANCEL).into_bytes();
        let at = at.index(raw.len());
        if cut { raw.truncate(at) } else { raw[at] = byte }
        if let Ok(push) = reader().read(&raw) {
            prop_assert_eq!(push, reader().read(sealed("5007", CANCEL).as_bytes()).unwrap());
        }
    }

    /// A body that was changed before it was signed: any outcome but a panic.
    #[test]
    fn mutated_bodies_never_panic(at in any::<prop::sample::Index>(), piece in "\\PC{0,6}", function in "500[1-8]") {
        let mut body: Vec<char> = CANCEL.chars().collect();
        let at = at.index(body.len());
        body.splice(at..(at + 3).min(CANCEL.chars().count()), piece.chars());
        let body: String = body.into_iter().collect();
        let _ = reader().read(sealed(&function, &body).as_bytes());
    }
}
