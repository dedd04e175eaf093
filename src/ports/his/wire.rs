//! How single values stand on the 健康通 wire: `TIME_FLAG`, `REG_STATUS`, `HH:MM`, local date-times, 分.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::{DayPart, ScheduleState};

impl DayPart {
    /// `TIME_FLAG`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Morning => "1",
            Self::Afternoon => "2",
            Self::Evening => "3",
            Self::WholeDay => "4",
        }
    }

    /// The part of the day of a `TIME_FLAG`.
    pub fn of_flag(flag: &str) -> Option<Self> {
        [Self::Morning, Self::Afternoon, Self::Evening, Self::WholeDay].into_iter().find(|part| part.flag() == flag)
    }
}

impl ScheduleState {
    /// `REG_STATUS`.
    pub fn status(self) -> &'static str {
        match self {
            Self::Stopped => "0",
            Self::Open => "1",
            Self::NotOpen => "2",
        }
    }

    /// The state of a `REG_STATUS`.
    pub fn of_status(status: &str) -> Option<Self> {
        [Self::Stopped, Self::Open, Self::NotOpen].into_iter().find(|state| state.status() == status)
    }
}

/// The instant of a hospital-local time. Where a clock change makes it mean two, the earlier; where it means none, none.
pub fn instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        LocalResult::None => None,
    }
}

/// The hospital-local time of an instant.
pub fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// A serde module for a value that is one text on the wire.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident, $optional:ident: $type:ty, $write:expr, $read:expr) => {
        $(#[$doc])*
        #[allow(missing_docs, clippy::trivially_copy_pass_by_ref)]
        pub mod $name {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> String = $write;
                serializer.serialize_str(&write(value))
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let read: fn(&str) -> Option<$type> = $read;
                read(String::deserialize(deserializer)?.trim()).ok_or_else(|| D::Error::custom("not such a value"))
            }
        }

        $(#[$doc])*
        #[allow(missing_docs, clippy::ref_option, dead_code)]
        pub mod $optional {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub fn serialize<S: Serializer>(value: &Option<$type>, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> String = $write;
                serializer.serialize_str(&value.as_ref().map(write).unwrap_or_default())
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$type>, D::Error> {
                let read: fn(&str) -> Option<$type> = $read;
                match String::deserialize(deserializer)?.trim() {
                    "" => Ok(None),
                    text => read(text).map(Some).ok_or_else(|| D::Error::custom("not such a value")),
                }
            }
        }
    };
}

texts!(
    /// `TIME_FLAG`.
    time_flag, time_flag_option: crate::ports::his::DayPart,
    |part| part.flag().to_owned(),
    crate::ports::his::DayPart::of_flag
);
texts!(
    /// `REG_STATUS`.
    reg_status, reg_status_option: crate::ports::his::ScheduleState,
    |state| state.status().to_owned(),
    crate::ports::his::ScheduleState::of_status
);
texts!(
    /// `HH:MM`; seconds are read and not written.
    hour_minute, hour_minute_option: chrono::NaiveTime,
    |time| time.format("%H:%M").to_string(),
    |text| text.parse().ok()
);
texts!(
    /// `HH:MM:SS`.
    second, second_option: chrono::NaiveTime,
    |time| time.format("%H:%M:%S").to_string(),
    |text| text.parse().ok()
);
texts!(
    /// `YYYY-MM-DD HH:MM:SS`, hospital local time.
    local_time, local_time_option: chrono::NaiveDateTime,
    |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
    |text| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()
);
texts!(
    /// 分; an empty field is none.
    fen, fen_option: i64,
    |amount| amount.to_string(),
    |text| if text.is_empty() { Some(0) } else { text.parse().ok() }
);
