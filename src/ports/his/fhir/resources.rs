//! The resources of HL7 FHIR R4 (4.0.1) that a HIS and we exchange, with the elements that we read or write.
//!
//! Other elements are passed over. Resources that name a patient have no `Debug`.

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};

/// A resource of a kind that we know.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "resourceType")]
#[allow(missing_docs)]
pub enum Resource {
    Schedule(Schedule),
    Slot(Slot),
    Appointment(Box<Appointment>),
    Patient(Patient),
    Bundle(Bundle),
    OperationOutcome(OperationOutcome),
    Parameters(Parameters),
    CapabilityStatement(CapabilityStatement),
    /// Any other.
    #[serde(other)]
    Other,
}

/// `Identifier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Identifier {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    pub value: String,
}

/// `Reference`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Reference {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reference: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

impl Reference {
    /// To a resource by its kind and id.
    pub fn to(kind: &str, id: &str) -> Self {
        Self { reference: format!("{kind}/{id}"), ..Self::default() }
    }

    /// The id, where it is one to a resource of this kind.
    pub fn id(&self, kind: &str) -> Option<&str> {
        let (rest, id) = self.reference.rsplit_once('/')?;
        (rest == kind || rest.ends_with(&format!("/{kind}"))).then_some(id)
    }
}

/// `Coding`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Coding {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    pub code: String,
}

/// `CodeableConcept`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coding: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Concept {
    /// One code.
    pub fn of(system: &str, code: &str) -> Self {
        Self { coding: vec![Coding { system: system.to_owned(), code: code.to_owned() }], text: None }
    }
}

/// `Extension` with a value of the kinds that we use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Extension {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_integer: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_boolean: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_instant: Option<DateTime<Utc>>,
}

/// `Period`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Period {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// A doctor's half-day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Schedule {
    pub id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extension: Vec<Extension>,
    /// Active where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_type: Vec<Concept>,
    pub actor: Vec<Reference>,
    pub planning_horizon: Period,
}

/// A time of a schedule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Slot {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    pub schedule: Reference,
    pub status: String,
    pub start: DateTime<FixedOffset>,
    pub end: DateTime<FixedOffset>,
}

/// A lock (`pending`) or a booking (`booked`). Personal data: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Appointment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contained: Vec<Resource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelation_reason: Option<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_type: Vec<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<FixedOffset>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<DateTime<FixedOffset>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slot: Vec<Reference>,
    pub participant: Vec<Participant>,
}

/// `Appointment.participant`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Participant {
    pub actor: Reference,
    pub status: String,
}

impl Participant {
    /// One who has accepted.
    pub fn accepted(actor: Reference) -> Self {
        Self { actor, status: "accepted".to_owned() }
    }
}

/// The patient, contained in a booking. Personal data: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Patient {
    pub id: String,
    pub identifier: Vec<Identifier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub name: Vec<HumanName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telecom: Vec<ContactPoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
}

/// `HumanName`. Personal data: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct HumanName {
    pub text: String,
}

/// `ContactPoint`. Personal data: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ContactPoint {
    pub system: String,
    pub value: String,
}

/// What a search found.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Bundle {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub link: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry: Vec<Entry>,
}

impl Bundle {
    /// What a search found, on one page; `next` where there is another.
    pub fn searched(found: Vec<Resource>, total: usize, next: Option<String>) -> Self {
        Self {
            kind: "searchset".to_owned(),
            total: u64::try_from(total).ok(),
            link: next.into_iter().map(|url| Link { relation: "next".to_owned(), url }).collect(),
            entry: found.into_iter().map(|resource| Entry { resource: Some(resource) }).collect(),
        }
    }

    /// The address of the next page.
    pub fn next(&self) -> Option<&str> {
        self.link.iter().find(|link| link.relation == "next").map(|link| link.url.as_str())
    }
}

/// `Bundle.link`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Link {
    pub relation: String,
    pub url: String,
}

/// `Bundle.entry`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

/// Why something was not done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct OperationOutcome {
    pub issue: Vec<Issue>,
}

/// `OperationOutcome.issue`. `diagnostics` is never read: it may name a patient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Issue {
    pub severity: String,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Concept>,
}

/// What an operation is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Parameters {
    pub parameter: Vec<Parameter>,
}

/// `Parameters.parameter`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Parameter {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_integer: Option<i64>,
}

impl Parameters {
    /// The text under this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameter.iter().find(|it| it.name == name)?.value_string.as_deref()
    }

    /// The number under this name.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.parameter.iter().find(|it| it.name == name)?.value_integer
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct CapabilityStatement {
    pub status: String,
    pub date: String,
    pub kind: String,
    pub fhir_version: String,
    pub format: Vec<String>,
}
