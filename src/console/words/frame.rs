//! What every page says.

use super::words;

words! {
    /// What every page says.
    FrameWords {
        title: "候补挂号", "Houbu waitlist";
        skip: "跳到正文", "Skip to the page";
        menu: "菜单", "Menu";
        now: "当前事务", "Now";
        patients_and_queues: "患者与队列", "Patients and queues";
        rules: "规则", "Rules";
        books: "核对与统计", "Books and figures";
        machine: "系统", "System";
        home: "工作台", "Home";
        runs: "流程实例", "Runs";
        letters: "未送达消息", "Undelivered messages";
        bulks: "批量操作", "Bulk operations";
        patients: "患者", "Patients";
        schedules: "排班与候补队列", "Schedules and queues";
        deadlines: "到期日历", "Deadlines";
        policies: "候补规则", "Policies";
        texts: "消息模板", "Message templates";
        blacklist: "黑名单", "Blacklist";
        cases: "对账差异", "Reconciliation";
        figures: "统计指标", "Figures";
        audit: "操作记录", "Audit log";
        callbacks: "外部回调", "Callback inbox";
        system: "外部系统与进程", "Destinations and workers";
        jobs: "定时任务", "Scheduled jobs";
        users: "用户与密钥", "Users and keys";
        api: "接口文档", "API reference";
        find_anything: "查找申请、患者、订单号", "Find an application, patient or order";
        find: "查找", "Find";
        apply: "应用", "Apply";
        theme: "浅色或深色", "Light or dark";
        keys: "键盘", "Keyboard";
        other_language: "English", "中文";
        sign_out: "退出登录", "Sign out";
        older: "更早", "Older";
        further: "后续", "Further";
        all: "全部", "All";
        none: "无", "None";
        back: "返回", "Back";
        reason: "原因（写入操作记录，勿填个人信息）", "Reason (kept in the audit log; no personal data)";
        key_find: "查找", "Find";
        key_rows: "下一行、上一行", "Next row, previous row";
        key_help: "显示本帮助", "Show this help";
        key_home: "工作台", "Home";
        key_runs: "流程实例", "Runs";
        key_patients: "患者", "Patients";
        close: "关闭", "Close";
        until: "至", "until";
        status: "状态", "Status";
        workflow: "流程", "Workflow";
        step: "步骤", "Step";
        key: "业务键", "Key";
        updated: "最近变化", "Last moved";
        patient: "患者", "Patient";
        schedule: "排班", "Schedule";
        doctor: "医生", "Doctor";
        department: "科室", "Department";
        campus: "院区", "Campus";
        day: "日期", "Day";
        at: "时间", "Time";
        who: "操作人", "Who";
        why: "原因", "Why";
        what: "操作", "What";
        application: "候补申请", "Application";
        deadline: "截止时间", "Deadline";
        payment: "支付", "Payment";
        undo: "撤销刚才的操作", "Undo what was just done";
        undone: "撤销刚才的操作", "Undone right away";
        not_found: "没有找到", "Not found";
        wrong_title: "操作未完成", "This was not done";
        names_sealed: "姓名加密保存，不能按姓名查找：请用患者编号、手机号（可只填后四位）、证件号或订单号。",
            "Names are kept sealed and cannot be searched for: take the patient's id, the phone or its last four digits, the ID number or an order's.";
        unreached: "没有收到服务器的答复，不知道操作是否已完成：请先刷新页面查看，再决定是否重试。",
            "The server did not answer, so whether this was done is not known: reload the page and look before trying again.";
        nothing_changed: "数据未作任何更改。", "Nothing was changed.";
        csv: "CSV", "CSV";
    }
}
