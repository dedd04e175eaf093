//! Patients, queues and deadlines.

use super::words;

words! {
    /// Patients and the blacklist.
    PatientWords {
        hint: "按患者编号、手机号（或尾号）、证件号查找。证件号与手机号只用于查找，不会记录。",
              "Find a patient by id, phone (or its last four digits) or ID number. What is typed is hashed to look for it, and not kept.";
        q: "患者编号、手机尾号、证件号", "Patient id, phone tail, ID number";
        latest: "最近更新的患者", "Latest patients";
        cut: "符合的患者超过 50 位，只列出前 50 位。请输入完整证件号码或患者编号。", "More than 50 patients fit: the first 50 are listed. Type the whole ID number, or the patient's id.";
        found: "查找结果", "Found";
        none: "没有找到患者", "No patient was found";
        none_hint: "请核对编号；手机号可只填后四位。", "See whether the number is right; four digits of the phone are enough.";
        name: "姓名", "Name";
        phone: "手机", "Phone";
        id_number: "证件号", "ID number";
        guardian: "监护人", "Guardian";
        live: "进行中的申请", "Live applications";
        ever: "全部申请", "All applications";
        masked: "个人信息已脱敏。", "Personal data is masked.";
        unmask: "查看完整信息", "See it in the clear";
        unmask_hint: "本次查看将连同原因写入操作记录，离开本页后恢复脱敏。", "This look is audited with its reason, and masked again when you leave the page.";
        unmasked: "完整个人信息（本次查看已记录）", "Personal data in the clear (this look was audited)";
        unmasked_hint: "本页不再自动更新。", "This page does not follow what happens.";
        unmasked_over: "恢复脱敏", "Mask it again";
        accounts: "同一证件的其他编号", "Other ids of the same person";
        applications: "候补申请", "Applications";
        applications_none: "没有候补申请。患者提交后列在这里。", "No application. Those that the patient makes are listed here.";
        visits: "挂号", "Visits";
        booked_at: "挂号于", "Booked";
        visits_none: "没有通过候补挂上的号。窗口等其他渠道的挂号请在 HIS 查询。", "No visit came from the waitlist. Visits that were booked elsewhere stand in HIS.";
        place: "就诊地点", "Where";
        payments: "支付与退款", "Payments and refunds";
        payments_none: "没有支付。患者若称已付款，请按支付单号查找外部回调。", "No payment. Where the patient says otherwise, look for the payment number among the callbacks.";
        amount: "金额（元）", "Amount (yuan)";
        refunded: "已退（元）", "Refunded (yuan)";
        offers: "号源分配", "Offers";
        offers_none: "没有分配过号源。排到时系统自动分配，无需操作。", "No place was offered. One is offered by itself when the turn comes.";
        messages: "消息", "Messages";
        messages_none: "没有消息。申请有进展时系统自动通知。", "No message. One is sent by itself when something moves.";
        bans: "黑名单", "Blacklist";
        bans_none: "不在黑名单中。需要时在此加入。", "Not on the blacklist. Put the patient on it here where needed.";
        breaches: "爽约", "Breaches";
        cutoff: "候补截止", "The queue ends";
        halted: "已暂停，待处理", "Stands still";
        deeds: "员工操作", "What staff did";
        deeds_none: "尚无员工查看完整信息或处理过其申请。", "Nobody has seen the patient in the clear or acted on an application.";
        ban: "加入黑名单", "Put on the blacklist";
        ban_until: "截止日期（不填为长期）", "Until (empty: until it is lifted)";
        lift: "解除黑名单", "Lift it";
        until_lifted: "长期", "until it is lifted";
        rule: "规则", "Rule";
        by_staff: "人工", "By staff";
        since: "开始", "Since";
        until: "截止", "Until";
        holds: "生效中", "In force";
        over: "已结束", "Over";
        slot: "时段", "Time slot";
        blacklist_hint: "黑名单中的患者不能新申请候补，也不会被分配号源；已排队的保留位置。", "Whoever is on it may not join a queue and is offered nothing; a place in a queue is kept.";
        everybody: "黑名单", "Who is on it";
        everybody_none: "黑名单为空", "Nobody is on it";
        everybody_none_hint: "在患者页面可加入黑名单；爽约规则会自动加入。", "A patient is put on it from the patient's page, or by the rules for breaches.";
        appeals: "待处理的申诉", "Appeals to be decided";
        appeals_none: "没有待处理的申诉，无需操作。", "No appeal stands open: there is nothing to do.";
        said: "申诉内容", "What is said";
        due: "处理期限", "To be decided by";
        grant: "批准", "Grant";
        refuse: "驳回", "Refuse";
        rule_edit: "新建或修改规则", "Make or change a rule";
        rule_hint: "先预览会限制哪些患者，再保存。规则对之后统计的爽约生效；移除规则时由它产生的限制随即结束。", "Look at whom it would bar before you store it. A rule counts for persons whose breaches are listed from then on; what follows from a rule is over when it is removed.";
        rule_id: "规则编号", "The rule's id";
        rule_event: "计入", "What is counted";
        rule_scope: "范围", "Counted together in";
        rule_threshold: "次数", "So many lead to it";
        rule_window: "统计天数（不填为自然年）", "Within so many days (empty: a calendar year)";
        rule_penalty: "限制天数", "Barred for so many days";
        rule_appeal: "申诉期限（天，不填为不可申诉）", "An appeal is decided within days (empty: no appeal)";
        rule_look: "预览", "Look at whom it bars";
        rule_save: "保存规则", "Store the rule";
        rule_remove: "移除规则", "Remove the rule";
        would_bar: "按今天的记录会被限制的患者", "Patients that it would bar as of today";
        rules: "爽约规则", "Rules for breaches";
        rules_none: "没有爽约规则。填写下方表单新增。", "There is no rule. Add one with the form below.";
    }
}

/// Queues and deadlines.
pub(in crate::console) mod queues {
    use super::super::words;

    words! {
        /// Queues and deadlines.
        QueueWords {
            hint: "HIS 最近一次告知的排班，以及每个候补队列的状态。", "Schedules as HIS told them last, and how each queue stands.";
            from: "开始日期", "From";
            to: "结束日期", "To";
            every_department: "全部科室", "Every department";
            waiting_only: "仅显示有人候补", "Only where somebody waits";
            further: "更多排班", "Further schedules";
            none: "没有排班", "No schedule";
            none_hint: "选择其他日期或科室；排班由定时任务从 HIS 同步。", "Take other days or another department; schedules are pulled from HIS by a job.";
            places: "余号 / 总号", "Left / all";
            queue: "候补人数", "Waiting";
            cap: "候补上限", "Cap";
            joinable: "能否申请", "May join";
            open: "可申请", "Yes";
            cutoff: "候补截止", "Closes";
            fee: "挂号费（元）", "Fee (yuan)";
            mode: "支付方式", "Payment";
            order: "顺序", "Order";
            place: "位置", "Place";
            person: "患者", "Patient";
            applied: "申请时间", "Applied";
            offers: "分配结果", "Offered";
            in_line: "排队中", "In line";
            others: "其他申请", "Other applications";
            line_none: "无人候补", "Nobody waits";
            line_none_hint: "有人申请候补后按顺序显示在这里。", "Whoever applies stands here in order.";
            others_none: "没有其他申请。", "None.";
            passed_asked: "待患者答复，暂不分配", "Asked something first: passed over";
            passed_banned: "黑名单，暂不分配", "On the blacklist: passed over";
            passed_suspended: "流程已暂停，暂不分配", "Its run is suspended: passed over";
            next: "下一个分配", "Next in line";
            draw: "抽签", "The draw";
            draw_hint: "种子的哈希在开放候补时公布，抽签后公布种子，任何人可重算顺序。", "The seed's hash was published before anybody applied, the seed after the draw: anybody can compute the order anew.";
            commitment: "种子哈希", "Commitment";
            held: "抽签时间", "Held at";
            drawn: "已抽签", "Drawn";
            not_drawn: "尚未抽签", "Not drawn yet";
            arrived: "申请次序", "Arrived";
            hand_out: "号源释放流程", "The hand-out's run";
            effective: "生效的规则", "The policy in effect";
            deadlines_hint: "最近到期的在前；重试与退款查询由系统自动进行。", "The soonest first. Tries and looks at refunds happen by themselves.";
            deadlines_none: "没有即将到期的事项", "Nothing falls due";
            deadlines_none_hint: "待确认、待支付、候补截止、申诉期限、步骤重试与退款查询会显示在这里。", "Offers, payments, closing queues, appeals, next tries of steps and looks at refunds appear here.";
            deadlines_none_such: "没有符合条件的事项", "Nothing of this kind falls due then";
            deadlines_none_such_hint: "选择其他类型，或清空日期。", "Take another kind, or no day.";
            kind: "类型", "Kind";
            every_kind: "全部类型", "Every kind";
            answer: "患者确认", "Answer to an offer";
            payment: "支付", "Payment";
            prepayment: "预付", "Prepayment";
            question: "答复询问", "Answer to a question";
            cutoff_of: "候补截止", "Queue closes";
            appeal: "申诉处理期限", "Appeal to be decided";
            retry: "步骤重试", "Next try of a step";
            refund: "查询退款", "Look at a refund";
            failed_times: "已失败次数：", "Failed attempts: ";
            people: "人", "waiting";
            overdue: "已过期，等待处理", "Overdue, being handled";
        }
    }
}
