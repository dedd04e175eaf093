//! What a policy chooses among: closed sets, with the names that they have on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a visit from the waitlist is paid (R5, R6, R9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PaymentMode {
    /// A 不需要支付: booked as soon as there is a place.
    None,
    /// B1 提前收费: paid at application, refunded where no visit comes of it.
    Prepay,
    /// B2 不提前收费: the place is locked, the patient confirms and pays.
    LockThenPay,
}

/// In which order a queue is served (R16, R17). A change counts for the next draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueueOrder {
    /// 先提交者优先.
    Fifo,
    /// 随机候补: whoever applies while the queue is opening is ordered by a draw ([`crate::waitlist::draw`]), whoever comes later by
    /// arrival behind them.
    Random,
}

/// What a patient with 医保 may do where the fee is taken in advance (R7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum InsurancePrepay {
    /// 提前收取自费: pays as a self-payer, is told so before.
    SelfPayFirst,
    /// Cannot apply with 医保.
    NotAccepted,
}

/// How the patient means to pay (R7). Kept with the application and its visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PayType {
    /// 自费.
    #[default]
    #[serde(alias = "self")]
    SelfPay,
    /// 医保.
    Insurance,
}

impl PayType {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SelfPay => "selfPay",
            Self::Insurance => "insurance",
        }
    }
}

/// What becomes of a fee that was paid in advance where another one holds on the day of the offer (R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FeeChange {
    /// 不退不补: booked at the fee that was paid.
    KeepPaid,
    /// 多退少不补: what was paid too much goes back once the visit is booked; what is missing the hospital bears.
    #[default]
    RefundOnly,
    /// 多退少补: what was paid too much goes back; what is missing the patient pays like an offer (R20), before it is booked.
    RefundAndTopUp,
}

/// How the levels' switches and caps come together (Q1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CapReading {
    /// No level says off, at least one says on, and no level's cap is reached.
    #[default]
    AllMustPass,
    /// The first level that has a switch or a cap decides alone. Where it has a cap only, the switch comes from the
    /// next level that has one.
    FirstConfiguredDecides,
}

/// What a level's cap counts (Q1): 候补总数 as a sum over the level's schedules, or as a number that holds for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CapCounts {
    /// Live entries of all the level's schedules together. A place is there again after every ending.
    #[default]
    LiveInAll,
    /// Live entries of the one schedule that is joined.
    LiveInEach,
    /// All applications that this schedule ever had, those that ended among them.
    EverInEach,
}

/// What has a queue (Q2). Who waits stays in the kind of queue that they joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueuePer {
    /// Each schedule: a doctor's half-day.
    #[default]
    HalfDay,
    /// A doctor's day in a department: whoever waits is offered a place of any of its half-days.
    Day,
}

/// What becomes of a person's other applications for the same day once a visit is booked (R35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OtherQueues {
    /// They wait on; the patient leaves those that are not wanted.
    Keep,
    /// Those of the same department are withdrawn, and what was paid for them goes back. Nobody who is booked there could
    /// join them either.
    #[default]
    WithdrawDepartment,
    /// All of that day are withdrawn.
    WithdrawDay,
    /// The patient is asked about each of that day. Until the answer no place is offered there; without one in time it waits on.
    Ask,
}

#[cfg(test)]
mod tests {
    use super::super::{LevelPolicy, Policy};
    use super::*;

    #[test]
    fn q2_a_queue_is_of_a_half_day_unless_the_nearest_level_says_otherwise() {
        let say = |queue_per| LevelPolicy { queue_per, ..LevelPolicy::default() };
        let (silent, day, half) = (say(None), say(Some(QueuePer::Day)), say(Some(QueuePer::HalfDay)));
        let per = |levels: [&LevelPolicy; 3]| Policy::resolve(levels[0], levels[1], levels[2]).queue_per;
        assert_eq!(per([&silent, &silent, &silent]), QueuePer::HalfDay);
        assert_eq!(per([&silent, &silent, &day]), QueuePer::Day);
        assert_eq!(per([&half, &silent, &day]), QueuePer::HalfDay);
        assert_eq!(per([&silent, &day, &half]), QueuePer::Day);
    }
}
