//! By which channels a notice goes, in which order (R23): what the text says, else what is configured for its name, else what is
//! usual here. A channel that is not configured is passed over, and no channel is tried twice for one notice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::template::{Template, TemplateName};

/// A way to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// A WeChat template message (模板消息).
    WechatTemplate,
    /// A WeChat subscribe message (订阅通知): one consent is one message.
    WechatSubscribe,
    /// The hospital's own message platform (统一下发平台).
    Platform,
    /// An SMS.
    Sms,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::WechatTemplate, Self::WechatSubscribe, Self::Platform, Self::Sms];
    /// Those that need the receiver's account at WeChat.
    pub const BY_ACCOUNT: [Self; 3] = [Self::WechatTemplate, Self::WechatSubscribe, Self::Platform];

    /// The name on the wire and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WechatTemplate => "wechatTemplate",
            Self::WechatSubscribe => "wechatSubscribe",
            Self::Platform => "platform",
            Self::Sms => "sms",
        }
    }

    /// The channel of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }

    /// The section of the configuration that opens it.
    pub fn section(self) -> &'static str {
        match self {
            Self::WechatTemplate | Self::WechatSubscribe => "wechat_messages",
            Self::Platform => "message_platform",
            Self::Sms => "sms",
        }
    }
}

/// What is configured, and how notices go where their text does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    open: BTreeSet<Channel>,
    by_name: BTreeMap<TemplateName, Vec<Channel>>,
    usual: Vec<Channel>,
    subscribed: BTreeSet<TemplateName>,
}

impl Default for Routes {
    /// WeChat, and an SMS for whom it does not reach.
    fn default() -> Self {
        Self::new(true, false, true)
    }
}

impl Routes {
    /// With these configured. Usual is the hospital's own platform where there is one, WeChat where there is none, and an SMS for
    /// whom that does not reach.
    pub fn new(wechat: bool, platform: bool, sms: bool) -> Self {
        let wechat_channels = [Channel::WechatTemplate, Channel::WechatSubscribe].into_iter().filter(|_| wechat);
        let rest = [(platform, Channel::Platform), (sms, Channel::Sms)];
        let rest = rest.into_iter().filter_map(|(there, channel)| there.then_some(channel));
        let first = if platform { Channel::Platform } else { Channel::WechatTemplate };
        Self {
            open: wechat_channels.chain(rest).collect(),
            by_name: BTreeMap::new(),
            usual: vec![first, Channel::Sms],
            subscribed: BTreeSet::new(),
        }
    }

    /// The same where these names go like this.
    #[must_use]
    pub fn with(self, by_name: BTreeMap<TemplateName, Vec<Channel>>) -> Self {
        Self { by_name, ..self }
    }

    /// The same where these names are subscribe messages at WeChat.
    #[must_use]
    pub fn subscribing(self, subscribed: BTreeSet<TemplateName>) -> Self {
        Self { subscribed, ..self }
    }

    /// Whether the channel is configured.
    pub fn is_open(&self, channel: Channel) -> bool {
        self.open.contains(&channel)
    }

    /// The channels that a text is meant to go by, whether they are configured or not.
    pub fn meant(&self, name: TemplateName, text: &Template) -> Vec<Channel> {
        if !text.channels.is_empty() {
            return text.channels.clone();
        }
        if let Some(route) = self.by_name.get(&name) {
            return route.clone();
        }
        let swapped = |channel: &Channel| match channel {
            Channel::WechatTemplate if self.subscribed.contains(&name) => Channel::WechatSubscribe,
            channel => *channel,
        };
        self.usual.iter().map(swapped).collect()
    }

    /// The channels that it goes by: those of them that are configured; an SMS only where the text has one.
    pub fn of(&self, name: TemplateName, text: &Template) -> Vec<Channel> {
        let mut route = self.meant(name, text);
        route.retain(|channel| self.is_open(*channel) && (*channel != Channel::Sms || text.sms.is_some()));
        route
    }

    /// The first of them that has not been tried.
    pub fn next(&self, name: TemplateName, text: &Template, tried: &[Channel]) -> Option<Channel> {
        self.of(name, text).into_iter().find(|channel| !tried.contains(channel))
    }

    /// What is configured for names and leads to a channel that is not.
    pub fn closed(&self) -> Vec<(TemplateName, Channel)> {
        let all = self.by_name.iter().flat_map(|(name, route)| route.iter().map(move |channel| (*name, *channel)));
        all.filter(|(_, channel)| !self.is_open(*channel)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::Channel::{Platform, Sms, WechatSubscribe, WechatTemplate};
    use super::*;

    const NAME: TemplateName = TemplateName::WaitlistBooked;

    fn text(channels: &[Channel]) -> Template {
        Template { channels: channels.to_vec(), ..Template::built_in(NAME, "TM1".to_owned()) }
    }

    #[test]
    fn r23_a_text_goes_as_it_says_else_as_configured_else_as_usual() {
        let routes = Routes::new(true, false, true);
        assert_eq!(routes.of(NAME, &text(&[])), [WechatTemplate, Sms]);
        assert_eq!(routes.clone().subscribing([NAME].into()).of(NAME, &text(&[])), [WechatSubscribe, Sms]);
        let named = routes.with([(NAME, vec![Sms])].into());
        assert_eq!(named.of(NAME, &text(&[])), [Sms]);
        assert_eq!(named.of(TemplateName::VisitReminder, &text(&[])), [WechatTemplate, Sms]);
        assert_eq!(named.of(NAME, &text(&[WechatTemplate])), [WechatTemplate]);
        // The hospital's own platform keeps the account at WeChat to itself.
        assert_eq!(Routes::new(true, true, true).of(NAME, &text(&[])), [Platform, Sms]);
    }

    #[test]
    fn r23_what_is_not_configured_is_passed_over_and_named() {
        let routes = Routes::new(true, false, false).with([(NAME, vec![Platform, WechatTemplate, Sms])].into());
        assert_eq!(routes.of(NAME, &text(&[])), [WechatTemplate]);
        assert_eq!(routes.closed(), [(NAME, Platform), (NAME, Sms)]);
        let without_sms = Template { sms: None, ..text(&[]) };
        assert_eq!(Routes::default().of(NAME, &without_sms), [WechatTemplate], "a text without an SMS sends none");
    }

    fn channels() -> impl Strategy<Value = Vec<Channel>> {
        proptest::collection::vec(proptest::sample::select(Channel::ALL.to_vec()), 0..6)
    }

    proptest! {
        #[test]
        fn r23_whatever_fails_no_channel_is_tried_twice(route in channels(), wechat: bool, platform: bool, sms: bool) {
            let (routes, text) = (Routes::new(wechat, platform, sms), text(&route));
            let mut tried = Vec::new();
            while let Some(channel) = routes.next(NAME, &text, &tried) {
                prop_assert!(routes.is_open(channel) && !tried.contains(&channel));
                tried.push(channel);
            }
            let all: BTreeSet<Channel> = routes.of(NAME, &text).into_iter().collect();
            prop_assert_eq!(all, tried.into_iter().collect());
        }
    }
}
