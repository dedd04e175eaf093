//! Differences between the books, and figures.

use super::words;
use crate::waitlist::language::Language;

/// What the books hold of one thing.
const STANDINGS: [(&str, &str); 14] = [
    ("unknown", "未知"),
    ("open", "待支付"),
    ("closed", "已关闭"),
    ("paid", "已支付"),
    ("refunding", "退款中"),
    ("refunded", "已退款"),
    ("none", "无"),
    ("not told", "未告知"),
    ("booked", "已预约"),
    ("cancelled", "已取消"),
    ("no payment", "无支付"),
    ("not needed", "已不需要"),
    ("held", "锁定中"),
    ("held until it ran out", "锁定至过期"),
];

/// What a book holds, in words; a number of an order or a payment as it is.
pub(in crate::console) fn standing(said: &str, language: Language) -> String {
    if language == Language::En {
        return said.to_owned();
    }
    if let Some(other) = said.strip_prefix("booked beside ") {
        return format!("与 {other} 重复预约");
    }
    STANDINGS.iter().find(|(name, _)| *name == said).map_or(said, |(_, zh)| zh).to_owned()
}

words! {
    /// Differences between the books, and figures.
    BookWords {
        cases_hint: "每日与医院、支付平台核对的差异。系统不自动改账，由人工核实后写明处理结果。", "Where our books differ from HIS's or the payment provider's. No book is corrected here: a person looks and says what was done.";
        cases_none: "没有差异", "No difference";
        cases_none_hint: "三方账目一致，无需操作；可在下方选择日期重新对账。", "All books agree and there is nothing to do; a day can be compared again below.";
        open: "待处理", "To be settled";
        suspect: "待观察", "May settle itself";
        resolved: "已处理", "Resolved";
        kind: "差异", "Difference";
        subject: "单号", "Number";
        ours: "我方", "Ours";
        theirs: "对方", "Theirs";
        amount: "金额（元）", "Amount (yuan)";
        found: "发现时间", "Found";
        resolve: "标记为已处理", "Resolve";
        resolve_hint: "写明核实结果与处理方式。", "Say what was found and done.";
        runs: "对账记录", "Days compared";
        compare: "立即对账", "Compare that day now";
        compared: "比对申请", "Compared";
        asked: "再次核实", "Asked again";
        differences: "差异", "Differences";
        running: "进行中", "Under way";
        runs_none: "尚未对账。选择日期后点击对账，或等待每日定时任务。", "No day was compared yet. Compare one above, or wait for the daily job.";
        figures_hint: "按就诊日期统计。", "By the day of the visit.";
        from: "开始日期", "From";
        to: "结束日期", "To";
        group: "分组", "By";
        applications: "候补申请", "Applications";
        converted: "挂号成功", "Booked";
        conversion: "成功率", "Conversion";
        offers: "分配号源", "Offers";
        declined: "患者拒绝", "Declined";
        missed: "未应答", "Missed";
        lost: "被他人占用", "Lost to another channel";
        unusable: "号源不可用", "Unusable";
        filled: "补上的号源", "Places filled";
        idle: "平均空置", "Idle, on average";
        visits: "就诊", "Visits";
        no_shows: "爽约", "No-shows";
        conversion_hint: "挂号成功 ÷ 候补申请", "Booked of all applications";
        lost_hint: "分配时该号已被其他渠道挂走", "Gone through another channel when it was offered";
        idle_hint: "号源空出到再次挂上的平均时长", "From when a place comes free until it is booked again";
        by_day: "每日申请与成功", "Applications and bookings by day";
        what_became: "号源分配结果", "What became of offers";
        table: "明细", "In numbers";
        figures_none: "该时段没有数据", "There is nothing in these days";
        figures_none_hint: "选择其他日期。", "Take other days.";
        hospital: "全院", "The hospital";
    }
}

#[cfg(test)]
mod standings {
    use super::*;

    /// Words of the comparison that no list knows would be English among Chinese.
    #[test]
    fn whatever_a_book_holds_has_chinese() {
        let sources =
            [include_str!("../../waitlist/reconciliation.rs"), include_str!("../../waitlist/reconciliation/facts.rs")];
        for source in sources {
            let own = source.split("#[cfg(test)]").next().unwrap_or_default();
            let code = own.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in
                code.filter(|line| ["=> \"", "theirs", "ours", "in_words"].iter().any(|part| line.contains(part)))
            {
                for literal in line.split('"').skip(1).step_by(2).filter(|word| word.chars().all(is_small)) {
                    assert_ne!(standing(literal, Language::ZhCn), literal, "{line}");
                }
            }
        }
        assert_eq!(standing("booked beside O1", Language::ZhCn), "与 O1 重复预约");
        assert_eq!(standing("T01M8", Language::ZhCn), "T01M8");
    }

    fn is_small(letter: char) -> bool {
        letter.is_ascii_lowercase() || letter == ' '
    }
}
