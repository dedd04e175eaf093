//! What the port of payments promises, shown of both its adapters by the same test bodies: against the sandbox, and against
//! recorded exchanges.
//!
//! | file | what it is |
//! |---|---|
//! | `sandbox` | every call, every fault, every notice and the bill, over real HTTP |
//! | `recorded` | requests and answers as they were written down once |
//! | `codes` | every code that the sandbox can be switched to answer, and how an unpaid order may stand |
//! | `callbacks` | the platform's callback endpoint in a hospital at work |

mod callbacks;
mod codes;
mod recorded;
mod sandbox;

use chrono::{DateTime, Utc};
use houbu::ports::CallError;
use houbu::ports::payments::{OrderRequest, PayType, Refund, RefundRequest, RefundSaid};

/// An order of 50 yuan.
fn order(number: &str, expires_at: DateTime<Utc>) -> OrderRequest {
    OrderRequest {
        out_trade_no: number.to_owned(),
        description: "候补挂号费".to_owned(),
        amount_fen: 5000,
        openid: "o1".to_owned(),
        expires_at,
        pay_type: PayType::Insurance,
    }
}

/// So much of it goes back.
fn refund(number: &str, refund_no: &str, amount_fen: i64) -> RefundRequest {
    RefundRequest {
        out_trade_no: number.to_owned(),
        out_refund_no: refund_no.to_owned(),
        amount_fen,
        total_fen: 5000,
        reason: "候补未成功退费".to_owned(),
    }
}

/// Where a refund stands.
fn stands(said: &Result<RefundSaid, CallError>) -> Result<Refund, CallError> {
    said.clone().map(|said| said.refund)
}

/// What is known after a call.
fn known<T>(result: &Result<T, CallError>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(CallError::NotTaken { .. }) => "not taken",
        Err(CallError::NotNow { .. }) => "not now",
        Err(CallError::Unknown { .. }) => "unknown",
        Err(CallError::Broken { .. }) => "for a person",
    }
}
