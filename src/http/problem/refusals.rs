//! What the desk refuses, as a problem: the status and the code of each.

use std::time::Duration;

use axum::http::StatusCode;

use super::{Problem, Said};
use crate::desk::DeskError;
use crate::desk::access;
use crate::desk::notices::NotResent;
use crate::engine::sizes::TooLarge;
use crate::engine::staff::Refused;
use crate::engine::staff::bulk::BulkRefused;
use crate::waitlist::language::Language;
use crate::waitlist::refusal::Refusal;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::CONFLICT);
        Self { status, said: Said::Refusal(refusal), retry_after_s: None }
    }
}

impl From<Refused> for Problem {
    /// 422 what no run of that workflow could ever do, 409 what this one cannot do now.
    fn from(refused: Refused) -> Self {
        let never = matches!(
            refused,
            Refused::UnknownStep { .. }
                | Refused::NotAnOutcome { .. }
                | Refused::UnknownSignal { .. }
                | Refused::PayloadUnreadable { .. }
                | Refused::StateUnreadable { .. }
        );
        let status = if never { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CONFLICT };
        Self { status, said: Said::Staff(refused), retry_after_s: None }
    }
}

impl From<access::Refused> for Problem {
    fn from(refused: access::Refused) -> Self {
        let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::CONFLICT);
        let said = Said::Fixed(refused.code(), refused.message(Language::ZhCn), refused.message(Language::En));
        let retry_after_s = refused.retry_after().map(whole_seconds);
        Self { status, said, retry_after_s }
    }
}

/// The whole seconds after which a wait is over.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

impl Problem {
    /// More requests under one key than are taken; the same request may be sent again after the wait.
    pub fn too_many_requests(wait: Duration) -> Self {
        let problem = Self::fixed(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "该 API 密钥的请求过于频繁，请稍后重试。",
            "Too many requests under this API key. Please try again shortly.",
        );
        Self { retry_after_s: Some(whole_seconds(wait)), ..problem }
    }
}

/// For the pages of the staff.
impl Problem {
    /// A form that lacks something, or has something that cannot be read.
    pub(crate) fn not_filled_in() -> Self {
        Self::form("表单未填写完整。", "The form is not filled in.")
    }

    /// The status that it is answered with.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The refused verb of the staff, where it is one.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        match &self.said {
            Said::Staff(refused) => Some(refused),
            _ => None,
        }
    }

    /// Its sentence for a page: what programs are told in English stands in quotation marks, what is wrong with an address not at all.
    pub(crate) fn on_page(&self, language: Language) -> String {
        match (&self.said, language) {
            (Said::With("unreadable", ..), Language::ZhCn) => "地址中有内容无法识别，请从菜单重新进入。".to_owned(),
            (Said::With("unreadable", ..), Language::En) => {
                "Something in the address cannot be read. Go there again by the menu.".to_owned()
            }
            (Said::With(_, zh, _, what), Language::ZhCn) => format!("{zh}：“{what}”"),
            _ => self.detail(language),
        }
    }
}

impl From<NotResent> for Problem {
    fn from(refused: NotResent) -> Self {
        let (code, zh, en) = match refused {
            NotResent::UnderWay => {
                ("notice_under_way", "该通知正在发送，请稍后再试。", "This notice is on its way; look again shortly.")
            }
            NotResent::NoLongerTrue => {
                ("notice_not_true", "该通知的内容已失效，不再发送。", "What this notice says is no longer true.")
            }
            NotResent::NoSms => ("no_sms", "未配置短信网关。", "No SMS gateway is configured."),
            NotResent::TooOften => {
                ("resent_too_often", "该通知重发次数过多。", "This notice was sent again too often.")
            }
        };
        Self::fixed(StatusCode::CONFLICT, code, zh, en)
    }
}

impl From<BulkRefused> for Problem {
    fn from(refused: BulkRefused) -> Self {
        let (code, zh, en) = match refused {
            BulkRefused::NoPreview => (
                "preview_void",
                "该预览不存在或已超过 24 小时，请重新预览。",
                "There is no such preview, or it is older than a day: look at what the bulk would do anew.",
            ),
            BulkRefused::OtherPreview => (
                "preview_void",
                "该预览属于其他操作或其他筛选条件，请重新预览。",
                "The preview was of another verb or another filter: look at what this bulk would do.",
            ),
            BulkRefused::NoBulk | BulkRefused::Stands { .. } => (
                "bulk_stands",
                "批量任务已结束或已处于该状态，不允许此操作。",
                "The bulk has ended, or it is so already.",
            ),
        };
        Self::fixed(StatusCode::CONFLICT, code, zh, en)
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        use StatusCode as Is;
        match error {
            DeskError::Refused(refusal) => refusal.into(),
            DeskError::KeyReused => Self::fixed(
                Is::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "该 Idempotency-Key 已用于其他请求。",
                "This Idempotency-Key was used for another request.",
            ),
            DeskError::NotOurs => {
                Self::fixed(Is::NOT_FOUND, "not_ours", "未找到该订单。", "This order is not known here.")
            }
            DeskError::WrongAmount => Self::fixed(
                Is::UNPROCESSABLE_ENTITY,
                "wrong_amount",
                "金额与订单或退款不符。",
                "The amount is not that of the order or refund.",
            ),
            DeskError::UnknownRefund => Self::fixed(
                Is::UNPROCESSABLE_ENTITY,
                "unknown_refund",
                "未发起过该退款。",
                "This refund was never asked for.",
            ),
            DeskError::UnknownWorkflow => {
                Self::fixed(Is::NOT_FOUND, "unknown_workflow", "没有该流程。", "There is no such workflow.")
            }
            DeskError::NotStartable => Self::fixed(
                Is::UNPROCESSABLE_ENTITY,
                "not_startable",
                "该流程由专用接口启动。",
                "This workflow is started by a request of its own.",
            ),
            DeskError::Unreadable(what) => Self::invalid(what),
            DeskError::Unfit(zh, en) => Self::form(zh, en),
            DeskError::TooLarge(TooLarge::Bytes { what, .. }) => Self::too_large(what.bytes_max()),
            DeskError::TooLarge(refused) => Self::invalid(refused.to_string()),
            DeskError::Staff(refused) => (*refused).into(),
            DeskError::Bulk(refused) => refused.into(),
            DeskError::Job(refused) => Self { status: Is::CONFLICT, said: Said::Job(refused), retry_after_s: None },
            DeskError::NoAppeal => Self::fixed(
                Is::CONFLICT,
                "no_appeal",
                "该患者没有可申诉的限制。",
                "There is nothing that this patient could appeal against.",
            ),
            DeskError::AppealDecided => {
                Self::fixed(Is::CONFLICT, "appeal_decided", "该申诉已处理。", "This appeal is decided already.")
            }
            DeskError::StillNeeded => Self::fixed(
                Is::CONFLICT,
                "still_needed",
                "该患者尚有未结束的候补、就诊、退款或人工限制，暂不能删除其信息。",
                "An application, a visit, a refund or a blacklisting by hand of this patient has not ended: the data is still needed.",
            ),
            DeskError::Flawed(flaws) => {
                Self { status: Is::UNPROCESSABLE_ENTITY, said: Said::Flawed(flaws), retry_after_s: None }
            }
            DeskError::TemplateChanged(newest) => Self::with(
                Is::CONFLICT,
                "template_changed",
                "该模板已被他人修改，请基于最新版本重新编辑",
                "Somebody stored another version meanwhile: look at it, and store yours again",
                newest.to_string(),
            ),
            DeskError::PolicyChanged => Self::fixed(
                Is::CONFLICT,
                "policy_changed",
                "这些设置此后又有修改，本次操作未执行：请查看现行设置，按需重新修改。",
                "These settings were changed again since, so nothing is done now: look at what stands, and change that.",
            ),
            DeskError::NotReplayable => Self::fixed(
                Is::CONFLICT,
                "not_replayable",
                "该回调的内容未完整保存，无法重新处理；请由发送方重发。",
                "Not enough of this callback was kept to do it again: have its sender send it again.",
            ),
            DeskError::NotResent(refused) => refused.into(),
            DeskError::CaseResolved => {
                Self::fixed(Is::CONFLICT, "case_resolved", "该差异已处理。", "This difference is resolved already.")
            }
            DeskError::Access(refused) => refused.into(),
            DeskError::NoFilter => Self::invalid("a bulk needs a filter: without one it would be for every run"),
            DeskError::AlreadyPaused => Self::fixed(
                Is::CONFLICT,
                "already_paused",
                "该外部系统已处于人工暂停状态。",
                "This destination is paused already.",
            ),
            DeskError::NotPaused => {
                Self::fixed(Is::CONFLICT, "not_paused", "该外部系统未被人工暂停。", "This destination is not paused.")
            }
            DeskError::Database(error) => error.into(),
            DeskError::Cipher(_) | DeskError::Broken(_) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}
