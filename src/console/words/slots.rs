//! Places of a schedule: who got which, how, when and why.

use super::words;

words! {
    /// Places of a schedule.
    SlotWords {
        title: "号源与分配", "Places: who got what";
        hint: "按时段列出：每个号源分配给谁、何时、为什么。", "By their time: to whom each was given, when and why.";
        told: "空闲号源由 HIS 告知于", "HIS told what is free";
        not_told: "得知有空号后才向 HIS 查询空闲号源。", "HIS is asked what is free once somebody waits and a place is said to be free.";
        none: "还没有分配过号源", "No place was handed out yet";
        none_hint: "有号源释放后，分配给谁、何时、为什么都会列在这里。", "Once one comes free it stands here: who got it, when and why.";
        time: "时段", "Time";
        state: "状态", "State";
        who: "患者", "Patient";
        how: "经过", "How and when";
        why: "原因", "Why";
        no_time: "时段未记录", "Time not recorded";
        free: "空闲", "Free";
        left: "个号源", "place|places";
        too_near: "临近就诊", "Too near";
        too_near_why: "距就诊时间太近，不再分配，先到先得。", "Too close to the visit to be offered: whoever comes first may have it.";
        offered: "分配中", "Being offered";
        locked: "已锁号", "Locked";
        booked: "已挂号", "Booked";
        visited: "已就诊", "Visited";
        released: "已释放", "Released";
        lost: "被他人占用", "Taken elsewhere";
        not_given: "未能分配", "Not given";
        heard: "得知空号", "Heard that it is free";
        made: "分配", "Offered";
        taken: "HIS 锁号或挂号", "Taken at HIS";
        answer_by: "须答复于", "Answer due";
        settled: "结果", "Came to this";
        booked_at: "挂号", "Booked";
        cancelled_at: "退号", "Visit cancelled";
        first: "排在首位", "First in line";
        applied: "申请于", "Applied";
        drawn: "抽签第", "Drawn as";
        arrived: "申请次序", "Arrived as";
        why_out: "正在向 HIS 锁号或挂号。", "It is being locked or booked at HIS.";
        why_halted: "流程已暂停，需人工处理后才会继续。", "The run is suspended: nothing happens until a person sees to it.";
        why_held: "等待患者确认或支付。", "The patient is to confirm or to pay.";
        why_cancelled: "就诊已取消，号源退回。", "The visit was cancelled, and the place went back.";
        why_declined: "患者拒绝，号源退回并给下一位。", "The patient declined: it went back, for the next in line.";
        why_missed: "患者未在期限内确认或支付，号源退回并给下一位。", "No answer or no payment in time: it went back, for the next in line.";
        why_ended: "申请已结束，号源退回。", "The application ended, and the place went back.";
        why_lost: "锁号时已被其他渠道占用，患者保留排队位置。", "Another channel was faster. The patient keeps the place in line.";
        why_unusable: "HIS 未能锁号，或已来不及答复；患者保留排队位置。", "HIS did not lock it, or it was too late to answer. The patient keeps the place in line.";
        why_withheld: "无法分配给该患者，改给下一位。", "It could not be given to this patient, and went to the next in line.";
        free_draw: "等待抽签：", "The order is drawn first, at";
        free_kept: "随机延迟后分配，最迟：", "Kept for a time by chance, until";
        free_halted: "号源释放流程已暂停，需人工处理。", "The hand-out stands still: somebody has to put it right.";
        free_now: "正在依次分配。", "It is being handed out, one after the other.";
        free_unwanted: "无人候补，或排队者均已放弃。", "Nobody waits, or everybody in line has passed on it.";
        free_idle: "没有待分配的号源。", "There is nothing to hand out.";
        free_closed: "候补已截止，不再分配，先到先得。", "The queue is closed: whoever comes first may have it.";
    }
}
