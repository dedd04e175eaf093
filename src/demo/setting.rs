//! Puts the demo's hospital into place: HIS's books directly, everything of ours through the API.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{Days, NaiveDate};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::api::{Api, Told};
use super::chance::Chance;
use super::people::Patient;
use super::plan::BLACKLISTED;
use super::scenes::CAST;
use super::world::{DAYS, Schedule, World};
use super::{Stage, clock};
use crate::ports::his::{HisSchedule, OpenSlot, ScheduleState};
use crate::sandbox::his::ScheduleSeed;
use crate::sandbox::wechat_pay::Payer;

/// Requests at one time.
pub(super) const REQUESTS_MAX: usize = 32;

/// Of a day's cast, so many register in their scene.
const UNREGISTERED: usize = 2;
/// Who plays in a scene pays when asked.
const CAST_PAYS_AFTER: Duration = Duration::from_mins(2);

/// Sets everything up but the cast; the engine's clock stands at the beginning of the play.
pub(super) async fn set_up(stage: &Stage, seed: u64, world: &World, api: &Api) -> anyhow::Result<()> {
    let Some(first) = world.schedules.first().map(|schedule| schedule.date) else { return Ok(()) };
    open(stage, world, |date| date < first + Days::new(DAYS)).await?;
    let everyday = world.patients.get(..world.size.patients()).unwrap_or_default();
    for (n, patient) in everyday.iter().enumerate() {
        stage.pay.set_payer(&patient.openid, payer(seed, n));
    }
    for department in &world.departments {
        let (campus_id, campus_name) = department.campus;
        let body = json!({ "name": department.name, "campusId": campus_id, "campusName": campus_name });
        done("a department", api.put(&format!("/v1/departments/{}", department.id), &body).await)?;
    }
    clock::settle(stage).await.context("the first schedules were not pulled")?;
    for (level, id, policy) in world.policies() {
        done(&format!("the settings of {level} {id}"), api.put(&format!("/v1/policies/{level}/{id}"), &policy).await)?;
    }
    register(everyday, api).await?;
    for patient in everyday.iter().take(BLACKLISTED) {
        let body = json!({ "reason": "一年内三次爽约" });
        done("the blacklist", api.put(&format!("/v1/blacklist/{}", patient.id), &body).await)?;
    }
    let rule = json!({
        "event": "noShow", "windowDays": 30, "threshold": 2, "penaltyDays": 90, "scope": "hospital", "appealDays": 2
    });
    done("the rule about no-shows", api.put("/v1/blacklist-rules/no-shows", &rule).await)
}

/// What a day brings that is not there yet: at HIS the schedules of the day that comes into sight, and the cast of its scenes.
pub(super) async fn begin_day(stage: &Stage, world: &World, api: &Api, nth: u32, day: NaiveDate) -> anyhow::Result<()> {
    if nth > 0 {
        open(stage, world, |date| date == day + Days::new(DAYS - 1)).await?;
    }
    let cast = world.cast(nth, 0)..world.cast(nth, CAST);
    let cast = world.patients.get(cast).unwrap_or_default();
    for patient in cast {
        stage.pay.set_payer(&patient.openid, Payer::Pays { after: CAST_PAYS_AFTER });
    }
    register(cast.get(UNREGISTERED..).unwrap_or_default(), api).await
}

/// Opens at HIS the schedules of some days, and lets their first patients book.
async fn open(stage: &Stage, world: &World, days: impl Fn(NaiveDate) -> bool) -> anyhow::Result<()> {
    let schedules: Vec<&Schedule> = world.schedules.iter().filter(|schedule| days(schedule.date)).collect();
    stage.his.add_schedules(in_his(world, &schedules)).await?;
    let bookings = schedules.iter().flat_map(|schedule| {
        let all = schedule.bookings().into_iter();
        all.map(|(channel, places)| (schedule.reg_id.clone(), places, channel.to_owned()))
    });
    stage.his.fill_all(bookings.collect()).await?;
    Ok(())
}

async fn register(patients: &[Patient], api: &Api) -> anyhow::Result<()> {
    let calls = patients.iter().map(|patient| async move {
        done("a patient", api.put(&format!("/v1/patients/{}", patient.id), &body(patient)).await)
    });
    futures::stream::iter(calls).buffer_unordered(REQUESTS_MAX).try_collect::<()>().await
}

fn done(what: &str, told: Told) -> anyhow::Result<()> {
    match told {
        Told::Done(_) => Ok(()),
        other => bail!("{what} could not be set up: {other:?}"),
    }
}

/// A patient as they are registered.
pub(super) fn body(patient: &Patient) -> serde_json::Value {
    json!({
        "name": patient.name, "idType": "1", "idNumber": patient.id_number, "phone": patient.phone,
        "openid": patient.openid,
    })
}

fn in_his(world: &World, schedules: &[&Schedule]) -> Vec<ScheduleSeed> {
    let seeds = schedules.iter().filter_map(|schedule| {
        let (doctor, department) = (world.doctor(schedule)?, world.department(schedule)?);
        let slots: Vec<OpenSlot> =
            schedule.slots.iter().map(|(slot, places)| OpenSlot { slot: slot.clone(), remaining: *places }).collect();
        Some(ScheduleSeed {
            campus_id: department.campus.0.to_owned(),
            schedule: HisSchedule {
                reg_id: schedule.reg_id.clone(),
                department_id: department.id.clone(),
                doctor_id: doctor.id.clone(),
                doctor_name: doctor.name.clone(),
                doctor_title: doctor.title.to_owned(),
                visit_date: schedule.date,
                part: schedule.part,
                state: ScheduleState::Open,
                total: schedule.places(),
                remaining: schedule.places(),
                fee_fen: doctor.fee_fen,
                timed: true,
            },
            slots,
        })
    });
    seeds.collect()
}

/// Most pay within minutes, some at the last moment, some later than a prepayment waits, some never.
fn payer(seed: u64, nth: usize) -> Payer {
    let mut chance = Chance::of(seed, "payer", nth);
    let mut minutes = |least: i64, most: i64| Payer::Pays {
        after: Duration::from_secs(u64::try_from(chance.between(least * 60, most * 60)).unwrap_or(60)),
    };
    let (soon, slowly) = (minutes(1, 7), minutes(16, 25));
    match chance.between(0, 99) {
        0..=79 => soon,
        80..=84 => slowly,
        85..=91 => Payer::Late,
        _ => Payer::Never,
    }
}
