//! What each metric of an autoscaler asks for.

use api::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricSource, ExternalMetricStatus, HPAScalingRules,
    MetricSpec, MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricSource,
    ObjectMetricStatus, PodsMetricSource, PodsMetricStatus, ResourceMetricStatus,
};
use api::object::Key;
use api::quantity::Quantity;

use super::calculator::{self, Setting, Tolerance, Youth};
use super::{Look, Proposal, Target, metrics};

/// Why a metric asks for nothing: the reason of the condition, the message, and what the metric is called.
struct Unknown {
    reason: &'static str,
    message: String,
    what: String,
}

impl Look<'_> {
    /// The highest count that a metric asks for, or why none can be trusted.
    pub(super) fn propose(&mut self, target: &Target<'_>) -> Result<Proposal, String> {
        let specs = &self.scaler.spec.metrics;
        let (mut best, mut statuses) = (None::<(i32, String)>, Vec::new());
        let (mut first, mut invalid) = (None, 0);
        for spec in specs {
            match self.one(target, spec) {
                Ok((count, name, status)) => {
                    statuses.push(status);
                    if best.as_ref().is_none_or(|(known, _)| *known == 0 || count > *known) {
                        best = Some((count, name));
                    }
                }
                Err(unknown) => {
                    let message = unknown.message.clone();
                    self.plan.event(self.scaler, "Warning", unknown.reason, message);
                    first.get_or_insert(unknown);
                    invalid += 1;
                }
            }
        }
        let shrinks = best.as_ref().is_none_or(|(count, _)| *count < target.wanted);
        if let Some(first) = first.filter(|_| shrinks) {
            let message =
                format!("the HPA was unable to compute the replica count: {}", first.message);
            self.set("ScalingActive", false, first.reason, message);
            return Err(format!(
                "invalid metrics ({invalid} invalid out of {}), first error is: failed to get {}: {}",
                specs.len(),
                first.what,
                first.message
            ));
        }
        let (count, name) = best.ok_or("no metrics are given")?;
        let message =
            format!("the HPA was able to successfully calculate a replica count from {name}");
        self.set("ScalingActive", true, "ValidMetricFound", message);
        Ok((count, name, statuses))
    }

    fn one(
        &self,
        target: &Target<'_>,
        spec: &MetricSpec,
    ) -> Result<(i32, String, MetricStatus), Unknown> {
        let mut status = MetricStatus { type_: spec.type_.clone(), ..MetricStatus::default() };
        if let Some(source) = &spec.resource {
            let (reason, what) = ("FailedGetResourceMetric", "resource metric value");
            let (count, name, current) = self
                .resource(target, &source.name, None, &source.target)
                .map_err(|message| unknown(reason, format!("{} {what}", source.name), message))?;
            let name = format!("{} resource {name}", source.name);
            let name = name.trim_end().to_owned();
            let source = ResourceMetricStatus { name: source.name.clone(), current };
            status.resource = Some(Box::new(source));
            return Ok((count, name, status));
        }
        if let Some(source) = &spec.container_resource {
            let (reason, what) = ("FailedGetContainerResourceMetric", "container metric value");
            let (count, name, current) = self
                .resource(target, &source.name, Some(&source.container), &source.target)
                .map_err(|message| unknown(reason, format!("{} {what}", source.name), message))?;
            let name = format!("{} container resource {name}", source.name);
            let name = name.trim_end().to_owned();
            let (container, resource) = (source.container.clone(), source.name.clone());
            let source = ContainerResourceMetricStatus { container, name: resource, current };
            status.container_resource = Some(Box::new(source));
            return Ok((count, name, status));
        }
        let found = if let Some(source) = &spec.pods {
            self.of_pods(target, source)
        } else if let Some(source) = &spec.object {
            self.of_object(target, source)
        } else if let Some(source) = &spec.external {
            self.of_outside(target, source)
        } else {
            None
        };
        found.ok_or_else(|| self.not_served(spec))
    }

    /// A metric that every pod has: the count, its name, and what was found.
    fn of_pods(
        &self,
        target: &Target<'_>,
        source: &PodsMetricSource,
    ) -> Option<(i32, String, MetricStatus)> {
        let (now, meta, name) = (self.cx.now, target.object.meta(), &source.metric.name);
        let samples = metrics::of_resource(now, meta, &target.pods, name, None).ok()?;
        let wanted = source.target.average_value.as_ref()?.milli_value();
        let setting = self.setting(target.wanted);
        let (count, usage) =
            calculator::average(&setting, wanted, samples, &target.pods, "").ok()?;
        let current = MetricValueStatus { average_value: Some(milli(usage)), ..Default::default() };
        let found = PodsMetricStatus { metric: source.metric.clone(), current };
        let status = MetricStatus {
            type_: "Pods".into(),
            pods: Some(Box::new(found)),
            ..MetricStatus::default()
        };
        Some((count, format!("pods metric {name}"), status))
    }

    /// A metric of one object: the count, its name, and what was found.
    fn of_object(
        &self,
        target: &Target<'_>,
        source: &ObjectMetricSource,
    ) -> Option<(i32, String, MetricStatus)> {
        let about = &source.described_object;
        let kind = crate::kinds::named(&self.cx, &about.api_version, &about.kind)?;
        let key = Key::new(self.scaler.metadata.namespace.clone(), about.name.clone());
        let object = self.cx.caches.object(kind, &key)?;
        let usage = metrics::of_object(object.meta(), &source.metric.name)?;
        let (count, current) = self.by_value(target, usage, &source.target)?;
        let found = ObjectMetricStatus {
            described_object: about.clone(),
            metric: source.metric.clone(),
            current,
        };
        let status = MetricStatus {
            type_: "Object".into(),
            object: Some(Box::new(found)),
            ..MetricStatus::default()
        };
        Some((count, format!("{} metric {}", about.kind, source.metric.name), status))
    }

    /// A metric of what is outside: the count, its name, and what was found.
    fn of_outside(
        &self,
        target: &Target<'_>,
        source: &ExternalMetricSource,
    ) -> Option<(i32, String, MetricStatus)> {
        let namespace = self.cx.namespaces().named("", &self.scaler.metadata.namespace)?;
        let usage = metrics::of_object(&namespace.metadata, &source.metric.name)?;
        let (count, current) = self.by_value(target, usage, &source.target)?;
        let found = ExternalMetricStatus { metric: source.metric.clone(), current };
        let status = MetricStatus {
            type_: "External".into(),
            external: Some(Box::new(found)),
            ..MetricStatus::default()
        };
        let name = &source.metric.name;
        let selector = match &source.metric.selector {
            Some(selector) => format!("{:?}", api::Value::to_json(&**selector).to_string()),
            None => "nil".into(),
        };
        Some((count, format!("external metric {name}({selector})"), status))
    }

    /// The count for one value, as such or as each pod's share of it; and what to show of it.
    fn by_value(
        &self,
        target: &Target<'_>,
        usage: i64,
        wanted: &MetricTarget,
    ) -> Option<(i32, MetricValueStatus)> {
        let setting = self.setting(target.wanted);
        if let Some(value) = &wanted.value {
            let count = calculator::total(&setting, usage, value.milli_value(), &target.pods);
            let current = MetricValueStatus { value: Some(milli(usage)), ..Default::default() };
            return Some((count, current));
        }
        let wanted = wanted.average_value.as_ref()?.milli_value();
        let (count, share) = calculator::share(&setting, target.wanted, usage, wanted);
        let current = MetricValueStatus { average_value: Some(milli(share)), ..Default::default() };
        Some((count, current))
    }

    /// The count for a resource, how it was measured, and what was found.
    fn resource(
        &self,
        target: &Target<'_>,
        resource: &str,
        container: Option<&str>,
        wanted: &MetricTarget,
    ) -> Result<(i32, &'static str, MetricValueStatus), String> {
        let (now, meta) = (self.cx.now, target.object.meta());
        let samples = metrics::of_resource(now, meta, &target.pods, resource, container);
        let setting = self.setting(target.wanted);
        if let Some(value) = &wanted.average_value {
            let failed = |error| format!("failed to get {resource} usage: {error}");
            let samples = samples.map_err(failed)?;
            let (count, usage) =
                calculator::average(&setting, value.milli_value(), samples, &target.pods, resource)
                    .map_err(failed)?;
            let current =
                MetricValueStatus { average_value: Some(milli(usage)), ..Default::default() };
            return Ok((count, "", current));
        }
        let Some(percent) = wanted.average_utilization else {
            return Err("invalid resource metric source: neither an average utilization target \
                        nor an average value (usage) target was set"
                .into());
        };
        let failed = |error| format!("failed to get {resource} utilization: {error}");
        let (count, utilization, usage) = calculator::utilization(
            &setting,
            percent,
            samples.map_err(failed)?,
            &target.pods,
            resource,
            container,
        )
        .map_err(failed)?;
        let current = MetricValueStatus {
            average_utilization: Some(utilization),
            average_value: Some(milli(usage)),
            value: None,
        };
        Ok((count, "utilization (percentage of request)", current))
    }

    fn setting(&self, replicas: i32) -> Setting {
        let behavior = self.scaler.spec.behavior.as_deref();
        let of = |rules: Option<&HPAScalingRules>, default: f64| {
            rules.and_then(|rules| rules.tolerance.as_ref()).map_or(default, Quantity::as_f64)
        };
        let default = Tolerance::default();
        let tolerance = Tolerance {
            down: of(behavior.and_then(|known| known.scale_down.as_deref()), default.down),
            up: of(behavior.and_then(|known| known.scale_up.as_deref()), default.up),
        };
        Setting { now: self.cx.now, replicas, tolerance, youth: Youth::default() }
    }

    /// Metrics that nobody serves: the cluster is one without an adapter for them.
    fn not_served(&self, spec: &MetricSpec) -> Unknown {
        let custom = "unable to fetch metrics from custom metrics API: no custom metrics API \
                      (custom.metrics.k8s.io) registered";
        if let Some(pods) = &spec.pods {
            let message = format!("unable to get metric {}: {custom}", pods.metric.name);
            let what = "pods metric value".into();
            return unknown("FailedGetPodsMetric", what, message);
        }
        if let Some(object) = &spec.object {
            let (about, namespace) = (&object.described_object, &self.scaler.metadata.namespace);
            let on = format!("{} on {namespace} {}", about.kind, about.name);
            let message = format!("unable to get metric {}: {on}/{custom}", object.metric.name);
            let what = "object metric value".into();
            return unknown("FailedGetObjectMetric", what, message);
        }
        if let Some(external) = &spec.external {
            let (namespace, name) = (&self.scaler.metadata.namespace, &external.metric.name);
            let selector = match &external.metric.selector {
                Some(selector) => format!("{:?}", api::Value::to_json(&**selector).to_string()),
                None => "nil".into(),
            };
            let message = format!(
                "unable to get external metric {namespace}/{name}/{selector}: unable to fetch metrics \
                 from external metrics API: no external metrics API (external.metrics.k8s.io) registered"
            );
            return unknown(
                "FailedGetExternalMetric",
                format!("{name} external metric value"),
                message,
            );
        }
        let message = format!("unknown metric source type {:?}", &*spec.type_);
        unknown("InvalidMetricSourceType", "metric value".into(), message)
    }
}

fn unknown(reason: &'static str, what: String, message: String) -> Unknown {
    Unknown { reason, message, what }
}

/// A quantity of so many thousandths.
fn milli(value: i64) -> Quantity {
    let text = if value % 1000 == 0 { (value / 1000).to_string() } else { format!("{value}m") };
    Quantity::parse(&text).unwrap_or_default()
}
