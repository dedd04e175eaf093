//! Every call and push of the outside world that can go wrong, and what it can answer instead: whatever is drawn ([`Faults`])
//! stands here, and whatever stands here can be switched on the sandbox's own page.
//!
//! [`Faults`]: super::faults::Faults

/// A system, as the page names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The HIS.
    His,
    /// WeChat Pay.
    Pay,
    /// The hospital's own payment platform.
    PayPlatform,
    /// WeChat messages.
    Wechat,
    /// The hospital's own message platform.
    Platform,
    /// The SMS gateway.
    Sms,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::His, Self::Pay, Self::PayPlatform, Self::Wechat, Self::Platform, Self::Sms];

    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::His => "HIS",
            Self::Pay => "WeChat Pay",
            Self::PayPlatform => "Payment platform",
            Self::Wechat => "WeChat messages",
            Self::Platform => "Message platform",
            Self::Sms => "SMS gateway",
        }
    }
}

/// Something that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Who does it.
    pub system: System,
    /// Its name on the page, and by which faults are drawn.
    pub call: &'static str,
    /// What it is.
    pub what: &'static str,
    /// True for what the outside tells us; false for what it is asked.
    pub is_push: bool,
    /// True for what gives money back, or answers about it: the amount can be another.
    pub is_refund: bool,
    /// What it can answer instead of doing it, or tell instead of the truth: codes of its interface.
    pub answers: &'static [&'static str],
}

/// The call by which a FHIR client of the HIS gets its access token.
pub const HIS_TOKEN: &str = "his token";
/// The call that the message platform is sent messages by.
pub const PLATFORM_SEND: &str = "platform send";
/// What the message platform tells later.
pub const PLATFORM_EVENT: &str = "platform event";
/// What WeChat tells later of a template message.
pub const WECHAT_TEMPLATE_EVENT: &str = "wechat template event";
/// What WeChat tells later of a subscribe message.
pub const WECHAT_SUBSCRIBE_EVENT: &str = "wechat subscribe event";

/// The codes that every function of a HIS may answer, and the business codes that this one has.
macro_rules! his_codes {
    ($($business:literal),*) => { &["1", "7", "10", "13", "99" $(, $business)*] };
}

/// The codes that WeChat Pay may answer to every call, and those of this one.
macro_rules! wechat_codes {
    ($($own:literal),*) => { &["SYSTEM_ERROR", "FREQUENCY_LIMITED", "SIGN_ERROR" $(, $own)*] };
}

/// The codes that a payment platform may answer to every call, and those of this one.
macro_rules! platform_codes {
    ($($own:literal),*) => {
        &[
            "FAILED",
            "BUSY",
            "STALE",
            "BAD_SIGNATURE",
            "BAD_REQUEST",
            "MERCHANT_UNKNOWN",
            "NOT_PERMITTED"
            $(, $own)*
        ]
    };
}

const LOCK_CODES: &[&str] = his_codes!("200501", "200504", "200505", "200506");
const ERRCODES: &[&str] =
    &["-1", "40001", "40003", "40014", "40037", "42001", "43004", "43101", "45009", "45011", "47003", "48001"];
const TEMPLATE_FATES: &[&str] = &["failed:user block", "failed: system failed"];
const GATEWAY_CODES: &[&str] = &["1", "2", "3"];

const fn asked(system: System, call: &'static str, what: &'static str, answers: &'static [&'static str]) -> Subject {
    Subject { system, call, what, is_push: false, is_refund: false, answers }
}

const fn refunds(system: System, call: &'static str, what: &'static str, answers: &'static [&'static str]) -> Subject {
    Subject { is_refund: true, ..asked(system, call, what, answers) }
}

const fn told(system: System, call: &'static str, what: &'static str, answers: &'static [&'static str]) -> Subject {
    Subject { system, call, what, is_push: true, is_refund: false, answers }
}

/// All of them, by system.
pub const SUBJECTS: &[Subject] = &[
    asked(System::His, "2003", "schedules", his_codes!("200303")),
    asked(System::His, "2004", "times of a schedule", his_codes!("200403")),
    asked(System::His, "2005", "lock", LOCK_CODES),
    asked(System::His, "2006", "unlock", his_codes!("200601")),
    asked(System::His, "2007", "book", his_codes!("200701", "200708", "200709", "200710", "200711")),
    asked(System::His, "2008", "tell of money", his_codes!("200801", "200802", "200803", "200804", "200805", "200806")),
    asked(System::His, "2009", "cancel", his_codes!("200901", "200902")),
    asked(System::His, "2010", "refund", his_codes!("201001")),
    asked(System::His, "2012", "query an order", his_codes!("201201")),
    asked(System::His, "2013", "lock for a waitlist", LOCK_CODES),
    asked(System::His, "2014", "renew a lock", his_codes!("201401")),
    asked(System::His, "2015", "breaches", his_codes!()),
    asked(System::His, "2016", "query a lock", his_codes!("201601")),
    asked(System::His, "2017", "list of orders", his_codes!()),
    asked(System::His, "2018", "list of locks", his_codes!()),
    asked(System::His, HIS_TOKEN, "access token, FHIR", &["invalid_client", "invalid_scope"]),
    told(System::His, "5001", "停诊", &[]),
    told(System::His, "5002", "it cancelled a booking of ours", &[]),
    told(System::His, "5003", "its counter paid back", &[]),
    told(System::His, "5004", "its counter printed", &[]),
    told(System::His, "5005", "its counter took money", &[]),
    told(System::His, "5006", "it asks about a refund", &[]),
    told(System::His, "5007", "a booking was cancelled", &[]),
    told(System::His, "5008", "替诊, 改诊", &[]),
    asked(
        System::Pay,
        "wechat-pay open",
        "JSAPI order",
        wechat_codes!("PARAM_ERROR", "OUT_TRADE_NO_USED", "ORDER_CLOSED", "ORDERPAID"),
    ),
    asked(System::Pay, "wechat-pay query", "query an order", wechat_codes!("ORDER_NOT_EXIST")),
    asked(
        System::Pay,
        "wechat-pay close",
        "close an order",
        wechat_codes!("USER_PAYING", "ORDERPAID", "ORDER_CLOSED", "ORDER_NOT_EXIST"),
    ),
    refunds(
        System::Pay,
        "wechat-pay refund",
        "refund",
        wechat_codes!("PARAM_ERROR", "NOT_ENOUGH", "USER_ACCOUNT_ABNORMAL", "RESOURCE_NOT_EXISTS"),
    ),
    refunds(System::Pay, "wechat-pay refund query", "query a refund", wechat_codes!("RESOURCE_NOT_EXISTS")),
    asked(System::Pay, "wechat-pay bill", "where a bill is", wechat_codes!("STATEMENT_CREATING", "NO_STATEMENT_EXIST")),
    asked(System::Pay, "wechat-pay bill download", "a bill", wechat_codes!()),
    asked(System::Pay, "wechat-pay certificates", "platform certificates", wechat_codes!()),
    told(System::Pay, "wechat-pay notice", "notices of payments and refunds", &[]),
    asked(
        System::PayPlatform,
        "pay-platform open",
        "an order",
        platform_codes!("ORDER_EXISTS", "ORDER_PAID", "ORDER_CLOSED", "INSURANCE_REFUSED", "ORDER_REFUSED"),
    ),
    asked(System::PayPlatform, "pay-platform query", "query an order", platform_codes!("ORDER_UNKNOWN")),
    asked(
        System::PayPlatform,
        "pay-platform close",
        "close an order",
        platform_codes!("PAYING", "ORDER_PAID", "ORDER_CLOSED", "ORDER_UNKNOWN"),
    ),
    refunds(
        System::PayPlatform,
        "pay-platform refund",
        "refund",
        platform_codes!("FUNDS_SHORT", "ACCOUNT_CLOSED", "REFUND_REFUSED"),
    ),
    refunds(System::PayPlatform, "pay-platform refund query", "query a refund", platform_codes!("REFUND_UNKNOWN")),
    asked(System::PayPlatform, "pay-platform bill", "a page of a bill", platform_codes!("BILL_NOT_READY")),
    told(System::PayPlatform, "pay-platform notice", "notices of payments and refunds", &[]),
    asked(System::Wechat, "wechat stable_token", "access token", &["-1", "40125", "45009", "45011"]),
    asked(System::Wechat, "wechat template send", "template message", ERRCODES),
    asked(System::Wechat, "wechat subscribe send", "subscribe message", ERRCODES),
    told(System::Wechat, WECHAT_TEMPLATE_EVENT, "whether a template message arrived", TEMPLATE_FATES),
    told(System::Wechat, WECHAT_SUBSCRIBE_EVENT, "whether a subscribe message arrived", &["failed:user block"]),
    asked(System::Platform, PLATFORM_SEND, "a message", GATEWAY_CODES),
    told(System::Platform, PLATFORM_EVENT, "whether a message arrived", &["failed"]),
    asked(System::Sms, "sms", "an SMS", GATEWAY_CODES),
];

/// What a HIS says beside a return code of its.
pub fn words_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "1" => "参数错误",
        "7" => "签名错误",
        "10" => "重复提交",
        "13" => "业务处理失败",
        "99" => "系统异常",
        "200303" | "200403" => "排班不存在",
        "200501" => "排班无效",
        "200504" => "锁号ID已存在",
        "200505" | "200709" => "号源已满",
        "200506" | "200710" => "号源已被占用",
        "200601" | "201401" | "201601" => "锁号记录不存在",
        "200701" => "该患者已预约此排班",
        "200708" => "订单号已存在",
        "200711" => "患者身份信息不符",
        "200801" => "挂号订单不存在",
        "200802" => "挂号订单已支付",
        "200803" => "挂号订单已关闭",
        "200804" => "挂号金额不正确",
        "200805" => "挂号订单已取消",
        "200806" => "挂号订单已退款",
        "200901" | "201001" | "201201" => "订单不存在",
        "200902" => "已过退号时间",
        _ => return None,
    })
}

/// The one of this name.
pub fn subject(call: &str) -> Option<&'static Subject> {
    SUBJECTS.iter().find(|subject| subject.call == call)
}
