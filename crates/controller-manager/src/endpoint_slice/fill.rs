//! How wanted endpoints are put into slices with as few writes as can be.

use std::collections::VecDeque;
use std::sync::Arc;

use api::core::v1::Service;
use api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use api::meta::v1::ObjectMeta;
use api::time::Time;
use api::wire::Request;
use base::{BTreeMap, Str, list};
use client::owner::controller_reference;
use client::{Plan, Write};

use super::{ENDPOINTS_MAX, Family, Groups, MANAGED_BY, Ports, SERVICE_NAME, US, ports_of};
use crate::services::{HEADLESS, TRIGGER_TIME, is_headless};

/// The slices of one Service in the making.
pub(super) struct Work<'a> {
    service: &'a Service,
    changed_at: Option<Time>,
    updates: Vec<EndpointSlice>,
    creates: Vec<EndpointSlice>,
    deletes: Vec<&'a EndpointSlice>,
}

impl<'a> Work<'a> {
    pub fn new(service: &'a Service, changed_at: Option<Time>) -> Work<'a> {
        Work { service, changed_at, updates: vec![], creates: vec![], deletes: vec![] }
    }

    /// Fits the known slices of a family to what is wanted.
    pub fn reconcile(&mut self, family: Family, known: Vec<&'a EndpointSlice>, groups: Groups) {
        let mut by_ports: BTreeMap<Ports, Vec<&'a EndpointSlice>> = BTreeMap::new();
        for slice in known {
            by_ports.entry(ports_of(slice)).or_default().push(slice);
        }
        let mut kept = 0;
        let creates = self.creates.len();
        for (ports, wanted) in groups {
            let slices = by_ports.remove(&ports).unwrap_or_default();
            kept += self.fill(family, &ports, slices, wanted);
        }
        let stale: Vec<&EndpointSlice> = by_ports.into_values().flatten().collect();
        if kept == 0 && self.creates.len() == creates {
            // One empty slice shows that the Service is known.
            let empty =
                stale.iter().position(|slice| slice.endpoints.is_empty() && slice.ports.is_empty());
            match empty {
                Some(at) => {
                    let slice = stale[at];
                    self.deletes.extend(stale.iter().filter(|other| !std::ptr::eq(**other, slice)));
                    return self.touch(slice);
                }
                None => self.creates.push(self.fresh(family, &Ports::new(), Vec::new())),
            }
        }
        self.deletes.extend(stale);
    }

    /// Fits the slices of one set of ports; says how many stay.
    fn fill(
        &mut self,
        family: Family,
        ports: &Ports,
        slices: Vec<&'a EndpointSlice>,
        wanted: Vec<Endpoint>,
    ) -> usize {
        let uid = |endpoint: &Endpoint| {
            endpoint.target_ref.as_ref().map(|target| target.uid.clone()).unwrap_or_default()
        };
        let mut places: BTreeMap<Str, usize> = BTreeMap::new();
        let mut wanted: Vec<Option<Endpoint>> = wanted.into_iter().map(Some).collect();
        for (at, endpoint) in wanted.iter().enumerate() {
            places.insert(endpoint.as_ref().map(uid).unwrap_or_default(), at);
        }
        let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
        for slice in slices {
            let mut rest = Vec::with_capacity(slice.endpoints.len());
            for endpoint in &slice.endpoints {
                let at = places.get(&uid(endpoint));
                rest.extend(at.and_then(|at| wanted[*at].take()));
            }
            if rest.is_empty() {
                self.deletes.push(slice);
            } else if rest.len() == slice.endpoints.len() && rest.iter().eq(&slice.endpoints) {
                unchanged.push(slice);
            } else {
                changed.push((slice, rest));
            }
        }
        let mut left: VecDeque<Endpoint> = wanted.into_iter().flatten().collect();
        base::sort::by_key(&mut changed, |(_, endpoints)| std::cmp::Reverse(endpoints.len()));
        for (_, endpoints) in &mut changed {
            let room = ENDPOINTS_MAX.saturating_sub(endpoints.len()).min(left.len());
            endpoints.extend(left.drain(..room));
        }
        if !left.is_empty() && left.len() < ENDPOINTS_MAX {
            let room = |slice: &EndpointSlice| {
                ENDPOINTS_MAX.checked_sub(slice.endpoints.len() + left.len())
            };
            let best = unchanged
                .iter()
                .enumerate()
                .filter_map(|(at, slice)| Some((room(slice)?, at)))
                .min();
            if let Some((_, at)) = best {
                let slice = unchanged.remove(at);
                let endpoints = slice.endpoints.iter().cloned().chain(left.drain(..)).collect();
                changed.push((slice, endpoints));
            }
        }
        let kept = changed.len() + unchanged.len();
        for (slice, endpoints) in changed {
            let mut new = slice.clone();
            new.endpoints = endpoints.into_iter().collect();
            new.metadata = self.metadata(Some(slice), true);
            self.updates.push(new);
        }
        for slice in unchanged {
            self.touch(slice);
        }
        while !left.is_empty() {
            let size = left.len().min(ENDPOINTS_MAX);
            let endpoints = left.drain(..size).collect();
            self.creates.push(self.fresh(family, ports, endpoints));
        }
        kept
    }

    /// Keeps a slice as it is, but for labels that follow the Service.
    fn touch(&mut self, slice: &EndpointSlice) {
        let metadata = self.metadata(Some(slice), false);
        if metadata.labels != slice.metadata.labels {
            let metadata = self.metadata(Some(slice), true);
            self.updates.push(EndpointSlice { metadata, ..slice.clone() });
        }
    }

    fn fresh(&self, family: Family, ports: &Ports, endpoints: Vec<Endpoint>) -> EndpointSlice {
        let port =
            |(name, protocol, number, app): &(Str, Str, Option<i32>, Option<Str>)| EndpointPort {
                name: Some(name.clone()),
                protocol: Some(protocol.clone()),
                port: *number,
                app_protocol: app.clone(),
            };
        EndpointSlice {
            address_type: family.name().into(),
            endpoints: endpoints.into_iter().collect(),
            metadata: self.metadata(None, true),
            ports: ports.iter().map(port).collect(),
        }
    }

    fn metadata(&self, known: Option<&EndpointSlice>, changed: bool) -> Arc<ObjectMeta> {
        let service = &self.service.metadata;
        let mut meta = match known {
            Some(slice) => (*slice.metadata).clone(),
            None => ObjectMeta {
                generate_name: format!("{}-", service.name).into(),
                namespace: service.namespace.clone(),
                owner_references: list![controller_reference(self.service)],
                ..ObjectMeta::default()
            },
        };
        meta.labels = service.labels.clone();
        meta.labels.remove(HEADLESS);
        if is_headless(self.service) {
            meta.labels.insert(HEADLESS, Str::new());
        }
        meta.labels.insert(SERVICE_NAME, service.name.clone());
        meta.labels.insert(MANAGED_BY, US.into());
        if changed {
            match self.changed_at {
                Some(at) => drop(meta.annotations.insert(TRIGGER_TIME, at.to_string().into())),
                None => drop(meta.annotations.remove(TRIGGER_TIME)),
            }
        }
        Arc::new(meta)
    }

    /// Plans the writes; a slice that is not needed any more takes the place of one that is.
    pub fn finish(mut self, strays: Vec<&'a EndpointSlice>, plan: &mut Plan) {
        self.deletes.extend(strays);
        let mut creates = Vec::new();
        for mut new in std::mem::take(&mut self.creates) {
            let same = self.deletes.iter().position(|old| old.address_type == new.address_type);
            match same {
                Some(at) => {
                    let old = self.deletes.remove(at);
                    new.metadata = self.metadata(Some(old), true);
                    self.updates.push(new);
                }
                None => creates.push(new),
            }
        }
        let mut writes: Vec<Write> = creates.into_iter().map(Write::create).collect();
        let updates = self.updates.into_iter();
        writes.extend(updates.map(|slice| Write::new(Request::update(slice.into()))));
        writes.extend(self.deletes.iter().map(|slice| Write::delete(*slice, Default::default())));
        plan.batch(writes);
    }
}
