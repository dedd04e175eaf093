//! What a person at the sandbox's page does to the simulated HIS, by the ids that the page asks for: a schedule's, an order's.

use chrono::{DateTime, Utc};

use super::ledger::{Asked, Ledger, Visitor};
use super::records::{Becomes, BreachRecord, Freed, OrderState, channel};
use super::{HisServer, ScheduleRecord};
use crate::ports::his::Charset;
use crate::ports::his::envelope::Envelope;
use crate::sandbox::faults::Faults;

/// Whose bookings come free, in this order: those of others first, our own site's last.
const CHANNELS: [&str; 4] = [channel::WINDOW, channel::PLATFORM_114, channel::OFFICIAL_ACCOUNT, channel::WEBSITE];

impl HisServer {
    /// A patient who booked in this schedule gives the place back; `push`: 5007 tells of it. False where nobody of the simulated
    /// world has booked there.
    pub async fn free_place(&self, reg_id: &str, push: bool) -> anyhow::Result<bool> {
        for channel in CHANNELS {
            if self.cancel_ordinary(reg_id, 0, channel, push).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// 替诊: this doctor sees the patients of a schedule; 5008 tells of it. False for an unknown schedule.
    pub async fn substitute(&self, reg_id: &str, doctor_id: &str) -> anyhow::Result<bool> {
        let Some(ScheduleRecord { schedule, .. }) = self.schedule_of(reg_id).await else { return Ok(false) };
        let becomes = Becomes {
            doctor_id: doctor_id.to_owned(),
            doctor_name: format!("医生{doctor_id}"),
            visit_date: schedule.visit_date,
            part: schedule.part,
        };
        self.change_schedule(reg_id, &becomes, true).await
    }

    /// Visits of a schedule cost so much from now on. False for an unknown schedule.
    pub async fn cost(&self, reg_id: &str, fee_fen: i64) -> anyhow::Result<bool> {
        if self.schedule_of(reg_id).await.is_none() {
            return Ok(false);
        }
        self.costs(reg_id, fee_fen).await?;
        Ok(true)
    }

    /// 爽约: 2015 lists that the patient with this document did not come to a visit. False where no such visit is booked.
    pub async fn misses(&self, order_id: &str, id_number: &str) -> anyhow::Result<bool> {
        let books = self.books().await;
        let order = books.orders.into_iter().find(|it| it.order_id == order_id && it.state == OrderState::Booked);
        let Some(order) = order else { return Ok(false) };
        let Some(ScheduleRecord { schedule, .. }) = self.schedule_of(&order.reg_id).await else { return Ok(false) };
        let breach = BreachRecord {
            his_order_id: order.his_order_id.clone(),
            visit_date: schedule.visit_date,
            id_type: "1".to_owned(),
            id_number: id_number.to_owned(),
            department_id: schedule.department_id,
            channel: order.channel,
            kind: "1".to_owned(),
        };
        self.set_breach(&order.his_order_id, Some(breach)).await?;
        Ok(true)
    }

    /// From now on it offers nothing beyond v3.3: no 2013, 2014 and 2016, no money with 2007; 2005 holds a place for so many minutes.
    pub async fn keeps_to_v33(&self, minutes: u32) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.keep_to_v33(minutes)).await
    }

    /// Its SOAP is written in this from now on; told once, before anybody comes.
    pub fn writes(&self, charset: Charset) -> anyhow::Result<()> {
        let _ = self.shared.envelope_instead.set(Envelope::new(&self.shared.credentials)?.in_charset(charset));
        Ok(())
    }

    /// What goes wrong with it.
    pub fn faults(&self) -> &Faults {
        &self.shared.pusher.faults
    }

    async fn schedule_of(&self, reg_id: &str) -> Option<ScheduleRecord> {
        self.shared.ledger.lock().await.schedule(reg_id)
    }
}

/// Somebody who is no patient of ours takes the first free place.
pub(super) fn ordinary_booking(ledger: &mut Ledger, reg_id: &str, channel: &str, now: DateTime<Utc>) -> bool {
    let Some(slot) = ledger.first_free(reg_id) else { return false };
    let id = format!("O-{reg_id}-{:04}", ledger.serials(reg_id) + 1);
    let visitor = Visitor { patient: format!("ordinary {id}"), paid: None, ordinary: true };
    ledger.book(&Asked { id: &id, channel, reg_id, slot }, visitor, now).is_ok()
}

/// As what a place comes free whose patient came through this channel.
pub(super) fn freed_by(channel: &str) -> Freed {
    match channel {
        channel::OFFICIAL_ACCOUNT | channel::WEBSITE => Freed::OwnSiteCancel,
        channel::PLATFORM_114 => Freed::PlatformRelease,
        _ => Freed::OtherChannelCancel,
    }
}
