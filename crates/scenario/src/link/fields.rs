//! The payload of a link: fields with a tag, a length and bytes, in the order of their tags.

use api::json::Json;
use base::{Duration, Str};

use super::{Origin, Share};
use cluster::{NodeGroup, Provider};

use crate::file::{Addon, ClusterSpec, REPLICAS_MAX, ViewSpec, groups_of};

const LESSON: u8 = 1;
const FILE: u8 = 2;
const SEED: u8 = 3;
const MANIFESTS: u8 = 4;
const NODES: u8 = 5;
const ADDONS: u8 = 6;
const CPU: u8 = 7;
const MEMORY: u8 = 8;
const PODS: u8 = 9;
const ZONE: u8 = 10;
const LOG: u8 = 11;
const MOMENT: u8 = 12;
const DIAGRAM: u8 = 13;
const FOCUS: u8 = 14;
const STEP: u8 = 15;
const SCHEDULER: u8 = 24;
const PROVIDER: u8 = 16;
const MACHINES_MIN: u8 = 17;
const MACHINES_MAX: u8 = 18;
const REPLICAS: u8 = 25;
const TRACE: u8 = 26;
const GROUPS: u8 = 27;

/// The most zones, and nodes, that a link may ask for.
const ZONES_MAX: usize = 100;
const NODES_MAX: u64 = 5_000;

/// Writes the fields of a link. What is as usual is left out.
pub(super) fn write(share: &Share) -> Vec<u8> {
    let mut out = Out(Vec::new());
    match &share.origin {
        Origin::Lesson(name) => out.text(LESSON, name),
        Origin::File(text) => out.text(FILE, text),
        Origin::Bare { cluster, seed, manifests } => {
            out.number(SEED, *seed);
            out.text(MANIFESTS, manifests);
            write_cluster(&mut out, cluster);
        }
    }
    if !share.log.is_empty() {
        out.text(LOG, &share.log);
    }
    if let Some(moment) = share.moment {
        out.number(MOMENT, moment.as_micros().max(0) as u64);
    }
    if let Some(view) = &share.view {
        out.text(DIAGRAM, &view.diagram);
        if let Some(focus) = &view.focus {
            out.text(FOCUS, focus);
        }
    }
    if let Some(step) = share.step {
        out.number(STEP, step.into());
    }
    if let Origin::Bare { cluster, .. } = &share.origin {
        write_cloud(&mut out, cluster);
        if let Some(scheduler) = &cluster.scheduler {
            out.text(SCHEDULER, &scheduler.to_string());
        }
    }
    if let Origin::Bare { cluster, .. } = &share.origin
        && cluster.control_plane_replicas != ClusterSpec::default().control_plane_replicas
    {
        out.number(REPLICAS, cluster.control_plane_replicas.into());
    }
    if let Some(trace) = share.trace {
        out.number(TRACE, trace);
    }
    if let Origin::Bare { cluster, .. } = &share.origin
        && !cluster.groups.is_empty()
    {
        let groups = cluster.groups.iter().map(NodeGroup::to_json).collect();
        out.text(GROUPS, &Json::Array(groups).to_string());
    }
    out.0
}

fn write_cluster(out: &mut Out, cluster: &ClusterSpec) {
    let usual = ClusterSpec::default();
    if cluster.nodes != usual.nodes {
        out.number(NODES, cluster.nodes.into());
    }
    if cluster.addons != usual.addons {
        let name =
            |addon: &Addon| Addon::ALL.iter().find(|(_, a)| a == addon).map(|(name, _)| *name);
        let names: Vec<&str> = cluster.addons.iter().filter_map(name).collect();
        out.text(ADDONS, &names.join(","));
    }
    let sizes = [(CPU, cluster.cpu_milli), (MEMORY, cluster.memory), (PODS, cluster.pods)];
    for (tag, size) in sizes {
        if let Some(size) = size {
            out.number(tag, size.max(0) as u64);
        }
    }
    cluster.zones.iter().for_each(|zone| out.text(ZONE, zone));
}

/// What newer links may say of a cluster comes last, as fields stand in the order of their tags.
fn write_cloud(out: &mut Out, cluster: &ClusterSpec) {
    if cluster.provider != Provider::None {
        out.text(PROVIDER, cluster.provider.name());
    }
    if let Some((min, max)) = cluster.autoscale {
        out.number(MACHINES_MIN, min.into());
        out.number(MACHINES_MAX, max.into());
    }
}

struct Out(Vec<u8>);

impl Out {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn text(&mut self, tag: u8, text: &str) {
        self.0.push(tag);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, tag: u8, n: u64) {
        self.0.push(tag);
        self.varint(n);
    }
}

/// Reads the fields of a link, or says what is wrong with them.
pub(super) fn read(bytes: &[u8]) -> Result<Share, String> {
    let mut input = Input(bytes);
    let mut cluster = ClusterSpec::default();
    let (mut lesson, mut file, mut seed, mut manifests) = (None, None, None, None);
    let (mut diagram, mut focus) = (None, None);
    let mut share = Share {
        origin: Origin::Lesson(Str::default()),
        log: Str::default(),
        moment: None,
        view: None,
        step: None,
        trace: None,
    };
    let mut last = 0;
    while let Some(tag) = input.byte() {
        if tag < last || tag == last && tag != ZONE {
            return Err("its fields are out of order".into());
        }
        last = tag;
        match tag {
            LESSON => lesson = Some(input.text()?),
            FILE => file = Some(input.text()?),
            SEED => seed = Some(input.number(u64::MAX)?),
            MANIFESTS => manifests = Some(input.text()?),
            NODES => cluster.nodes = input.number(NODES_MAX)? as u32,
            ADDONS => cluster.addons = addons(&input.text()?)?,
            CPU => cluster.cpu_milli = Some(input.number(i64::MAX as u64)? as i64),
            MEMORY => cluster.memory = Some(input.number(i64::MAX as u64)? as i64),
            PODS => cluster.pods = Some(input.number(10_000)? as i64),
            ZONE if cluster.zones.len() < ZONES_MAX => cluster.zones.push(input.text()?),
            LOG => share.log = input.text()?,
            MOMENT => share.moment = Some(Duration(input.number(MOMENT_MAX)? as i64)),
            DIAGRAM => diagram = Some(input.text()?),
            FOCUS => focus = Some(input.text()?),
            SCHEDULER => cluster.scheduler = Some(scheduler(&input.text()?)?),
            PROVIDER => {
                let provider = Provider::parse(&input.text()?);
                cluster.provider = provider.ok_or("it names an unknown provider")?;
            }
            MACHINES_MIN => cluster.autoscale = Some((input.number(NODES_MAX)? as u32, 0)),
            MACHINES_MAX => {
                let max = input.number(NODES_MAX)? as u32;
                cluster.autoscale = cluster.autoscale.map(|(min, _)| (min, max));
            }
            STEP => share.step = Some(input.number(1_000)? as u32),
            REPLICAS => {
                let replicas = input.number(REPLICAS_MAX.into())? as u32;
                cluster.control_plane_replicas = replicas.max(1);
            }
            TRACE => share.trace = Some(input.number(u64::MAX)?),
            GROUPS => {
                let given = Json::parse(input.text()?.as_bytes());
                let given = given.map_err(|error| error.to_string())?;
                cluster.groups = groups_of(&given, cluster.provider)?;
            }
            _ => return Err("it has a field that this page does not know".into()),
        }
    }
    share.view = diagram.map(|diagram| ViewSpec { diagram, focus });
    share.origin = match (lesson, file, seed, manifests) {
        (Some(name), None, None, None) => Origin::Lesson(name),
        (None, Some(text), None, None) => Origin::File(text),
        (None, None, Some(seed), Some(manifests)) => Origin::Bare { cluster, seed, manifests },
        _ => return Err("it does not say where to start".into()),
    };
    Ok(share)
}

fn scheduler(text: &str) -> Result<Json, String> {
    let json = Json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    cluster::SchedulerConfig::from_json(&json)?;
    Ok(json)
}

/// A hundred days: nobody watched for longer.
const MOMENT_MAX: u64 = 100 * 24 * 3_600 * 1_000_000;

fn addons(text: &str) -> Result<Vec<Addon>, String> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| {
            let known = Addon::ALL.iter().find(|(known, _)| *known == name);
            known.map(|(_, addon)| *addon).ok_or_else(|| "it names an unknown addon".to_owned())
        })
        .collect()
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self, max: u64) -> Result<u64, String> {
        let (mut n, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte().ok_or("a number does not end")?;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || shift == 63 && bits > 1 {
                return Err("a number is too large".into());
            }
            n |= bits << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        if n > max { Err(format!("{n} is more than {max}")) } else { Ok(n) }
    }

    fn text(&mut self) -> Result<Str, String> {
        let len = usize::try_from(self.number(u64::MAX)?).unwrap_or(usize::MAX);
        let Some((text, rest)) = self.0.split_at_checked(len) else {
            return Err("a text does not end".into());
        };
        self.0 = rest;
        std::str::from_utf8(text).map(Str::from).map_err(|_| "a text is no text".into())
    }
}
