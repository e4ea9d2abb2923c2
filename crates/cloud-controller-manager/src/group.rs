//! Groups of equal machines, between which the autoscaler chooses.

use api::Map;
use api::core::v1::Taint;
use api::json::Json;
use base::{List, Str};

use crate::provider::{MachineType, Provider, type_for};

/// A group of machines beside the one that the cluster's first nodes form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeGroup {
    /// Its name.
    pub name: Str,
    /// The type of its machines, as the provider calls it; empty for that of the cluster's first nodes.
    pub machine_type: Str,
    /// Zones over which its machines are spread; empty for those of the cluster.
    pub zones: Vec<Str>,
    /// How many machines it starts with.
    pub nodes: usize,
    /// The fewest machines that it may have.
    pub min: usize,
    /// The most.
    pub max: usize,
    /// Labels with which its nodes register.
    pub labels: Map<Str>,
    /// Taints with which its nodes register.
    pub taints: List<Taint>,
}

/// A group has so many machines at most.
const MACHINES_MAX: i64 = 5_000;
const FIELDS: [&str; 8] = ["name", "type", "zones", "nodes", "min", "max", "labels", "taints"];
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

impl NodeGroup {
    /// Reads a group as files and command lines give it, such as
    /// `{"name": "memory", "type": "r5.xlarge", "max": 3, "labels": {"disk": "ssd"}}`.
    ///
    /// The error says what is wrong with it.
    pub fn from_json(given: &Json, provider: Provider) -> Result<NodeGroup, String> {
        if let Some((key, _)) = given.fields().iter().find(|(key, _)| !FIELDS.contains(&&**key)) {
            return Err(format!("unknown field {key:?}; known are {}", FIELDS.join(", ")));
        }
        let name = text(given, "name")?;
        if name.is_empty() {
            return Err("a group has a name".to_owned());
        }
        if provider == Provider::None {
            return Err("without a provider there are no machines to add".to_owned());
        }
        if name == provider.model().group() {
            return Err(format!("{name:?} is the group of the cluster's first nodes"));
        }
        let machine_type = text(given, "type")?;
        if !machine_type.is_empty() && named(provider, &machine_type).is_none() {
            let types = provider.model().types().iter().map(|known| known.name);
            let known = types.collect::<Vec<_>>().join(", ");
            return Err(format!("there is no machine type {machine_type:?}; use {known}"));
        }
        let zones = given.get("zones").map_or(&[][..], Json::items);
        let zones: Option<Vec<Str>> =
            zones.iter().map(|zone| zone.as_str().map(Str::from)).collect();
        let min = whole(given, "min")?.unwrap_or(0);
        let nodes = whole(given, "nodes")?.unwrap_or(min);
        let max = whole(given, "max")?.unwrap_or(nodes.max(min));
        if max < min || nodes < min || nodes > max {
            return Err(format!("min is {min}, nodes is {nodes}, max is {max}: they must rise"));
        }
        let labels = given.get("labels").map_or(&[][..], Json::fields);
        let label = |(key, value): &(Str, Json)| Some((key.clone(), Str::from(value.as_str()?)));
        let labels: Option<Map<Str>> = labels.iter().map(label).collect();
        let taints = given.get("taints").map_or(&[][..], Json::items);
        Ok(NodeGroup {
            name,
            machine_type,
            zones: zones.ok_or("\"zones\" is a list of texts")?,
            nodes,
            min,
            max,
            labels: labels.ok_or("\"labels\" are texts")?,
            taints: taints.iter().map(taint).collect::<Result<_, _>>()?,
        })
    }

    /// The group as [`NodeGroup::from_json`] reads it.
    pub fn to_json(&self) -> Json {
        let list = |items: Vec<Json>| (!items.is_empty()).then_some(Json::Array(items));
        let count = |n: usize| Some(Json::Int(n as i64));
        let labels = self.labels.iter().map(|(key, value)| (key.clone(), Json::str(value.clone())));
        let labels: Vec<_> = labels.collect();
        let fields = [
            Some(Json::str(self.name.clone())),
            (!self.machine_type.is_empty()).then(|| Json::str(self.machine_type.clone())),
            list(self.zones.iter().map(|zone| Json::str(zone.clone())).collect()),
            count(self.nodes),
            count(self.min),
            count(self.max),
            (!labels.is_empty()).then_some(Json::Object(labels)),
            list(self.taints.iter().map(written).collect()),
        ];
        let mut out = Json::object();
        for (key, value) in FIELDS.into_iter().zip(fields) {
            if let Some(value) = value {
                out.set(key, value);
            }
        }
        out
    }

    /// What its machines are, where those of the cluster's first nodes have so much of both.
    pub(crate) fn type_of(
        &self,
        provider: Provider,
        cpu_milli: i64,
        memory: i64,
    ) -> &'static MachineType {
        let named = named(provider, &self.machine_type);
        named.unwrap_or_else(|| type_for(provider.model(), cpu_milli, memory))
    }
}

fn named(provider: Provider, name: &str) -> Option<&'static MachineType> {
    provider.model().types().iter().find(|known| known.name == name)
}

fn text(given: &Json, key: &str) -> Result<Str, String> {
    match given.get(key) {
        None | Some(Json::Null) => Ok(Str::new()),
        Some(value) => {
            value.as_str().map(Str::from).ok_or_else(|| format!("{key:?} is a text, not {value}"))
        }
    }
}

fn whole(given: &Json, key: &str) -> Result<Option<usize>, String> {
    let Some(value) = given.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let known = value.as_i64().filter(|n| (0..=MACHINES_MAX).contains(n));
    let known = known.ok_or_else(|| {
        format!("{key:?} is a whole number from 0 to {MACHINES_MAX}, not {value}")
    })?;
    Ok(Some(known as usize))
}

fn taint(given: &Json) -> Result<Taint, String> {
    let (key, effect) = (text(given, "key")?, text(given, "effect")?);
    if key.is_empty() || !EFFECTS.contains(&&*effect) {
        return Err(format!("a taint has a key and one of the effects {}", EFFECTS.join(", ")));
    }
    Ok(Taint { key, value: text(given, "value")?, effect, time_added: None })
}

fn written(taint: &Taint) -> Json {
    let mut out = Json::object();
    for (key, value) in [("key", &taint.key), ("value", &taint.value), ("effect", &taint.effect)] {
        if !value.is_empty() {
            out.set(key, Json::str(value.clone()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reading a group comes to: its fields, or what is wrong with it.
    fn check(given: &str, expect: &str) {
        let given = Json::parse(given.as_bytes()).expect("it is JSON");
        let found = match NodeGroup::from_json(&given, Provider::Aws) {
            Ok(group) => group.to_json().to_string(),
            Err(why) => why,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn a_group_starts_with_the_fewest_machines_it_may_have() {
        check(r#"{"name": "a"}"#, r#"{"name":"a","nodes":0,"min":0,"max":0}"#);
        check(r#"{"name":"a","min":2,"max":5}"#, r#"{"name":"a","nodes":2,"min":2,"max":5}"#);
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let whole = r#"{"name":"a","type":"r5.large","zones":["us-east-1b"],"nodes":1,"min":0,"max":3,"labels":{"disk":"ssd"},"taints":[{"key":"only","value":"big","effect":"NoSchedule"}]}"#;
        check(whole, whole);
    }

    #[test]
    fn what_is_wrong_with_a_group_is_said() {
        check("{}", "a group has a name");
        check(
            r#"{"name": "a", "size": 3}"#,
            "unknown field \"size\"; known are name, type, zones, nodes, min, max, labels, taints",
        );
        check(
            r#"{"name": "eks-workers"}"#,
            "\"eks-workers\" is the group of the cluster's first nodes",
        );
        check(
            r#"{"name": "a", "min": 3, "max": 1}"#,
            "min is 3, nodes is 3, max is 1: they must rise",
        );
        check(r#"{"name": "a", "max": -1}"#, "\"max\" is a whole number from 0 to 5000, not -1");
        check(r#"{"name": "a", "labels": {"x": 1}}"#, "\"labels\" are texts");
        check(
            r#"{"name": "a", "taints": [{"key": "x", "effect": "No"}]}"#,
            "a taint has a key and one of the effects NoSchedule, PreferNoSchedule, NoExecute",
        );
        let given = Json::parse(br#"{"name": "a", "type": "m1.small"}"#).expect("it is JSON");
        let why = NodeGroup::from_json(&given, Provider::DigitalOcean).expect_err("there is none");
        assert!(why.starts_with("there is no machine type \"m1.small\"; use s-"), "{why}");
        let why = NodeGroup::from_json(&given, Provider::None).expect_err("there is none");
        assert_eq!(why, "without a provider there are no machines to add");
    }
}
