//! `GET /texts`: the texts of messages; `GET /texts/{name}`: one as a patient would get it; `POST /texts/{name}` stores a change, or
//! shows what it would look like; `POST /texts/{name}/back` takes it back, `POST /texts/{name}/restore` stores a former version
//! anew. The hospital's own, or a campus's with `campus`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use serde::Deserialize;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, query, reason, show, to};
use super::row::Pick;
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::policies::texts::TextWords;
use crate::desk::templates::Look;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::records::templates::Version;
use crate::waitlist::language::Language;
use crate::waitlist::policy::Level;
use crate::waitlist::route::Channel;
use crate::waitlist::template::{Template, TemplateName};

/// Versions that are shown.
const VERSIONS_MAX: i64 = 20;

/// A text in the list.
struct Row {
    name: &'static str,
    href: String,
    title: String,
    campus: String,
    version: Option<i32>,
    sample: String,
    route: Vec<String>,
}

#[derive(askama::Template)]
#[template(path = "texts.html")]
struct Texts {
    frame: Frame,
    w: &'static TextWords,
    rows: Vec<Row>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    let w = TextWords::of(staff.language);
    let mut rows = Vec::new();
    for one in surface.desk.templates().await? {
        let campus = one.version.as_ref().map(|version| version.campus_id.clone()).unwrap_or_default();
        let preview = surface.desk.preview_template(one.name, &Look::default()).await?;
        let sample = preview.shown.into_iter().next().map(|shown| shown.sms.unwrap_or_else(|| in_a_line(shown.fields)));
        rows.push(Row {
            name: one.name.as_str(),
            href: format!("/texts/{}{}", one.name.as_str(), query(&[("campus", campus.as_str())])),
            title: names::text(one.name.as_str(), staff.language),
            route: in_words(&surface.desk.ports.routes.of(one.name, &one.text), staff.language),
            campus: if campus.is_empty() { w.every_campus.to_owned() } else { campus },
            version: one.version.map(|version| version.version),
            sample: sample.unwrap_or_default(),
        });
    }
    show(&Texts { frame: Frame::of(&staff, "texts"), w, rows })
}

/// What stands in a message's fields, one after the other.
fn in_a_line(fields: Vec<(String, String, Option<usize>)>) -> String {
    fields.into_iter().map(|(_, text, _)| text).collect::<Vec<_>>().join(" · ")
}

/// A message as it would be sent.
struct Sample {
    kind: String,
    fields: Vec<(String, String, Option<usize>)>,
    sms: Option<String>,
}

/// A version, ready for the page.
struct Former {
    version: i32,
    who: String,
    reason: String,
    at: Stamp,
    back: bool,
}

#[derive(askama::Template)]
#[template(path = "text.html")]
struct Text {
    frame: Frame,
    w: &'static TextWords,
    name: &'static str,
    title: String,
    draft: bool,
    stored: bool,
    version: i32,
    template_id: String,
    fields: String,
    sms: String,
    quiet_hours: String,
    channels: String,
    template_ids: String,
    route: Vec<String>,
    samples: Vec<Sample>,
    versions: Vec<Former>,
    campus: String,
    campuses: Vec<Pick>,
}

pub(super) async fn one(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(name): Path<String>,
    Query(said): Query<Said>,
) -> Page {
    page(&surface, &staff, named(&name)?, None, &said).await
}

/// Whose text, and word of what was just done: a version was stored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    campus: String,
    done: String,
}

impl Said {
    /// The campus; none: the hospital's own text.
    fn campus(&self) -> Option<&str> {
        some(&self.campus)
    }
}

fn some(campus: &str) -> Option<&str> {
    (!campus.is_empty()).then_some(campus)
}

/// Why a text is taken back, or a former one is stored anew.
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    reason: String,
    #[serde(default)]
    campus: String,
    #[serde(default)]
    version: i32,
}

/// What a form says.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    template_id: String,
    fields: String,
    #[serde(default)]
    sms: String,
    #[serde(default)]
    quiet_hours: String,
    #[serde(default)]
    channels: String,
    #[serde(default)]
    template_ids: String,
    replaces: i32,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    campus: String,
}

impl Change {
    fn text(&self) -> Result<Template, Problem> {
        let mut fields = BTreeMap::new();
        for line in self.fields.lines().filter(|line| !line.trim().is_empty()) {
            let (key, text) = line.split_once('=').ok_or_else(|| {
                Problem::form(
                    format!("每行应为“字段 = 文本”：{line}"),
                    format!("Each line is a field and its text, key = text: {line}"),
                )
            })?;
            if fields.insert(key.trim().to_owned(), text.trim().to_owned()).is_some() {
                return Err(twice(key.trim()));
            }
        }
        let sms = (!self.sms.trim().is_empty()).then(|| self.sms.trim().to_owned());
        let quiet_hours = match self.quiet_hours.as_str() {
            "" => None,
            name => Some(
                serde_json::from_value(name.into())
                    .map_err(|_| Problem::form("没有该渠道。", "There is no such channel."))?,
            ),
        };
        let channel = |name: &str| {
            let known = Channel::ALL.map(Channel::as_str).join(", ");
            Channel::parse(name).ok_or_else(|| {
                Problem::form(
                    format!("没有渠道 {name}，可选：{known}。"),
                    format!("There is no channel {name}; there are {known}."),
                )
            })
        };
        let words = |text: &str| {
            text.split([',', '，', ' ', '\n', '\r'])
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let channels = words(&self.channels).iter().map(|name| channel(name)).collect::<Result<Vec<_>, _>>()?;
        let mut template_ids = BTreeMap::new();
        for line in self.template_ids.lines().filter(|line| !line.trim().is_empty()) {
            let (name, id) = line.split_once('=').ok_or_else(|| {
                Problem::form(
                    format!("每行应为“渠道 = 模板编号”：{line}"),
                    format!("Each line is a channel and its template, channel = id: {line}"),
                )
            })?;
            if template_ids.insert(channel(name.trim())?, id.trim().to_owned()).is_some() {
                return Err(twice(name.trim()));
            }
        }
        let template_id = self.template_id.trim().to_owned();
        Ok(Template { template_id, fields, sms, quiet_hours, channels, template_ids })
    }
}

/// Of two lines of one name the second would have taken the place of the first without a word.
fn twice(name: &str) -> Problem {
    Problem::form(format!("“{name}”写了两行，只能保留一行。"), format!("There are two lines for {name}: keep one."))
}

pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(name): Path<String>,
    Form(change): Form<Change>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let (at, text) = (named(&name)?, change.text()?);
    if change.what == "look" {
        let said = Said { campus: change.campus, ..Said::default() };
        return page(&surface, &staff, at, Some(text), &said).await;
    }
    let by = staff.by(reason(&change.reason)?);
    surface.desk.put_template(at, some(&change.campus), &text, Some(change.replaces), &by).await?;
    to(&address(at, &change.campus))
}

pub(super) async fn take_back(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(name): Path<String>,
    Form(back): Form<Back>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let (at, by) = (named(&name)?, staff.by(reason(&back.reason)?));
    surface.desk.take_template_back(at, some(&back.campus), &by).await?;
    to(&address(at, &back.campus))
}

pub(super) async fn restore(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(name): Path<String>,
    Form(back): Form<Back>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let (at, campus, desk) = (named(&name)?, some(&back.campus), &surface.desk);
    let by = staff.by(reason(&back.reason)?);
    let newest = desk.template_versions(at, campus, None, 1).await?.first().map_or(0, |newest| newest.version);
    // Version 0 is what was in force before anybody stored one.
    if back.version == 0 {
        desk.take_template_back(at, campus, &by).await?;
        return to(&address(at, &back.campus));
    }
    let before = back.version.checked_add(1).ok_or_else(Problem::not_found)?;
    let former = desk.template_versions(at, campus, Some(before), 1).await?.into_iter().next();
    let former = former.filter(|one| one.version == back.version).ok_or_else(Problem::not_found)?;
    match former.body {
        Some(text) => desk.put_template(at, campus, &text.0, Some(newest), &by).await?,
        None => desk.take_template_back(at, campus, &by).await?,
    };
    to(&address(at, &back.campus))
}

fn address(name: TemplateName, campus: &str) -> String {
    format!("/texts/{}{}", name.as_str(), query(&[("campus", campus), ("done", "1")]))
}

/// The channels of a route as people call them.
fn in_words(route: &[Channel], language: Language) -> Vec<String> {
    route.iter().map(|channel| names::thing(channel.as_str(), language)).collect()
}

fn named(name: &str) -> Result<TemplateName, Problem> {
    TemplateName::parse(name).ok_or_else(Problem::not_found)
}

async fn page(surface: &Surface, staff: &Staff, name: TemplateName, draft: Option<Template>, said: &Said) -> Page {
    let (desk, language) = (&surface.desk, staff.language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language };
    let in_force = desk.template(name, said.campus()).await?;
    let versions = desk.template_versions(name, said.campus(), None, VERSIONS_MAX).await?;
    let is_draft = draft.is_some();
    let look = Look { draft: draft.clone(), campus_id: said.campus().map(str::to_owned), ..Look::default() };
    let preview = desk.preview_template(name, &look).await?;
    let text = draft.unwrap_or(in_force.text);
    let samples = preview.shown.into_iter().map(|one| {
        let kind = serde_json::to_value(one.kind).unwrap_or_default();
        let kind =
            kind.as_str().map(str::to_owned).or_else(|| kind.as_object().and_then(|more| more.keys().next().cloned()));
        Sample { kind: names::notice(&kind.unwrap_or_default(), language), fields: one.fields, sms: one.sms }
    });
    let fields = text.fields.iter().map(|(key, text)| format!("{key} = {text}")).collect::<Vec<_>>().join("\n");
    let former = |one: Version| Former {
        version: one.version,
        back: one.body.is_none(),
        who: one.who,
        reason: one.reason,
        at: clock.stamp(one.created_at),
    };
    // What was in force before the newest version.
    let done = (!said.done.is_empty()).then(|| TextWords::of(language).saved.to_owned());
    let before = versions.get(1).map_or(0, |before| before.version);
    let undo = (done.is_some() && !versions.is_empty()).then(|| format!("/texts/{}/restore", name.as_str()));
    let fields_of_undo = vec![("version", before.to_string()), ("campus", said.campus.clone())];
    let campuses = desk.places().await?.into_iter().filter(|place| place.level == Level::Campus.as_str());
    let campuses =
        campuses.map(|place| Pick { is: place.id == said.campus, value: place.id, name: place.name }).collect();
    let own = in_force.version.as_ref().filter(|version| version.campus_id == said.campus);
    let page = Text {
        frame: Frame::of(staff, "texts").done(done).undo_with(staff.may(Permission::Rules), undo, fields_of_undo),
        campus: said.campus.clone(),
        campuses,
        w: TextWords::of(language),
        name: name.as_str(),
        title: names::text(name.as_str(), language),
        draft: is_draft,
        stored: own.is_some_and(|version| version.body.is_some()),
        version: versions.first().map_or(0, |newest| newest.version),
        template_id: text.template_id.clone(),
        sms: text.sms.clone().unwrap_or_default(),
        quiet_hours: text.quiet_hours.map(|at| super::settings::name_of(&at)).unwrap_or_default(),
        channels: text.channels.iter().map(|channel| channel.as_str()).collect::<Vec<_>>().join(", "),
        template_ids: text
            .template_ids
            .iter()
            .map(|(channel, id)| format!("{} = {id}", channel.as_str()))
            .collect::<Vec<_>>()
            .join("\n"),
        route: in_words(&desk.ports.routes.of(name, &text), language),
        fields,
        samples: samples.collect(),
        versions: versions.into_iter().map(former).collect(),
    };
    show(&page)
}
