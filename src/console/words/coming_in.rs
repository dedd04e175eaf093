//! What people did at the door and with its keys, in Chinese.

use super::names::Names;

pub(super) const COMING_IN: Names = &[
    ("login", "登录"),
    ("login.failed", "登录失败"),
    ("logout", "退出登录"),
    ("logout.everywhere", "结束其他会话"),
    ("user.first", "设立首位管理员"),
    ("user.made", "自动添加用户"),
    ("user.invite", "添加用户"),
    ("user.link", "生成新链接"),
    ("user.role", "更改角色"),
    ("user.enable", "恢复登录"),
    ("user.disable", "停用用户"),
    ("user.password", "修改密码"),
    ("user.password.failed", "修改密码失败"),
    ("key.make", "生成密钥"),
    ("key.rotate", "更换密钥"),
    ("key.revoke", "吊销密钥"),
];
