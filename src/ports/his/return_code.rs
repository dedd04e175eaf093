//! What a `RETURN_CODE` means for the caller: one pure table.

use super::super::CallError;

/// The functions that the client calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Function {
    GetRegInfo,
    GetTimeRegInfo,
    LockReg,
    UnLockReg,
    OrderReg,
    PayReg,
    CancelReg,
    Refund,
    QueryRegRecord,
    WaitLockReg,
    RenewLock,
    QueryLock,
    GetBreachList,
    GetOrderList,
    GetLockList,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::GetRegInfo,
        Self::GetTimeRegInfo,
        Self::LockReg,
        Self::UnLockReg,
        Self::OrderReg,
        Self::PayReg,
        Self::CancelReg,
        Self::Refund,
        Self::QueryRegRecord,
        Self::WaitLockReg,
        Self::RenewLock,
        Self::QueryLock,
        Self::GetBreachList,
        Self::GetOrderList,
        Self::GetLockList,
    ];

    /// Code and name, as in `2007 OrderReg`.
    pub fn label(self) -> &'static str {
        match self {
            Self::GetRegInfo => "2003 GetRegInfo",
            Self::GetTimeRegInfo => "2004 GetTimeRegInfo",
            Self::LockReg => "2005 LockReg",
            Self::UnLockReg => "2006 UnLockReg",
            Self::OrderReg => "2007 OrderReg",
            Self::PayReg => "2008 PayReg",
            Self::CancelReg => "2009 CancelReg",
            Self::Refund => "2010 Refund",
            Self::QueryRegRecord => "2012 QueryRegRecord",
            Self::WaitLockReg => "2013 WaitLockReg",
            Self::RenewLock => "2014 RenewLock",
            Self::QueryLock => "2016 QueryLock",
            Self::GetBreachList => "2015 GetBreachList",
            Self::GetOrderList => "2017 GetOrderList",
            Self::GetLockList => "2018 GetLockList",
        }
    }

    /// `FUN_CODE`.
    pub fn code(self) -> &'static str {
        self.label().split_once(' ').map_or("", |(code, _)| code)
    }

    /// The SOAP method.
    pub fn name(self) -> &'static str {
        self.label().split_once(' ').map_or("", |(_, name)| name)
    }

    /// The function of a `FUN_CODE`.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.code() == code)
    }

    /// True where the call changes nothing at the HIS.
    pub fn only_reads(self) -> bool {
        matches!(
            self,
            Self::GetRegInfo
                | Self::GetTimeRegInfo
                | Self::QueryRegRecord
                | Self::QueryLock
                | Self::GetBreachList
                | Self::GetOrderList
                | Self::GetLockList
        )
    }
}

/// An answer that the call itself understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `0`.
    Done,
    /// The six-digit code of a business failure.
    Business(String),
}

/// Reads `RETURN_CODE` and `RETURN_MSG`. The message is never repeated in an error: it may name the patient.
///
/// A business failure is `13` with the six-digit code at the head of the message; some systems put the six digits
/// into `RETURN_CODE` itself.
pub fn outcome(function: Function, code: &str, message: &str) -> Result<Outcome, CallError> {
    let (system, call) = ("his", function.label());
    let detail = format!("RETURN_CODE {}", code.chars().take(8).collect::<String>());
    match code {
        "0" => Ok(Outcome::Done),
        "1" | "7" => Err(CallError::Broken { system, call, detail }),
        "10" => Err(CallError::Unknown { system, call, detail }),
        "13" => match six_digits(message) {
            Some(business) => Ok(Outcome::Business(business)),
            // A refusal without its reason: nothing took effect, and nothing that we send will change it.
            None => Err(CallError::Broken { system, call, detail: format!("{detail} without a business code") }),
        },
        "99" if function.only_reads() => Err(CallError::NotTaken { system, detail }),
        _ => match six_digits(code) {
            Some(business) if business.len() == code.len() => Ok(Outcome::Business(business)),
            _ => Err(CallError::Unknown { system, call, detail }),
        },
    }
}

/// The six digits, `20....`, at the head of a text.
fn six_digits(text: &str) -> Option<String> {
    let head = text.trim_start_matches(['[', '【', '(', '（', ' ']);
    let digits: String = head.chars().take_while(char::is_ascii_digit).collect();
    (digits.len() == 6 && digits.starts_with("20")).then_some(digits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn kind(function: Function, code: &str, message: &str) -> &'static str {
        match outcome(function, code, message) {
            Ok(Outcome::Done) => "done",
            Ok(Outcome::Business(_)) => "business",
            Err(CallError::NotTaken { .. } | CallError::NotNow { .. }) => "not taken",
            Err(CallError::Unknown { .. }) => "unknown",
            Err(CallError::Broken { .. }) => "broken",
        }
    }

    #[test]
    fn the_table() {
        for function in Function::ALL {
            let reads = function.only_reads();
            assert_eq!(kind(function, "0", ""), "done");
            assert_eq!(kind(function, "1", "参数错误"), "broken");
            assert_eq!(kind(function, "7", "签名错误"), "broken");
            assert_eq!(kind(function, "10", "重复提交"), "unknown");
            assert_eq!(kind(function, "13", "200505 约满"), "business");
            assert_eq!(kind(function, "13", "[200505]约满"), "business");
            assert_eq!(kind(function, "13", "约满"), "broken");
            assert_eq!(kind(function, "99", "系统异常"), if reads { "not taken" } else { "unknown" });
            assert_eq!(kind(function, "200708", "订单已存在"), "business");
            assert_eq!(kind(function, "-3", "获取失败"), "unknown");
            assert_eq!(kind(function, "", ""), "unknown");
        }
        assert_eq!(outcome(Function::LockReg, "13", "200506").unwrap(), Outcome::Business("200506".into()));
    }

    #[test]
    fn an_error_never_repeats_the_message() {
        let error = outcome(Function::OrderReg, "99", "张三 110101199003071234").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("110101"));
    }

    #[test]
    fn functions_are_found_by_their_code() {
        for function in Function::ALL {
            assert_eq!(Function::of_code(function.code()), Some(function));
        }
        assert_eq!((Function::OrderReg.code(), Function::OrderReg.name()), ("2007", "OrderReg"));
        assert_eq!(Function::of_code("5001"), None);
    }
}
