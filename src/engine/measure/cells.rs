//! Counters, gauges and histograms of one figure each, by its labels: what prometheus-client has, made from the table.

use std::borrow::Cow;
use std::fmt::Error;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::figures::{Figure, Kind};

/// Label values; nearly all are the program's own words and are not copied.
pub(super) type Value = Cow<'static, str>;
type Labels<const N: usize> = [(&'static str, Value); N];

/// How a figure's histograms are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// One figure by its labels: a [`Counted`], [`Stood`] or [`Spread`].
#[derive(Debug, Clone)]
pub(super) struct Cells<const N: usize, M, C = fn() -> M> {
    labels: [&'static str; N],
    family: Family<Labels<N>, M, C>,
}

/// A figure that is counted.
pub(super) type Counted<const N: usize> = Cells<N, Counter>;
/// A figure that stands somewhere.
pub(super) type Stood<const N: usize> = Cells<N, Gauge<f64, AtomicU64>>;
/// A figure that is observed.
pub(super) type Spread<const N: usize> = Cells<N, Histogram, Bounds>;

impl<const N: usize, M, C: MetricConstructor<M>> Cells<N, M, C>
where
    Family<Labels<N>, M, C>: EncodeMetric + Clone + 'static,
    M: Send + Sync + std::fmt::Debug + 'static,
    C: Send + Sync + std::fmt::Debug + 'static,
{
    fn new(registry: &mut Registry, figure: &Figure<N>, family: Family<Labels<N>, M, C>) -> Self {
        // The encoder appends the ending of counters itself.
        let name = figure.name.trim_end_matches("_total");
        registry.register(name, figure.help, Shown(family.clone()));
        Self { labels: figure.labels, family }
    }

    fn at<V: Into<Value>>(&self, values: [V; N], act: impl FnOnce(&M))
    where
        M: Clone,
    {
        let mut values = values.into_iter();
        let labels = self.labels.map(|label| (label, values.next().map_or(Cow::Borrowed(""), Into::into)));
        act(&self.family.get_or_create(&labels));
    }
}

impl<const N: usize> Counted<N> {
    pub(super) fn of(registry: &mut Registry, figure: &Figure<N>) -> Self {
        Self::new(registry, figure, Family::default())
    }

    pub(super) fn add<V: Into<Value>>(&self, values: [V; N]) {
        self.add_many(values, 1);
    }

    pub(super) fn add_many<V: Into<Value>>(&self, values: [V; N], n: usize) {
        self.at(values, |counter| {
            counter.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
        });
    }
}

impl<const N: usize> Stood<N> {
    pub(super) fn of(registry: &mut Registry, figure: &Figure<N>) -> Self {
        Self::new(registry, figure, Family::default())
    }

    pub(super) fn set<V: Into<Value>>(&self, values: [V; N], to: f64) {
        self.at(values, |gauge| {
            gauge.set(to);
        });
    }
}

impl<const N: usize> Spread<N> {
    pub(super) fn of(registry: &mut Registry, figure: &Figure<N>) -> Self {
        let bounds = if let Kind::Histogram(bounds) = figure.kind { bounds } else { &[] };
        Self::new(registry, figure, Family::new_with_constructor(Bounds(bounds)))
    }

    pub(super) fn add<V: Into<Value>>(&self, values: [V; N], observed: f64) {
        self.at(values, |histogram| histogram.observe(observed));
    }
}

/// A family that is exposed before it has a value: who reads sees what there will be.
#[derive(Debug)]
struct Shown<M>(M);

impl<M: EncodeMetric> EncodeMetric for Shown<M> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}
