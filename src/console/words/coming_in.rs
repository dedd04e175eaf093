//! What people did at the door and with its keys, in Chinese.

use super::names::Names;

pub(super) const COMING_IN: Names = &[
    ("login", "登录", "Log in"),
    ("login.failed", "登录失败", "Failed login"),
    ("logout", "退出登录", "Log out"),
    ("logout.everywhere", "结束其他会话", "End other sessions"),
    ("user.first", "设立首位管理员", "First administrator"),
    ("user.made", "自动添加用户", "User made by itself"),
    ("user.invite", "添加用户", "Add a user"),
    ("user.link", "生成新链接", "New link for a user"),
    ("user.role", "更改角色", "Change a role"),
    ("user.enable", "恢复登录", "Let a user in again"),
    ("user.disable", "停用用户", "Lock a user out"),
    ("user.password", "修改密码", "Change a password"),
    ("user.password.failed", "修改密码失败", "Failed change of password"),
    ("key.make", "生成密钥", "Make a key"),
    ("key.rotate", "更换密钥", "Rotate a key"),
    ("key.revoke", "吊销密钥", "Revoke a key"),
];
