//! The JSON twin of 健康通's bodies: the same fields under the same names in camelCase (`REG_ID` is `regId`), lists as arrays.
//!
//! Amounts and counts are written as numbers; numbers and texts are read alike, since systems differ in it. A body is read
//! exactly as its XML twin is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::messages::{self, Unreadable};
use super::soap::element;

/// Fields that stand as texts in XML and as numbers here.
const AMOUNTS: [&str; 2] = ["REG_FEE", "TREAT_FEE"];

/// A body as JSON.
pub fn write(body: &impl Serialize) -> Result<Value, Unreadable> {
    serde_json::to_value(body).map(camel).map_err(|_| Unreadable)
}

/// Reads a body.
pub fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Unreadable> {
    messages::read(&as_xml(body)?)
}

/// The XML twin of a JSON body.
pub fn as_xml(body: &Value) -> Result<String, Unreadable> {
    let Value::Object(fields) = body else { return Err(Unreadable) };
    let mut xml = String::from("<BODY>");
    children(fields, &mut xml)?;
    xml.push_str("</BODY>");
    Ok(xml)
}

fn camel(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed = fields.into_iter().map(|(name, value)| {
                let value = if AMOUNTS.contains(&name.as_str()) { number(value) } else { camel(value) };
                (camel_name(&name), value)
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(camel).collect()),
        other => other,
    }
}

fn number(value: Value) -> Value {
    value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or(value, Value::from)
}

/// `HOSP_ORDER_ID` → `hospOrderId`.
fn camel_name(name: &str) -> String {
    let mut words = name.split('_').map(str::to_ascii_lowercase);
    let mut camel = words.next().unwrap_or_default();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// `hospOrderId` → `HOSP_ORDER_ID`; none where it is no name.
fn field_name(camel: &str) -> Option<String> {
    let named = camel.starts_with(|c: char| c.is_ascii_lowercase())
        && camel.len() <= 64
        && camel.chars().all(|c| c.is_ascii_alphanumeric());
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    named.then_some(name)
}

fn children(fields: &Map<String, Value>, xml: &mut String) -> Result<(), Unreadable> {
    for (name, value) in fields {
        let name = field_name(name).ok_or(Unreadable)?;
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| child(&name, item, xml))?,
            one => child(&name, one, xml)?,
        }
    }
    Ok(())
}

fn child(name: &str, value: &Value, xml: &mut String) -> Result<(), Unreadable> {
    match value {
        Value::Null => {}
        Value::Bool(yes) => xml.push_str(&element(name, if *yes { "1" } else { "0" })),
        Value::Number(number) => xml.push_str(&element(name, &number.to_string())),
        Value::String(text) => xml.push_str(&element(name, text)),
        Value::Object(fields) => {
            xml.push('<');
            xml.push_str(name);
            xml.push('>');
            children(fields, xml)?;
            xml.push_str("</");
            xml.push_str(name);
            xml.push('>');
        }
        Value::Array(_) => return Err(Unreadable),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::super::messages::{CancelReg, RegDay, RegDoctor, RegInfo, RegPart, TimeRegInfo};
    use super::super::{DayPart, ScheduleState};
    use super::*;

    #[test]
    fn a_list_of_lists_is_written_and_read_again() {
        let part = |id: &str| RegPart {
            reg_id: id.into(),
            time_flag: DayPart::Morning,
            reg_status: ScheduleState::Open,
            total: 9,
            over_count: 1,
            reg_fee: 5000,
            treat_fee: 0,
            istime: "1".into(),
        };
        let day = RegDay { reg_date: "2026-10-12".parse().unwrap(), reg_time_list: vec![part("A"), part("B")] };
        let doctor =
            RegDoctor {
                doctor_id: "D".into(), name: "张<&>为".into(), job_title: String::new(), reg_list: vec![day]
            };
        let info = RegInfo { hos_id: "1".into(), dept_id: "49".into(), reg_doctor_list: vec![doctor] };
        let json = write(&info).unwrap();
        let first = &json["regDoctorList"][0]["regList"][0]["regTimeList"][0];
        assert_eq!(
            first,
            &json!({ "regId": "A", "timeFlag": "1", "regStatus": "1", "total": 9, "overCount": 1, "regFee": 5000,
                     "treatFee": 0, "istime": "1" })
        );
        let again: RegInfo = read(&json).unwrap();
        assert_eq!(write(&again).unwrap(), json);
    }

    #[test]
    fn numbers_and_texts_are_read_alike_and_what_is_null_is_absent() {
        let slots = json!({ "timeRegList": [
            { "timeFlag": 1, "beginTime": "08:00", "endTime": "08:30", "overCount": "2", "regId": null, "weekday": "一" }
        ] });
        let info: TimeRegInfo = read(&slots).unwrap();
        assert_eq!((info.time_reg_list[0].over_count, info.time_reg_list[0].total), (2, 0));
        assert!(read::<TimeRegInfo>(&json!({})).unwrap().time_reg_list.is_empty());
    }

    #[test]
    fn what_is_no_body_is_unreadable() {
        for wrong in [json!([]), json!("x"), json!({ "hosId><A": "1" }), json!({ "a": [[1]] }), json!({ "": 1 })] {
            assert!(as_xml(&wrong).is_err(), "{wrong}");
        }
        let cancel = json!({ "hosId": "1", "orderId": "</ORDER_ID><ORDER_ID>2", "cancelRemark": "" });
        assert_eq!(read::<CancelReg>(&cancel).unwrap().order_id, "</ORDER_ID><ORDER_ID>2");
    }
}
