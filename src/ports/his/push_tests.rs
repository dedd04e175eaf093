//! What the push reader believes, what it refuses, and that nothing makes it panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn credentials() -> Credentials {
    Credentials { user_id: "HIS-1".into(), sign_key: "sign".into(), aes_key: "0123456789abcdef".into() }
}

fn reader() -> PushReader {
    PushReader::new(&credentials(), "1001", chrono_tz::Asia::Shanghai).unwrap()
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
    let cancel = "<REQ><HOS_ID>1001</HOS_ID><ORDER_ID>L1</ORDER_ID><CANCEL_DATE>2026-10-10</CANCEL_DATE>\
        <CANCEL_REMARK>窗口退号</CANCEL_REMARK></REQ>";
    let read = |body: &str| reader().read(sealed("5002", body).as_bytes());
    assert_eq!(read(cancel), Ok(Push::OrderCancelled { order_id: "L1".into() }));
    assert_eq!(read(&cancel.replace("L1", " ")), Err(PushError::Unreadable("ORDER_ID")));
}

#[test]
fn a_push_of_another_hospital_is_not_ours_whatever_it_says() {
    let read = |function: &str, hos_id: &str| {
        let body = CANCEL.replace("<REQ>", &format!("<REQ><HOS_ID>{hos_id}</HOS_ID>"));
        reader().read(sealed(function, &body).as_bytes())
    };
    for function in ["5001", "5003", "5007"] {
        assert_eq!(read(function, "1002"), Err(PushError::OtherHospital), "{function}");
    }
    for ours in ["1001", " 1001 ", ""] {
        assert!(matches!(read("5007", ours), Ok(Push::Cancelled { .. })), "{ours}");
    }
    assert_eq!(PushAnswer::from(PushError::OtherHospital).status(), 400);
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
    let other = |body: &str| match read(&sealed("5003", body)) {
        Ok(Push::Other { event_id, code, order_id: None }) if code == "5003" => event_id,
        other => panic!("{other:?}"),
    };
    assert_eq!(other("<REQ/>"), other("<REQ/>"), "the same on every repetition");
    assert_ne!(other("<REQ/>"), other("<REQ><ORDER_ID>1</ORDER_ID></REQ>"));
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
fn r15_what_is_signed_is_told_from_what_is_not_and_named_as_far_as_it_can_be() {
    let take = |raw: &str| reader().take(raw.as_bytes()).unwrap_err();
    let without = CANCEL.replace("<CANCEL_TIME>2026-10-10 09:15:30</CANCEL_TIME>", "");
    let named = Named { function: Some("5007".into()), event_id: Some("e1".into()) };
    let untaken = take(&sealed("5007", &without));
    assert_eq!((untaken.error, untaken.signed), (PushError::Unreadable("5007 CancelPush"), Some(named)));
    let another = Credentials { aes_key: "another-aes-key!".into(), ..credentials() };
    let another = Envelope::new(&another).unwrap().seal_request("5007", CANCEL).unwrap();
    assert_eq!(take(&another).signed, Some(Named::default()), "signed, and sealed with another key");
    let forged = sealed("5007", &without).replace("5007", "5001");
    for unsigned in ["hello", "<ROOT></ROOT>", forged.as_str()] {
        assert_eq!(take(unsigned).signed, None, "{unsigned}");
    }
}

#[test]
fn r36_a_push_about_an_order_names_it_by_our_number_or_by_hiss() {
    let read = |body: &str| reader().read(sealed("5003", body).as_bytes()).unwrap();
    let ours = ids::order_id(uuid::Uuid::from_u128(7), 1);
    let both = format!("<REQ><ORDER_ID> {ours} </ORDER_ID><HOSP_ORDER_ID>H1</HOSP_ORDER_ID></REQ>");
    assert!(matches!(read(&both), Push::Other { order_id: Some(id), .. } if id == ours));
    for his in [
        "<REQ><HOSP_ORDER_ID> H1</HOSP_ORDER_ID></REQ>",
        "<REQ><ORDER_ID>X</ORDER_ID><HOSP_ORDER_ID>H1</HOSP_ORDER_ID></REQ>",
    ] {
        assert!(matches!(read(his), Push::OfHisOrder { his_order_id, .. } if his_order_id == "H1"), "{his}");
    }
    let long = format!("<REQ><HOSP_ORDER_ID>{}</HOSP_ORDER_ID></REQ>", "H".repeat(65));
    for none in ["<REQ><HOSP_ORDER_ID> </HOSP_ORDER_ID></REQ>", "<REQ/>", &long] {
        assert!(matches!(read(none), Push::Other { order_id: None, .. }), "{none}");
    }
}

#[test]
fn the_answer_is_an_envelope_that_the_his_can_verify() {
    let reader = reader();
    for (answer, code) in [
        (PushAnswer::Accepted, "0"),
        (PushAnswer::from(PushError::NotXml), "1"),
        (PushAnswer::from(PushError::BadSignature), "7"),
        (PushAnswer::TryAgain, "99"),
        (PushAnswer::NotSaid, "13"),
    ] {
        let text = String::from_utf8(reader.answer(answer)).unwrap();
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

/// An event as the sender stamps it.
fn stamped(at: DateTime<Utc>, user: &str, function: &str, data: serde_json::Value) -> (HeaderMap, Vec<u8>) {
    let event = Asking { function: function.into(), user_id: user.into(), data };
    let body = serde_json::to_vec(&event).unwrap();
    let stamp = Stamper::new(&credentials().sign_key).sign(Way::Event, at, "nonce-0001", &body);
    let headers = stamp.headers().into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    (headers.collect(), body)
}

#[test]
fn an_event_says_what_its_twin_in_soap_says() {
    let now = "2026-10-10T01:16:00Z".parse().unwrap();
    let data = serde_json::json!({
        "eventId": "e1", "hospOrderId": "H1", "channelId": 9, "regId": "R1", "deptId": "D1", "doctorId": 7,
        "regDate": "2026-10-12", "timeFlag": 1, "beginTime": "08:00", "endTime": "8:30",
        "cancelTime": "2026-10-10 09:15:30"
    });
    let (headers, body) = stamped(now, "HIS-1", "5007", data);
    let twin = reader().read(sealed("5007", CANCEL).as_bytes()).unwrap();
    assert_eq!(reader().read_event(&headers, &body, now), Ok(twin));
    let answer = reader().answer_event(&headers, PushAnswer::Accepted, now);
    let told: Answering = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told.code, "0");
    let headers = answer.headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let stamp = Stamp::read(&headers.collect()).unwrap();
    assert_eq!((stamp.nonce.as_str(), stamp.at), ("nonce-0001", now), "of this event, at our time");
    assert_eq!(Stamper::new(&credentials().sign_key).verify(Way::Receipt, &stamp, &answer.body), Ok(()));
}

#[test]
fn r15_an_event_that_is_forged_played_again_or_meant_for_others_is_refused() {
    let now: DateTime<Utc> = "2026-10-10T01:16:00Z".parse().unwrap();
    let data = serde_json::json!({ "orderId": "L1" });
    let (headers, body) = stamped(now, "HIS-1", "5002", data.clone());
    let ours = Ok(Push::OrderCancelled { order_id: "L1".into() });
    assert_eq!(reader().read_event(&headers, &body, now + chrono::TimeDelta::minutes(4)), ours);
    assert_eq!(reader().read_event(&headers, &body, now + chrono::TimeDelta::minutes(6)), Err(PushError::Stale));
    assert_eq!(reader().read_event(&headers, &body, now - chrono::TimeDelta::minutes(6)), Err(PushError::Stale));
    let forged = String::from_utf8(body).unwrap().replace("L1", "L2").into_bytes();
    assert_eq!(reader().read_event(&headers, &forged, now), Err(PushError::BadSignature));
    let (headers, body) = stamped(now, "HIS-2", "5002", data);
    assert_eq!(reader().read_event(&headers, &body, now), Err(PushError::BadSignature));
    assert_eq!(reader().read_event(&HeaderMap::new(), &body, now), Err(PushError::Unreadable("x-houbu-timestamp")));
    let (headers, body) = stamped(now, "HIS-1", "5002", serde_json::json!({ "orderId": " " }));
    assert_eq!(reader().read_event(&headers, &body, now), Err(PushError::Unreadable("ORDER_ID")));
    let (headers, body) = stamped(now, "HIS-1", "5004", serde_json::json!([1]));
    assert_eq!(reader().read_event(&headers, &body, now), Err(PushError::Unreadable("data")));
}

proptest! {
    #[test]
    fn no_signed_event_makes_the_reader_panic(function in "(5001|5002|5007|5008|[0-9]{4})", text in ".{0,200}") {
        let now = DateTime::<Utc>::default();
        let data = serde_json::from_str(&text).unwrap_or(serde_json::json!({ "eventId": text, "regDate": text }));
        let (headers, body) = stamped(now, "HIS-1", &function, data);
        let _ = reader().read_event(&headers, &body, now);
        let _ = reader().read_event(&headers, text.as_bytes(), now);
    }
}
