//! What is done to the outside world by hand, once: what no call and no push goes wrong by itself with, for example that a platform
//! refuses the token that it gave, or that an order is missing from HIS's books.

use std::time::Duration;

use super::catalogue::System;
use super::his::{Act, Planted as InHis, channel};
use super::outside::Outside;
use super::wechat_pay::{Payer, Planted as InPay, Unpaid};

/// How long a payer takes who pays.
const PAYS_AFTER: Duration = Duration::from_secs(20);

/// Something that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A restart of HIS that loses every lock.
    LosesLocks,
    /// Locks are granted for no more than so many minutes.
    GrantsAtMost,
    /// 退号 until so many days before a visit.
    CancelsNoLater,
    /// 停诊 of a schedule, and the push that tells of it.
    Stops,
    /// A patient gives a place back, and the push that tells of it.
    FreesPlace,
    /// A patient gives a place back; only a sync sees it.
    FreesSilently,
    /// Somebody else takes the first free place of a schedule.
    Grabs,
    /// 加号: so many places more.
    AddsPlaces,
    /// 替诊, and the push that tells of it.
    Substitutes,
    /// Another fee of a schedule.
    Costs,
    /// 爽约 of a visit.
    Misses,
    /// Every access token that HIS gave is refused.
    EndsTokens,
    /// HIS does something to an order at its counter, and the push that tells of it.
    AtCounter(Act),
    /// The clock of HIS is so many minutes off.
    IsAhead,
    /// Something wrong stands in HIS's books.
    InHis(InHis),
    /// A payer pays soon.
    Pays,
    /// A payer pays at the last moment, or just after it.
    PaysLate,
    /// A payer never pays.
    NeverPays,
    /// A payer pays an order now.
    PaysNow,
    /// A refund that is on its way is ABNORMAL.
    AbnormalRefund,
    /// A refund that is on its way is CLOSED.
    ClosedRefund,
    /// An order that is not paid is USERPAYING, PAYERROR or REVOKED.
    IsUnpaid(Unpaid),
    /// The second platform key is handed out.
    HandsOutKey,
    /// The platform signs with its second key.
    SignsWithKey,
    /// Something wrong stands in the payment platform's books.
    InPay(InPay),
    /// The token that was given is refused, though it is still given out.
    RefusesToken,
    /// A receiver agrees to so many subscribe messages more.
    Consents,
}

impl Deed {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let of_his = [
            Self::FreesPlace,
            Self::FreesSilently,
            Self::Grabs,
            Self::AddsPlaces,
            Self::Stops,
            Self::Substitutes,
            Self::Costs,
            Self::Misses,
            Self::EndsTokens,
            Self::LosesLocks,
            Self::GrantsAtMost,
            Self::CancelsNoLater,
            Self::IsAhead,
        ];
        let of_pay = [
            Self::Pays,
            Self::PaysLate,
            Self::NeverPays,
            Self::PaysNow,
            Self::AbnormalRefund,
            Self::ClosedRefund,
            Self::IsUnpaid(Unpaid::Paying),
            Self::IsUnpaid(Unpaid::Failed),
            Self::IsUnpaid(Unpaid::Revoked),
            Self::HandsOutKey,
            Self::SignsWithKey,
        ];
        let mut all = of_his.to_vec();
        all.extend(Act::ALL.map(Self::AtCounter));
        all.extend(InHis::ALL.map(Self::InHis));
        all.extend(of_pay);
        all.extend(InPay::ALL.map(Self::InPay));
        all.extend([Self::RefusesToken, Self::Consents]);
        all
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|deed| deed.name() == name)
    }

    /// Whose it is.
    pub fn system(self) -> System {
        match self {
            Self::FreesPlace
            | Self::FreesSilently
            | Self::Grabs
            | Self::AddsPlaces
            | Self::Stops
            | Self::Substitutes
            | Self::Costs
            | Self::Misses
            | Self::EndsTokens
            | Self::LosesLocks
            | Self::GrantsAtMost
            | Self::CancelsNoLater
            | Self::IsAhead
            | Self::AtCounter(_)
            | Self::InHis(_) => System::His,
            Self::Pays
            | Self::PaysLate
            | Self::NeverPays
            | Self::PaysNow
            | Self::AbnormalRefund
            | Self::ClosedRefund
            | Self::IsUnpaid(_)
            | Self::HandsOutKey
            | Self::SignsWithKey
            | Self::InPay(_) => System::Pay,
            Self::RefusesToken | Self::Consents => System::Wechat,
        }
    }

    /// Its name for programs.
    pub fn name(self) -> String {
        match self {
            Self::InHis(planted) => format!("his-{planted:?}"),
            Self::InPay(planted) => format!("pay-{planted:?}"),
            Self::AtCounter(act) => format!("counter-{act:?}"),
            Self::IsUnpaid(unpaid) => format!("order-{unpaid:?}"),
            deed => format!("{deed:?}"),
        }
    }

    /// What happens, and what it is to be told: what it is about, and a number or the id of what is added.
    pub fn told(self) -> (&'static str, Option<&'static str>, Option<&'static str>) {
        let (order, new) = (Some("order id"), Some("id of the new one"));
        let (trade, other) = (Some("out_trade_no"), Some("number of the new one"));
        let (schedule, refund) = (Some("schedule id"), Some("out_refund_no"));
        match self {
            Self::LosesLocks => ("a restart loses every lock", None, None),
            Self::GrantsAtMost => ("locks last no longer than", None, Some("minutes")),
            Self::CancelsNoLater => ("退号 no later than", None, Some("days before")),
            Self::FreesPlace => ("a patient gives a place back", schedule, None),
            Self::FreesSilently => ("a patient gives a place back, nobody is told", schedule, None),
            Self::Grabs => ("somebody else takes a free place", schedule, None),
            Self::AddsPlaces => ("加号: more places", schedule, Some("places")),
            Self::Stops => ("停诊", schedule, None),
            Self::Substitutes => ("替诊: another doctor", schedule, Some("doctor id")),
            Self::Costs => ("another fee", schedule, Some("分")),
            Self::EndsTokens => ("every access token is refused (FHIR)", None, None),
            Self::Misses => ("爽约 of a visit", order, Some("ID number")),
            Self::IsAhead => ("its clock is so much ahead, or -10 behind", None, Some("minutes")),
            Self::AtCounter(Act::Cancels) => ("its counter cancels an order (5002)", order, None),
            Self::AtCounter(Act::Refunds) => ("its counter pays back (5003)", order, None),
            Self::AtCounter(Act::Prints) => ("its counter prints a paper (5004)", order, None),
            Self::AtCounter(Act::TakesMoney) => ("its counter takes the fee (5005)", order, None),
            Self::AtCounter(Act::AsksOfRefund) => ("it asks whether the money went back (5006)", order, None),
            Self::InHis(InHis::LostOrder) => ("an order is lost", order, None),
            Self::InHis(InHis::SilentCancel) => ("an order is cancelled, nobody is told", order, None),
            Self::InHis(InHis::Revived) => ("a cancelled order is booked again", order, None),
            Self::InHis(InHis::SecondOrder) => ("a second live order", order, new),
            Self::InHis(InHis::LostPayment) => ("the payment of an order is lost", order, None),
            Self::InHis(InHis::WrongPayment) => ("another amount was paid", order, None),
            Self::InHis(InHis::LostRefund) => ("the refund of an order is lost", order, None),
            Self::InHis(InHis::LeakedLock) => ("a lock holds a place for ever", order, Some("lock id")),
            Self::Pays => ("a payer pays within seconds", Some("openid"), None),
            Self::PaysLate => ("a payer pays at the last moment", Some("openid"), None),
            Self::NeverPays => ("a payer never pays", Some("openid"), None),
            Self::PaysNow => ("an order is paid now", trade, None),
            Self::AbnormalRefund => ("a refund is ABNORMAL", refund, None),
            Self::ClosedRefund => ("a refund is CLOSED", refund, None),
            Self::IsUnpaid(Unpaid::Paying) => ("a payer is at it: USERPAYING", trade, None),
            Self::IsUnpaid(Unpaid::Failed) => ("a payment fails: PAYERROR", trade, None),
            Self::IsUnpaid(Unpaid::Revoked) => ("an order is REVOKED", trade, None),
            Self::HandsOutKey => ("a second platform key is handed out", None, None),
            Self::SignsWithKey => ("the second platform key signs", None, None),
            Self::InPay(InPay::LostPayment) => ("the money of a paid order never came", trade, None),
            Self::InPay(InPay::WrongAmount) => ("another amount was paid", trade, None),
            Self::InPay(InPay::PaidClosed) => ("a closed order is paid", trade, None),
            Self::InPay(InPay::Reopened) => ("a closed order can be paid again", trade, None),
            Self::InPay(InPay::UnknownOrder) => ("an order that nobody opened is paid", trade, other),
            Self::InPay(InPay::LostRefund) => ("the refund of an order is lost", trade, None),
            Self::InPay(InPay::SecondRefund) => ("the money goes back once more", trade, other),
            Self::RefusesToken => ("the token in use is refused (40001)", None, None),
            Self::Consents => ("a receiver agrees to so many subscribe messages", Some("openid"), Some("times")),
        }
    }

    /// Does it; an error says what it was not told, or that there is no such thing.
    pub async fn done(self, outside: &Outside, about: &str, more: &str) -> anyhow::Result<()> {
        let (_, wants_about, wants_more) = self.told();
        for (wanted, given) in [(wants_about, about), (wants_more, more)] {
            if let Some(wanted) = wanted {
                anyhow::ensure!(!given.is_empty(), "{wanted} is missing");
            }
        }
        let no_number = || anyhow::anyhow!("{} is no number", wants_more.unwrap_or("it"));
        let number = || more.parse::<u32>().map_err(|_| no_number());
        let there = |found: bool| if found { Ok(()) } else { Err(anyhow::anyhow!("there is no such thing: {about}")) };
        match self {
            Self::LosesLocks => drop(outside.his.lose_locks().await?),
            Self::GrantsAtMost => outside.his.grant_at_most(number()?).await?,
            Self::CancelsNoLater => outside.his.cancels_no_later_than(number()?.into()).await?,
            Self::FreesPlace => there(outside.his.free_place(about, true).await?)?,
            Self::FreesSilently => there(outside.his.free_place(about, false).await?)?,
            Self::Grabs => there(outside.his.grab(about, channel::WINDOW).await?)?,
            Self::AddsPlaces => there(outside.his.add_places(about, number()?).await?)?,
            Self::Stops => there(outside.his.stop_schedule(about).await?)?,
            Self::Substitutes => there(outside.his.substitute(about, more).await?)?,
            Self::Costs => there(outside.his.cost(about, number()?.into()).await?)?,
            Self::EndsTokens => drop(outside.his.ends_tokens()),
            Self::Misses => there(outside.his.misses(about, more).await?)?,
            Self::IsAhead => outside.his.is_ahead(more.parse().map_err(|_| no_number())?),
            Self::AtCounter(act) => there(outside.his.at_counter(act, about).await?)?,
            Self::InHis(planted) => there(outside.his.plant(planted, about, more).await?)?,
            Self::Pays => outside.pay.set_payer(about, Payer::Pays { after: PAYS_AFTER }),
            Self::PaysLate => outside.pay.set_payer(about, Payer::Late),
            Self::NeverPays => outside.pay.set_payer(about, Payer::Never),
            Self::PaysNow => drop(outside.pay.pay_now(about).await?),
            Self::AbnormalRefund => there(outside.pay.make_abnormal(about).await)?,
            Self::ClosedRefund => there(outside.pay.make_closed(about).await)?,
            Self::IsUnpaid(unpaid) => there(outside.pay.shows(about, unpaid).await?)?,
            Self::HandsOutKey => outside.pay.hand_out_next_key()?,
            Self::SignsWithKey => {
                // Nobody could verify what is signed with a key that was never handed out.
                outside.pay.hand_out_next_key()?;
                outside.pay.sign_with_next_key();
            }
            Self::InPay(planted) => there(outside.pay.plant(planted, about, more).await?)?,
            Self::RefusesToken => outside.messages.refuse_token(),
            Self::Consents => outside.messages.consents(about, number()?),
        }
        Ok(())
    }
}
