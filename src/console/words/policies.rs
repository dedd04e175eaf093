//! Settings and texts.

use super::words;

words! {
    /// Settings.
    PolicyWords {
        hint: "医生的设置优先于科室，科室优先于院区；未设置的继承上级。修改只影响新申请，除非另行应用于在途申请。",
              "A doctor's settings override the department's, a department's the campus's; what is not set is inherited. A change counts for new applications, until it is carried over to those who wait.";
        own: "有自己的设置", "Has settings of its own";
        set: "有设置", "Own";
        inherits: "继承上级", "Inherits";
        live: "进行中的申请", "Live applications";
        settings: "设置", "Setting";
        in_effect: "生效值", "In effect";
        from: "来源", "From";
        here: "此处设置", "Set here";
        default: "默认值", "The default";
        inherit: "继承", "Inherit";
        each_level: "逐级检查", "Each level is asked in turn";
        nowhere: "各级均未设置", "No level says";
        save: "保存设置", "Save";
        saved: "设置已保存。", "The settings are saved.";
        undone: "修改已撤销，恢复为修改前的设置。", "Undone: the settings are what they were before.";
        last: "最近一次修改", "The last change";
        undo: "撤销这次修改", "Undo this change";
        undo_hint: "恢复为修改前的设置，并记入操作记录。已应用于在途申请的，须再次应用。", "The settings become what they were before, and the audit log says so. Whoever the change was carried over to goes by it until the settings are carried over again.";
        changed_since: "设置与这次修改的结果不同或没有变化，不能撤销。", "There is nothing to undo: what stands is not what this change made, or the change made no difference.";
        carry: "应用于在途申请", "Carry over to those who wait";
        carry_hint: "让该级别下所有排队中的申请与号源释放按现行设置执行；已发出的号源不变。", "Everybody who waits under it, and every hand-out, goes by the settings in effect. An offer that is out keeps its terms.";
        carried: "已应用于在途申请。", "Carried over.";
        rules_only: "您的角色只能查看。", "Your role may look only.";
        none_here: "没有院区与科室", "There is no campus yet";
        none_here_hint: "科室由安装人员通过接口登记，排班由定时任务同步。", "Departments are named by whoever installs Houbu; schedules are pulled by a job.";
        switch: "是否开启候补", "Waitlist enabled";
        cap: "候补总数", "Cap of live applications";
        payment_mode: "支付方式", "Payment";
        insurance_prepay: "医保患者预付", "Prepayment by insured patients";
        fee_change: "费用变化时", "When the fee changes";
        queue_per: "排队范围", "One queue for";
        order: "分配顺序", "Order of the queue";
        draw_window: "抽签窗口（分钟）", "Draw window (minutes)";
        cap_reading: "上限规则", "How the levels' rules combine";
        cap_counts: "上限计数", "What the caps count";
        cutoff_days: "截止：就诊前几天", "Closes so many days before";
        cutoff_at: "截止时间", "Closes at";
        cutoff_working: "截止日须为工作日", "Closes on a working day";
        hard_stop: "就诊前多少分钟停止收款", "No payment so many minutes before";
        offer_window: "号源保留（分钟）", "Offer window (minutes)";
        prepay_minutes: "预付时限（分钟）", "Prepayment window (minutes)";
        lock_grace: "锁号宽限（分钟）", "Lock grace (minutes)";
        quiet_from: "免打扰开始", "Quiet from";
        quiet_to: "免打扰结束", "Quiet until";
        per_patient: "每人候补上限", "Live applications of one person";
        per_department: "每人每科每日上限", "Of these for one department and day";
        per_account: "每账号就诊人上限", "Persons of one account";
        declines: "拒绝几次后结束", "Declined offers that end it";
        misses: "未应答几次后结束", "Missed offers that end it";
        others: "挂号成功后其他申请", "Other applications once booked";
        notice_minutes: "最短提前（分钟）", "Minimum notice (minutes)";
        delay: "释放随机延迟上限（分钟）", "Random release delay, at most (minutes)";
        reminder: "就诊前几小时提醒", "Reminded so many hours before";
        question: "答复时限（分钟）", "Time to answer a question (minutes)";
        yes: "是", "Yes";
        no: "否", "No";
    }
}

/// Texts of messages.
pub(in crate::console) mod texts {
    use super::super::words;

    words! {
        /// Texts of messages.
        TextWords {
            hint: "患者收到的消息。修改后对之后发出的消息生效；每个版本都会保留。", "What patients are told. A change counts for whatever is sent from then on; every version is kept.";
            built_in: "内置文本", "Built in";
            version: "版本", "Version";
            every_campus: "全院", "The hospital";
            preview: "预览", "Preview";
            preview_hint: "以示例数据显示患者将收到的内容。", "With made-up facts, as a patient would get it.";
            sms: "短信", "SMS";
            no_sms: "无短信替代。", "No SMS in its place.";
            edit: "修改", "Change it";
            template_id: "平台模板编号", "The platform's template id";
            fields: "字段（每行一个：字段名 = 内容）", "Fields (one a line: key = text)";
            route: "发送渠道", "Channels";
            route_hint: "前一渠道未送达时改用下一渠道，每个渠道一次。", "Whom one does not reach is told by the next, once each.";
            no_route: "没有可用渠道", "No channel is configured";
            channels: "渠道顺序（不填为按配置）：wechatTemplate、wechatSubscribe、platform、sms", "Channels in order (empty: as configured): wechatTemplate, wechatSubscribe, platform, sms";
            template_ids: "其他渠道的模板编号（每行一个：渠道 = 编号）", "Template ids on other channels (one a line: channel = id)";
            sms_text: "短信内容（不填为不发短信）", "SMS (empty: none)";
            placeholders: "可用占位符：{doctor} {visitTime} {visitDate} {place} {deadline} {amount} {status} {remark}",
                          "Placeholders: {doctor} {visitTime} {visitDate} {place} {deadline} {amount} {status} {remark}";
            look: "预览修改", "Look at the change";
            save: "保存为新版本", "Store as a new version";
            saved: "新版本已生效。", "The new version is in force.";
            versions: "历史版本", "Versions";
            taken_back: "已撤回", "Taken back";
            take_back: "撤回到内置文本", "Take it back";
            restore: "恢复到此版本", "Store this version anew";
            draft: "修改预览（尚未保存）", "The change, not stored yet";
        }
    }
}
