//! Differences between the books, and figures.

use super::words;

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
        by_day: "每日申请与成功", "Applications and bookings by day";
        what_became: "号源分配结果", "What became of offers";
        table: "明细", "In numbers";
        figures_none: "该时段没有数据", "There is nothing in these days";
        figures_none_hint: "选择其他日期。", "Take other days.";
        hospital: "全院", "The hospital";
    }
}
