//! What staff may do: three roles, each of which may do what those below it may, and one table of what needs which.

use serde::{Deserialize, Serialize};

use crate::waitlist::language::Language;

/// What a person of the staff is to the console; a later one may do what an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks, and changes nothing. Personal data is masked.
    Viewer,
    /// Puts right what went wrong with runs, patients and cases.
    Operator,
    /// Decides on rules, users and keys.
    Administrator,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Administrator];

    /// As it is stored and configured.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this name: `viewer`, `operator`, `administrator`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// As people call it.
    pub fn title(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Viewer, Language::ZhCn) => "查看员",
            (Self::Operator, Language::ZhCn) => "操作员",
            (Self::Administrator, Language::ZhCn) => "管理员",
            (Self::Viewer, Language::En) => "Viewer",
            (Self::Operator, Language::En) => "Operator",
            (Self::Administrator, Language::En) => "Administrator",
        }
    }
}

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Every page, with personal data masked; saved views.
    Look,
    /// Download lists as CSV.
    Export,
    /// Names, phones and ID numbers in the clear, each time with a reason, audited.
    Unmask,
    /// Verbs on single runs, letters, notices, jobs, destinations and cases.
    Mend,
    /// A verb on many runs at once.
    Bulk,
    /// The blacklist and appeals.
    Blacklist,
    /// Policies, rules of the blacklist, templates.
    Rules,
    /// One person's data handed over or erased.
    Persons,
    /// Users, roles, sessions of others.
    Users,
    /// API keys.
    Keys,
}

/// The table: who may do what. It is shown on the users page and in `docs/operations/access.md`.
pub const PERMISSIONS: [(Permission, Role, &str, &str); 10] = [
    (
        Permission::Look,
        Role::Viewer,
        "查看所有页面（个人信息脱敏），共享视图",
        "See every page (personal data masked), shared views",
    ),
    (
        Permission::Export,
        Role::Viewer,
        "导出列表为 CSV（个人信息脱敏）",
        "Download lists as CSV (personal data masked)",
    ),
    (
        Permission::Unmask,
        Role::Operator,
        "填写原因后查看未脱敏的个人信息（记入审计）",
        "See personal data in the clear, with a reason (audited)",
    ),
    (
        Permission::Mend,
        Role::Operator,
        "处理单个流程实例、消息、通知、定时任务、外部系统与对账差异",
        "Act on single runs, messages, notices, jobs, outside systems and reconciliation cases",
    ),
    (Permission::Bulk, Role::Operator, "批量处理流程实例（先试算）", "Act on many runs at once (after a dry run)"),
    (Permission::Blacklist, Role::Operator, "维护黑名单，处理申诉", "Keep the blacklist and decide appeals"),
    (
        Permission::Rules,
        Role::Administrator,
        "修改规则、黑名单规则与通知模板",
        "Change policies, rules of the blacklist and templates",
    ),
    (Permission::Persons, Role::Administrator, "导出或删除个人数据", "Hand over or erase one person's data"),
    (Permission::Users, Role::Administrator, "管理用户、角色与登录会话", "Manage users, roles and their sessions"),
    (Permission::Keys, Role::Administrator, "管理接口密钥", "Manage API keys"),
];

impl Permission {
    /// The least role that has it.
    pub fn needs(self) -> Role {
        PERMISSIONS.iter().find(|row| row.0 == self).map_or(Role::Administrator, |row| row.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_those_below_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Administrator);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn every_permission_stands_in_the_table_once() {
        for (permission, role, ..) in PERMISSIONS {
            assert_eq!(permission.needs(), role);
            assert_eq!(PERMISSIONS.iter().filter(|row| row.0 == permission).count(), 1);
        }
    }
}
