//! The client of a HIS that speaks HL7 FHIR R4: one request a call (a list: one a page), with a time-out, never a retry.
//!
//! A lock is an `Appointment` in status `pending` under our `LOCK_ID`, a booking one in status `booked` under our `ORDER_ID`;
//! both are made by conditional create (`If-None-Exist`), so that a repetition makes no second one, and asked for by that
//! identifier. What FHIR has no word for stands in extensions and two operations, see `docs/integration/his.md`.
//!
//! | file | what it is |
//! |---|---|
//! | `resources` | the resources, element by element |
//! | `words` | our systems, codes and extensions |
//! | `line` | HTTP, and the table of statuses and outcomes |
//! | `reading` | what resources come to |

pub mod line;
pub mod oauth;
mod reading;
pub mod resources;
pub mod words;

use async_trait::async_trait;
use chrono::NaiveDate;
use reqwest::Method;
use reqwest::RequestBuilder;

use self::line::{Heard, Line, Met};
use self::reading::{breach_of, holding, listed_lock, listed_order, order_of, schedule_of, visit_of};
use self::resources::{
    Appointment, Bundle, Concept, ContactPoint, Extension, HumanName, Parameter, Parameters, Participant, Patient,
    Reference, Resource,
};
use super::connection::{Config, SetupError};
use super::{
    BookRequest, Booking, Cancelling, His, HisSchedule, Holding, Identity, ListedBreach, ListedLock, ListedOrder, Lock,
    OpenSlot, Order, Page, PaidWith, Place, TimeSlot,
};
use crate::ports::CallError;

/// So many of a list on a page.
const COUNT: &str = "100";
/// A list has no more pages than this, or the server leads us in a circle.
const PAGES_MAX: usize = 500;

/// The client.
pub struct FhirHis {
    config: Config,
    line: Line,
}

impl FhirHis {
    /// A client with a connection pool of its own.
    pub fn new(config: Config) -> Result<Self, SetupError> {
        Ok(Self { line: Line::new(&config)?, config })
    }

    fn appointments(&self, method: Method, operation: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.line.request(method, &format!("Appointment{operation}"), query)
    }

    /// Everything that a search finds, over all its pages.
    async fn search(&self, call: &'static str, kind: &str, query: &[(&str, &str)]) -> Result<Vec<Resource>, CallError> {
        let mut request = self.line.request(Method::GET, kind, query);
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let bundle = bundle(self.line.ask(call, request).await?)?;
            let next = bundle.next().map(str::to_owned);
            found.extend(bundle.entry.into_iter().filter_map(|entry| entry.resource));
            let Some(next) = next else { return Ok(found) };
            let elsewhere = || CallError::unknown("his", call, "the next page lies elsewhere");
            request = self.line.follow(&next).ok_or_else(elsewhere)?;
        }
        Err(CallError::unknown("his", call, "the list does not end"))
    }

    /// The appointments under an identifier of ours.
    async fn under(&self, call: &'static str, system: &str, id: &str) -> Result<Option<Appointment>, CallError> {
        let found = self.search(call, "Appointment", &[("identifier", &format!("{system}|{id}"))]).await?;
        let is_it = |it: &Appointment| words::value_of(&it.identifier, system) == Some(id);
        let mut found = found.into_iter().filter_map(appointment).filter(is_it);
        let one = found.next();
        if found.next().is_some() {
            // Which of them counts is for a person: guessing would double a place.
            let detail = "two appointments stand under one id of ours".to_owned();
            return Err(CallError::Broken { system: "his", call, detail });
        }
        Ok(one)
    }

    /// One page of a day's list.
    async fn list<T>(
        &self,
        call: &'static str,
        named: &str,
        day: NaiveDate,
        page: u32,
        read: impl Fn(&Appointment) -> Option<T>,
    ) -> Result<Page<T>, CallError> {
        let (day, number) = (day.to_string(), page.to_string());
        let mut query = vec![("_query", named), ("day", day.as_str()), ("page", number.as_str()), ("_count", COUNT)];
        if named != "breach-list" {
            query.push(("channel", &self.config.channel_id));
        }
        let bundle = bundle(self.line.ask(call, self.appointments(Method::GET, "", &query)).await?)?;
        let pages = if bundle.next().is_some() { page.saturating_add(1) } else { page };
        let lines = bundle.entry.into_iter().filter_map(|entry| entry.resource.and_then(appointment));
        // A list with a gap would look like a difference.
        let lines: Option<Vec<T>> = lines.map(|line| read(&line)).collect();
        let lines = lines.ok_or_else(|| CallError::unknown("his", call, "a line of the list cannot be read"))?;
        Ok(Page { lines, pages })
    }

    /// The place of an appointment.
    fn placed(&self, system: &str, id: &str, status: &str, place: &Place) -> Appointment {
        let slot = place.slot.times();
        let name = match slot {
            (Some(begins), Some(ends)) => {
                format!("{}|{}|{}", place.reg_id, begins.format("%H:%M"), ends.format("%H:%M"))
            }
            _ => place.reg_id.clone(),
        };
        let kind = Some("Slot".to_owned());
        let zone = self.config.time_zone;
        Appointment {
            identifier: vec![words::identifier(system, id)],
            status: status.to_owned(),
            extension: vec![
                words::text("schedule", &place.reg_id),
                words::text("channel", &self.config.channel_id),
                words::code("part", words::part(place.part)),
                words::number("fee-fen", place.fee_fen),
                words::flag("of-half-day", place.slot.of_half_day),
            ],
            service_type: vec![Concept::of(words::DEPARTMENT, &place.department_id)],
            start: words::at(place.visit_date, place.slot.begins, zone),
            end: words::at(place.visit_date, place.slot.ends, zone),
            slot: vec![Reference {
                kind,
                identifier: Some(words::identifier(words::SLOT, &name)),
                ..Reference::default()
            }],
            participant: vec![Participant::accepted(Reference::to("Practitioner", &place.doctor_id))],
            ..Appointment::default()
        }
    }

    /// Made unless there is one under this identifier.
    fn creation(&self, system: &str, id: &str, appointment: Appointment) -> RequestBuilder {
        let request = self.appointments(Method::POST, "", &[]);
        let request = request.header("If-None-Exist", format!("identifier={system}|{id}"));
        Line::with(request, &Resource::Appointment(Box::new(appointment)))
    }

    /// `cancelled`, by conditional patch.
    fn cancellation(&self, system: &str, id: &str, reason: Option<&str>) -> RequestBuilder {
        let mut patch = vec![serde_json::json!({ "op": "replace", "path": "/status", "value": "cancelled" })];
        if let Some(reason) = reason {
            let value = serde_json::json!({ "text": reason });
            patch.push(serde_json::json!({ "op": "add", "path": "/cancelationReason", "value": value }));
        }
        let request = self.appointments(Method::PATCH, "", &[("identifier", &format!("{system}|{id}"))]);
        let body = serde_json::Value::from(patch).to_string();
        request.header("Content-Type", "application/json-patch+json").body(body)
    }

    fn operation(&self, named: &str, parameter: Vec<Parameter>) -> RequestBuilder {
        Line::with(self.appointments(Method::POST, named, &[]), &Resource::Parameters(Parameters { parameter }))
    }
}

fn texted(name: &str, value: &str) -> Parameter {
    Parameter { name: name.to_owned(), value_string: Some(value.to_owned()), value_integer: None }
}

fn counted(name: &str, value: i64) -> Parameter {
    Parameter { name: name.to_owned(), value_string: None, value_integer: Some(value) }
}

fn appointment(resource: Resource) -> Option<Appointment> {
    match resource {
        Resource::Appointment(appointment) => Some(*appointment),
        _ => None,
    }
}

fn bundle(heard: Heard) -> Result<Bundle, CallError> {
    match &heard.met {
        Met::Done => {}
        Met::Business(code) => return Err(heard.surprise(code)),
        Met::Created | Met::Nowhere => return Err(heard.surprise("not-found")),
    }
    let unreadable = heard.unreadable();
    match heard.resource {
        Some(Resource::Bundle(bundle)) => Ok(bundle),
        _ => Err(unreadable),
    }
}

/// The patient, contained in the booking.
fn patient(identity: &Identity) -> Patient {
    Patient {
        id: "patient".to_owned(),
        identifier: vec![words::identifier(&format!("{}{}", words::ID_TYPE, identity.id_type), &identity.id_number)],
        name: vec![HumanName { text: identity.name.clone() }],
        telecom: vec![ContactPoint { system: "phone".to_owned(), value: identity.phone.clone() }],
        gender: super::jiankangtong::sex_of(identity).map(|sex| if sex == "1" { "male" } else { "female" }.to_owned()),
    }
}

fn paid_with(paid: &PaidWith) -> [Extension; 2] {
    [words::text("out-trade-no", &paid.out_trade_no), words::number("paid-fen", paid.amount_fen)]
}

#[async_trait]
impl His for FhirHis {
    async fn schedules(
        &self,
        department_id: &str,
        doctor_id: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        let call = "FHIR search Schedule";
        let doctor = doctor_id.map(|id| format!("Practitioner/{id}"));
        let department = format!("{}|{department_id}", words::DEPARTMENT);
        let (from, to) = (format!("ge{from}"), format!("le{to}"));
        let mut query = vec![("service-type", department.as_str()), ("date", &from), ("date", &to), ("_count", COUNT)];
        query.extend(doctor.as_deref().map(|doctor| ("actor", doctor)));
        let found = self.search(call, "Schedule", &query).await?;
        let read = found.into_iter().filter_map(|it| match it {
            Resource::Schedule(schedule) => Some(schedule_of(schedule, department_id, self.config.time_zone)),
            _ => None,
        });
        let read: Option<Vec<HisSchedule>> = read.collect();
        read.ok_or_else(|| CallError::unknown("his", call, "a schedule cannot be read"))
    }

    async fn open_slots(&self, reg_id: &str, visit_date: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        let (schedule, day) = (format!("Schedule/{reg_id}"), visit_date.to_string());
        let query = [("schedule", schedule.as_str()), ("start", &day), ("status", "free"), ("_count", COUNT)];
        let found = self.search("FHIR search Slot", "Slot", &query).await?;
        let slots = found.into_iter().filter_map(|it| match it {
            Resource::Slot(slot) => Some(slot),
            _ => None,
        });
        Ok(reading::open_slots(slots, reg_id, visit_date, self.config.time_zone))
    }

    async fn lock(&self, lock_id: &str, place: &Place, minutes: u32) -> Result<Lock, CallError> {
        let mut lock = self.placed(words::LOCK, lock_id, "pending", place);
        lock.extension.push(words::number("lock-minutes", i64::from(minutes)));
        let heard = self.line.ask("FHIR create Appointment (lock)", self.creation(words::LOCK, lock_id, lock)).await?;
        match &heard.met {
            Met::Business(code) if matches!(code.as_str(), "200505" | "200506" | "conflict") => Ok(Lock::Taken),
            // It is ours, but nobody says until when: asked again.
            Met::Business(code) if code == "200504" => Err(heard.unreadable()),
            Met::Business(code) => Ok(Lock::Refused { code: code.clone() }),
            Met::Nowhere => Ok(Lock::Refused { code: "not-found".to_owned() }),
            Met::Done | Met::Created => {
                let Some(Resource::Appointment(made)) = &heard.resource else { return Err(heard.unreadable()) };
                let until = words::find(&made.extension, "lock-expires").and_then(|it| it.value_instant);
                let ours = words::value_of(&made.identifier, words::LOCK) == Some(lock_id);
                match (until.filter(|_| ours), made.status.as_str()) {
                    // Held, or taken by a booking of ours.
                    (Some(until), "pending" | "booked") => Ok(Lock::Held { until }),
                    // The condition knows no status: what is under this id is over.
                    (Some(_), over) => {
                        let code = if over == "cancelled" { over } else { "over" };
                        Ok(Lock::Refused { code: code.to_owned() })
                    }
                    (None, _) => Err(heard.unreadable()),
                }
            }
        }
    }

    fn cares_for_locks(&self) -> bool {
        self.config.cares_for_locks
    }

    async fn renew(&self, lock_id: &str, minutes: u32) -> Result<Holding, CallError> {
        let request =
            self.operation("/$renew-lock", vec![texted("lock", lock_id), counted("minutes", i64::from(minutes))]);
        let heard = self.line.ask("FHIR Appointment/$renew-lock", request).await?;
        match (&heard.met, &heard.resource) {
            (Met::Business(code), _) if code == "201401" => Ok(Holding::Gone),
            (Met::Business(code), _) => Err(heard.surprise(code)),
            (Met::Done, Some(Resource::Appointment(lock))) => holding(lock).ok_or_else(|| heard.unreadable()),
            (Met::Nowhere, _) => Err(heard.surprise("not-found")),
            _ => Err(heard.unreadable()),
        }
    }

    async fn lock_standing(&self, lock_id: &str) -> Result<Holding, CallError> {
        let call = "FHIR search Appointment (lock)";
        match self.under(call, words::LOCK, lock_id).await? {
            None => Ok(Holding::Gone),
            Some(lock) => holding(&lock).ok_or_else(|| CallError::unknown("his", call, "the lock cannot be read")),
        }
    }

    async fn unlock(&self, lock_id: &str) -> Result<(), CallError> {
        let heard =
            self.line.ask("FHIR patch Appointment (unlock)", self.cancellation(words::LOCK, lock_id, None)).await?;
        match &heard.met {
            Met::Business(code) if code != "200601" => Err(heard.surprise(code)),
            _ => Ok(()),
        }
    }

    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError> {
        let mut booking = self.placed(words::ORDER, &request.order_id, "booked", &request.place);
        if request.locked {
            booking.extension.push(words::text("lock", &request.order_id));
        }
        booking.extension.extend(request.paid.iter().flat_map(paid_with));
        booking
            .participant
            .insert(0, Participant::accepted(Reference { reference: "#patient".to_owned(), ..Reference::default() }));
        booking.contained = vec![Resource::Patient(patient(&request.identity))];
        let creation = self.creation(words::ORDER, &request.order_id, booking);
        let heard = self.line.ask("FHIR create Appointment (book)", creation).await?;
        match (&heard.met, &heard.resource) {
            (Met::Created, Some(Resource::Appointment(made))) if made.status == "booked" => {
                visit_of(made).map(Booking::Booked).ok_or_else(|| heard.unreadable())
            }
            // Made, but not said what: asked for by our id.
            (Met::Created, _) => Err(heard.unreadable()),
            (Met::Done, _) => Ok(Booking::Exists),
            (Met::Nowhere, _) => Ok(Booking::Refused { code: "not-found".to_owned() }),
            (Met::Business(code), _) => Ok(match code.as_str() {
                "200709" | "200710" | "conflict" => Booking::Taken,
                "200708" | "duplicate" => Booking::Exists,
                _ => Booking::Refused { code: code.clone() },
            }),
        }
    }

    async fn cancel(&self, order_id: &str, reason: &str) -> Result<Cancelling, CallError> {
        let request = self.cancellation(words::ORDER, order_id, Some(reason));
        let heard = self.line.ask("FHIR patch Appointment (cancel)", request).await?;
        match &heard.met {
            Met::Business(code) if code != "200901" => Ok(Cancelling::Refused { code: code.clone() }),
            _ => Ok(Cancelling::Done),
        }
    }

    async fn refund(&self, order_id: &str, refund: &PaidWith) -> Result<(), CallError> {
        let told = vec![
            texted("order", order_id),
            texted("out-trade-no", &refund.out_trade_no),
            counted("refund-fen", refund.amount_fen),
        ];
        let heard = self.line.ask("FHIR Appointment/$refund", self.operation("/$refund", told)).await?;
        match &heard.met {
            Met::Done | Met::Created => Ok(()),
            Met::Business(code) => Err(heard.surprise(code)),
            Met::Nowhere => Err(heard.surprise("not-found")),
        }
    }

    async fn order(&self, order_id: &str) -> Result<Order, CallError> {
        let call = "FHIR search Appointment (order)";
        match self.under(call, words::ORDER, order_id).await? {
            None => Ok(Order::Unknown),
            Some(found) => order_of(&found).ok_or_else(|| CallError::unknown("his", call, "the order cannot be read")),
        }
    }

    async fn time_of(&self, order_id: &str) -> Result<Option<TimeSlot>, CallError> {
        let found = self.under("FHIR search Appointment (order)", words::ORDER, order_id).await?;
        Ok(found.and_then(|found| reading::time_of(&found, self.config.time_zone)))
    }

    async fn orders_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedOrder>, CallError> {
        self.list("FHIR query order-list", "order-list", day, page, listed_order).await
    }

    async fn locks_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedLock>, CallError> {
        self.list("FHIR query lock-list", "lock-list", day, page, listed_lock).await
    }

    async fn breaches_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedBreach>, CallError> {
        self.list("FHIR query breach-list", "breach-list", day, page, breach_of).await
    }
}
