//! What patients are told (R23): texts as data, and what becomes of a notice.

mod delivery;
mod night;
mod platform;
mod reminding;
mod routes;
mod texts;
mod wechat;
