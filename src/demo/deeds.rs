//! Does the deeds of the scenes, over the API and at HIS, and notes what was seen. What is answered otherwise than it must be
//! is a fault; what the traffic around a scene made impossible (a queue that is full) is only not seen.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::agenda::Act;
use super::api::Told;
use super::chance::Chance;
use super::held::Held;
use super::people::{self, Patient};
use super::scenes::Deed;
use super::setting;
use super::traffic::{Play, id_of};
use crate::sandbox::his::{Becomes, BreachRecord, HisBooks, OrderState, PaidRecord, Planted, channel};
use crate::waitlist::draw::Transcript;
use crate::waitlist::ids;

/// What is remembered from one deed to the next.
#[derive(Default)]
pub(super) struct Notes {
    /// What a draw was committed to, by schedule.
    commitments: HashMap<usize, String>,
    /// Orders that HIS forgot were paid, with what was paid.
    lost: Vec<(String, PaidRecord)>,
    /// Deeds to be tried again.
    pub(super) later: Vec<(DateTime<Utc>, Act)>,
}

/// By how much a visit becomes cheaper, 分.
const LESS_FEN: i64 = 500;
/// One of so many who are booked does not come.
const NO_SHOWS_OF_100: i64 = 8;
/// A booked visit is cancelled, if at all, within four hours of waking time.
const SETTLED_AFTER: TimeDelta = TimeDelta::hours(4);

impl Play<'_> {
    /// Does it.
    pub(super) async fn deed(&self, deed: Deed, now: DateTime<Utc>) -> anyhow::Result<()> {
        match deed {
            Deed::RegistersChild(patient) => self.registers_child(patient, now).await,
            Deed::RegistersTwin { patient, of } => self.registers_twin(patient, of).await,
            Deed::NotesDraw(schedule) => self.notes_draw(schedule).await,
            Deed::ChecksDraw { schedule, tries } => self.checks_draw(schedule, tries, now).await,
            Deed::DidNotCome { patient, day } => return self.breach(patient, day, true).await,
            Deed::CameAfterAll { patient, day } => return self.breach(patient, day, false).await,
            Deed::NobodyCame(day) => return self.nobody_came(day).await,
            Deed::LosesPayment => return self.loses_payment(now).await,
            Deed::Settles { tries } => return self.settles(tries, now).await,
            Deed::PullsBreaches => self.staff("/v1/jobs/breach_sync/run", now).await,
            Deed::Appeals(patient) => {
                let (path, key) = (format!("/v1/blacklist/{}/appeals", self.id(patient)), self.key("appeal", now));
                self.must("an appeal", self.api.post(&path, &key, &json!({ "said": "当日已到院，未能签到。" })).await);
            }
            Deed::DecidesAppeals => self.decides_appeals(now).await,
            Deed::Lifts(patient) => self.staff(&format!("/v1/blacklist/{}/lift", self.id(patient)), now).await,
            Deed::Bars(patient) => {
                let path = format!("/v1/blacklist/{}", self.id(patient));
                self.must("the blacklist", self.api.put(&path, &json!({ "reason": "窗口多次爽约" })).await);
            }
            Deed::LooksWhoWasPassedOver { barred, behind } => self.looks_who_was_passed_over(barred, &behind).await,
            Deed::ChangesText => self.changes_text(now).await,
            Deed::Sets { doctor, policy } => {
                let Some(doctor) = self.world.doctors.get(doctor) else { return Ok(()) };
                self.must("settings", self.api.put(&format!("/v1/policies/doctor/{}", doctor.id), &policy).await);
            }
            Deed::ComparesModes { before, after } => {
                let (before, after) = (self.shown(before).await, self.shown(after).await);
                let mode = |entry: Option<Value>| Some(entry?.get("paymentMode")?.as_str()?.to_owned());
                let (before, after) = (mode(before), mode(after));
                self.saw_if(
                    Held::ModeKept,
                    before.as_deref() == Some("lockThenPay") && after.as_deref() == Some("none"),
                );
            }
            Deed::LooksAtCutoff(schedule) => self.looks_at_cutoff(schedule).await,
            Deed::LooksAtOwn { application, patient } => {
                let told = self.api.get(&format!("/v1/waitlist?patientId={}", self.id(patient))).await;
                let entry = self.entry(application);
                let own = items(&told).iter().any(|one| entry.is_some() && id_of(one, "waitlistId") == entry);
                self.saw_if(Held::OwnRecords, own);
            }
            Deed::LooksWhetherEnded(application) => {
                let status = self.status(application).await;
                self.saw_if(Held::EndedEarlier, status.as_deref() == Some("expired"));
                if status.as_deref() == Some("waiting") {
                    self.fault("an application waits on after its own hour".to_owned());
                }
            }
            Deed::Exports(patient) => self.exports(patient).await,
            Deed::Erases { patient, tries } => self.erases(patient, tries, now).await,
            Deed::Replaces(schedule) => return self.replaces(schedule).await,
            Deed::Answers { application, keeps, tries } => self.answers(application, keeps, tries, now).await,
            Deed::Cheapens(schedule) => return self.cheapens(schedule).await,
            Deed::Stops(application) => self.stops(application, "suspend", now).await,
            Deed::LetsGoOn(application) => self.stops(application, "resume", now).await,
        }
        Ok(())
    }

    fn id(&self, patient: usize) -> String {
        self.world.patients.get(patient).map(|it| it.id.clone()).unwrap_or_default()
    }

    /// An `Idempotency-Key` for something that is done once at an instant.
    fn key(&self, what: &str, now: DateTime<Utc>) -> String {
        format!("{what}-{}-{}", self.script.seed, now.timestamp())
    }

    /// What staff do with a reason and nothing else.
    async fn staff(&self, path: &str, now: DateTime<Utc>) {
        let told = self.api.post(path, &self.key(path, now), &json!({ "reason": "核实后处理" })).await;
        self.must(path, told);
    }

    /// What may never be refused.
    fn must(&self, what: &str, told: Told) {
        if let Told::Refused(code) = told {
            self.fault(format!("{what} was refused: {code}"));
        }
    }

    fn later(&self, at: DateTime<Utc>, deed: Deed) {
        self.notes().later.push((at, Act::Deed(deed)));
    }

    async fn shown(&self, application: usize) -> Option<Value> {
        match self.api.get(&format!("/v1/waitlist/{}", self.entry(application)?)).await {
            Told::Done(entry) => Some(entry),
            _ => None,
        }
    }

    async fn status(&self, application: usize) -> Option<String> {
        self.shown(application).await?.get("status")?.as_str().map(str::to_owned)
    }

    async fn registers_child(&self, patient: usize, now: DateTime<Utc>) {
        let (Some(child), Some(guardian)) = (self.world.patients.get(patient), self.world.patients.get(patient + 2))
        else {
            return;
        };
        let id_number = people::childs_number(&child.id_number, now.date_naive());
        let mut body = setting::body(&Patient { id_number, ..child.clone() });
        let path = format!("/v1/patients/{}", child.id);
        if self.api.put(&path, &body).await != Told::Refused("guardian_required".to_owned()) {
            return self.fault("a child was registered without a guardian".to_owned());
        }
        body["guardian"] = json!(guardian.name);
        self.must("a child with a guardian", self.api.put(&path, &body).await);
    }

    async fn registers_twin(&self, patient: usize, of: usize) {
        let (Some(twin), Some(of)) = (self.world.patients.get(patient), self.world.patients.get(of)) else { return };
        let body = setting::body(&Patient { id: twin.id.clone(), openid: twin.openid.clone(), ..of.clone() });
        self.must("a second account", self.api.put(&format!("/v1/patients/{}", twin.id), &body).await);
    }

    async fn notes_draw(&self, schedule: usize) {
        let Some(reg_id) = self.reg_id(schedule) else { return };
        if let Told::Done(draw) = self.api.get(&format!("/v1/schedules/{reg_id}/draw")).await
            && let Some(commitment) = draw.get("commitment").and_then(Value::as_str)
        {
            self.notes().commitments.insert(schedule, commitment.to_owned());
        }
    }

    async fn checks_draw(&self, schedule: usize, tries: u32, now: DateTime<Utc>) {
        let (Some(reg_id), noted) = (self.reg_id(schedule), self.notes().commitments.get(&schedule).cloned()) else {
            return;
        };
        let Told::Done(draw) = self.api.get(&format!("/v1/schedules/{reg_id}/draw")).await else { return };
        if draw.get("stage").and_then(Value::as_str) != Some("drawn") {
            if tries > 0 {
                self.later(now + TimeDelta::minutes(20), Deed::ChecksDraw { schedule, tries: tries - 1 });
            }
            return;
        }
        let checked = serde_json::from_value::<Transcript>(draw).map_err(|error| error.to_string());
        let checked = checked.and_then(|it| it.verify(noted.as_deref()).map_err(|flaw| flaw.to_string()));
        match checked {
            Ok(()) => self.saw(Held::DrawChecked),
            Err(flaw) => self.fault(format!("the draw of {reg_id}: {flaw}")),
        }
    }

    /// HIS lists that somebody did not come, or does so no longer.
    async fn breach(&self, patient: usize, day: NaiveDate, listed: bool) -> anyhow::Result<()> {
        let Some(patient) = self.world.patients.get(patient) else { return Ok(()) };
        let his_order_id = format!("W-{}-{day}", patient.id);
        let breach = listed.then(|| BreachRecord {
            his_order_id: his_order_id.clone(),
            visit_date: day,
            id_type: "1".to_owned(),
            id_number: patient.id_number.clone(),
            department_id: "K01".to_owned(),
            channel: channel::WINDOW.to_owned(),
            kind: "1".to_owned(),
        });
        self.stage.his.set_breach(&his_order_id, breach).await
    }

    async fn decides_appeals(&self, now: DateTime<Utc>) {
        let told = self.api.get("/v1/blacklist-appeals").await;
        for id in items(&told).iter().filter_map(|one| id_of(one, "appealId")) {
            let body = json!({ "granted": true, "reason": "签到记录已核实" });
            let path = format!("/v1/blacklist-appeals/{id}/decide");
            self.must("a decision", self.api.post(&path, &self.key(&path, now), &body).await);
        }
    }

    async fn looks_who_was_passed_over(&self, barred: usize, behind: &[usize]) {
        if self.status(barred).await.as_deref() != Some("waiting") {
            return;
        }
        for one in behind {
            if self.status(*one).await.as_deref() == Some("booked") {
                return self.saw(Held::PassedOver);
            }
        }
    }

    async fn changes_text(&self, now: DateTime<Utc>) {
        let path = "/v1/templates/waitlist_failed";
        let Told::Done(text) = self.api.get(path).await else { return };
        let mut draft = json!({ "templateId": text["templateId"], "fields": text["fields"] });
        draft["fields"]["候补状态"] = json!("候补没有成功".repeat(8));
        let (look, body) = (format!("{path}/preview"), json!({ "draft": draft }));
        let Told::Done(seen) = self.api.post(&look, &self.key(&look, now), &body).await else { return };
        if seen["flaws"].as_array().is_none_or(Vec::is_empty) {
            return self.fault("a text that does not fit was found to be good".to_owned());
        }
        draft["fields"] = text["fields"].clone();
        draft["reason"] = json!("温馨提示更新");
        let told = self.api.put(path, &draft).await;
        self.saw_if(Held::TextChanged, matches!(told, Told::Done(_)));
        self.must("a text", told);
    }

    async fn looks_at_cutoff(&self, schedule: usize) {
        let Some(schedule) = self.world.schedules.get(schedule) else { return };
        let Told::Done(queue) = self.api.get(&format!("/v1/schedules/{}/waitlist", schedule.reg_id)).await else {
            return;
        };
        let cutoff = queue.get("cutoff").and_then(Value::as_str).and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let closes = cutoff.map(|at| at.with_timezone(&self.stage.tz).date_naive());
        self.saw_if(Held::WorkingDayCutoff, closes.is_some_and(|day| day <= schedule.date - TimeDelta::days(2)));
    }

    async fn exports(&self, patient: usize) {
        let Some(patient) = self.world.patients.get(patient) else { return };
        let path = format!("/v1/patients/{}/export?reason=%E6%9C%AC%E4%BA%BA%E7%94%B3%E8%AF%B7", patient.id);
        let Told::Done(all) = self.api.get(&path).await else { return };
        let whole = all["person"]["name"] == patient.name.as_str()
            && all["person"]["idNumber"] == patient.id_number.as_str()
            && !all["applications"].as_array().is_none_or(Vec::is_empty);
        if whole { self.saw(Held::Exported) } else { self.fault("what was handed to a person is not all".to_owned()) }
    }

    async fn erases(&self, patient: usize, tries: u32, now: DateTime<Utc>) {
        let path = format!("/v1/patients/{}", self.id(patient));
        let key = self.key(&format!("{path}/erasure"), now);
        let told = self.api.post(&format!("{path}/erasure"), &key, &json!({ "reason": "本人要求删除" })).await;
        match told {
            Told::Done(_) => match self.api.get(&path).await {
                Told::Refused(_) => self.saw(Held::Erased),
                _ => self.fault("who was forgotten is still known".to_owned()),
            },
            Told::Refused(_) if tries > 0 => {
                self.later(now + TimeDelta::minutes(30), Deed::Erases { patient, tries: tries - 1 });
            }
            _ => {}
        }
    }

    async fn stops(&self, application: usize, verb: &str, now: DateTime<Utc>) {
        let Some(entry) = self.entry(application) else { return };
        let path = format!("/v1/runs/{entry}/{verb}");
        let told = self.api.post(&path, &self.key(&path, now), &json!({ "reason": "科室要求核对" })).await;
        self.saw_if(Held::StaffStoppedAndResumed, verb == "resume" && matches!(told, Told::Done(_)));
    }

    async fn replaces(&self, schedule: usize) -> anyhow::Result<()> {
        let Some(schedule) = self.world.schedules.get(schedule) else { return Ok(()) };
        let Some(doctor) = self.world.doctor(schedule) else { return Ok(()) };
        let (doctor_id, doctor_name) = (format!("{}-2", doctor.id), "代诊医生".to_owned());
        let becomes = Becomes { doctor_id, doctor_name, visit_date: schedule.date, part: schedule.part };
        self.stage.his.change_schedule(&schedule.reg_id, &becomes, true).await?;
        Ok(())
    }

    /// Whoever has not been asked yet, because a push is late, answers later.
    async fn answers(&self, application: usize, keeps: bool, tries: u32, now: DateTime<Utc>) {
        let Some(entry) = self.entry(application) else { return };
        let asked = self.shown(application).await.is_some_and(|shown| shown.get("question").is_some());
        if !asked {
            if tries > 0 {
                let at = now + TimeDelta::minutes(15);
                self.later(at, Deed::Answers { application, keeps, tries: tries - 1 });
            }
            return;
        }
        let (path, answer) = (format!("/v1/waitlist/{entry}/answer"), if keeps { "keep" } else { "leave" });
        let told = self.api.post(&path, &self.key(&path, now), &json!({ "answer": answer })).await;
        let held = if keeps { Held::OtherDoctorKept } else { Held::OtherDoctorLeft };
        self.saw_if(held, matches!(told, Told::Done(_)));
    }

    async fn cheapens(&self, schedule: usize) -> anyhow::Result<()> {
        let Some(schedule) = self.world.schedules.get(schedule) else { return Ok(()) };
        let Some(doctor) = self.world.doctor(schedule) else { return Ok(()) };
        self.stage.his.costs(&schedule.reg_id, doctor.fee_fen - LESS_FEN).await
    }

    /// Some of our patients with a visit on this day did not come, and HIS lists them.
    async fn nobody_came(&self, day: NaiveDate) -> anyhow::Result<()> {
        let books = self.stage.his.books().await;
        let days: HashMap<&str, (NaiveDate, &str)> = books
            .schedules
            .iter()
            .map(|it| (it.schedule.reg_id.as_str(), (it.schedule.visit_date, it.schedule.department_id.as_str())))
            .collect();
        let mut first = true;
        for order in books.orders.iter().filter(|it| !it.ordinary && it.state == OrderState::Booked) {
            let Some((_, department)) = days.get(order.reg_id.as_str()).filter(|(date, _)| *date == day) else {
                continue;
            };
            let Some(patient) = ids::run_of(&order.order_id).and_then(|entry| self.patient_of(entry)) else { continue };
            if !first && !Chance::of(self.script.seed, &patient.id, 1).percent(NO_SHOWS_OF_100) {
                continue;
            }
            first = false;
            let breach = BreachRecord {
                his_order_id: order.his_order_id.clone(),
                visit_date: day,
                id_type: "1".to_owned(),
                id_number: patient.id_number.clone(),
                department_id: (*department).to_owned(),
                channel: order.channel.clone(),
                kind: "1".to_owned(),
            };
            self.stage.his.set_breach(&order.his_order_id, Some(breach)).await?;
            self.saw(Held::NoShowsListed);
        }
        Ok(())
    }

    fn patient_of(&self, entry: Uuid) -> Option<&Patient> {
        let (_, application) = self.application(entry)?;
        self.world.patients.iter().find(|patient| patient.id == application.patient_id)
    }

    /// HIS forgets that a visit of today was paid; one that nobody is about to cancel.
    async fn loses_payment(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let HisBooks { orders, .. } = self.stage.his.books().await;
        let day = |at: DateTime<Utc>| at.with_timezone(&self.stage.tz).date_naive();
        let of_today = |at| day(at) == day(now) && at < now - SETTLED_AFTER;
        let paid = orders
            .into_iter()
            .find(|it| !it.ordinary && it.state == OrderState::Booked && it.paid.is_some() && of_today(it.booked_at));
        let Some((order_id, Some(paid))) = paid.map(|it| (it.order_id, it.paid)) else { return Ok(()) };
        if self.stage.his.plant(Planted::LostPayment, &order_id, "").await? {
            self.notes().lost.push((order_id, paid));
        }
        Ok(())
    }

    /// Staff go through the differences: HIS enters again what it forgot, and the case is closed.
    async fn settles(&self, tries: u32, now: DateTime<Utc>) -> anyhow::Result<()> {
        let told = self.api.get("/v1/reconciliation/cases").await;
        let cases = items(&told);
        let lost = std::mem::take(&mut self.notes().lost);
        for (order_id, paid) in lost {
            let about =
                |one: &&Value| one["subject"] == order_id.as_str() || one["subject"] == paid.out_trade_no.as_str();
            let Some(id) = cases.iter().find(about).and_then(|one| id_of(one, "caseId")) else {
                if tries == 0 {
                    self.fault(format!("reconciliation did not find that HIS forgot the payment of {order_id}"));
                } else {
                    self.notes().lost.push((order_id, paid));
                }
                continue;
            };
            self.saw(Held::CaseFound);
            self.stage.his.enter_payment(&order_id, paid).await?;
            let path = format!("/v1/reconciliation/cases/{id}/resolve");
            let told = self.api.post(&path, &self.key(&path, now), &json!({ "reason": "医院系统已补录缴费" })).await;
            self.saw_if(Held::CaseResolved, matches!(told, Told::Done(_)));
        }
        if !self.notes().lost.is_empty() {
            self.later(now + TimeDelta::hours(2), Deed::Settles { tries: tries.saturating_sub(1) });
        }
        Ok(())
    }

    /// At the end of a play no difference may be left that nobody knows of.
    pub(super) async fn looks_for_open_cases(&self) {
        let told = self.api.get("/v1/reconciliation/cases").await;
        if !matches!(told, Told::Done(_)) {
            self.fault("the open cases cannot be listed".to_owned());
        }
        let known: Vec<String> = self.notes().lost.iter().map(|(id, _)| id.clone()).collect();
        for case in items(&told) {
            let (kind, subject) = (case["kind"].as_str().unwrap_or("?"), case["subject"].as_str().unwrap_or("?"));
            if !known.iter().any(|id| id == subject) {
                self.fault(format!("reconciliation has an open case: {kind} of {subject}"));
            }
        }
    }
}

/// The items of a page.
pub(super) fn items(told: &Told) -> Vec<Value> {
    match told {
        Told::Done(page) => page.get("items").and_then(Value::as_array).cloned().unwrap_or_default(),
        _ => Vec::new(),
    }
}
