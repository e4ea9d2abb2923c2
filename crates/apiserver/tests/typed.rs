//! The typed path: what the parts of the cluster see.

use std::sync::Arc;

use api::PlacedSpec;
use api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use api::core::v1::{
    Binding, Container, Namespace, ObjectReference, Pod, PodSpec, PodStatus, PodTemplateSpec,
    ServiceAccount,
};
use api::int_or_string::IntOrString;
use api::meta::v1::{DeleteOptions, LabelSelector, ObjectMeta, OwnerReference};
use api::object::{Key, Kind, Object};
use api::selector::FieldSelector;
use api::wire::{Answer, Cause, Change, Interest, Request, Subresource, Trigger, Verb};
use apiserver::ApiServer;
use base::{Instant, Str, list, lit};

const NOW: Instant = Instant::START;

fn server() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    let account = ServiceAccount { metadata: meta("default"), ..ServiceAccount::default() };
    ask(&mut server, Request::create(account.into()));
    server.take_events();
    server
}

fn meta(name: &str) -> Arc<ObjectMeta> {
    let (name, namespace) = (name.into(), lit!("default"));
    Arc::new(ObjectMeta { name, namespace, ..ObjectMeta::default() })
}

fn ask(server: &mut ApiServer, request: Request) -> Object {
    match server.handle(NOW, request) {
        Ok(Answer::Object(object, _)) => object,
        other => panic!("{other:?}"),
    }
}

fn refused(server: &mut ApiServer, request: Request) -> (i32, String) {
    let status = server.handle(NOW, request).expect_err("refused");
    (status.code.unwrap_or(0), status.message.to_string())
}

fn spec() -> PodSpec {
    let container = Container { name: lit!("c"), image: lit!("nginx"), ..Container::default() };
    PodSpec { containers: list![container], ..PodSpec::default() }
}

fn pod(name: &str) -> Pod {
    Pod { metadata: meta(name), spec: PlacedSpec::new(Arc::new(spec())), ..Pod::default() }
}

fn replica(spec: &Arc<PodSpec>) -> Pod {
    let mut meta = (*meta("")).clone();
    meta.generate_name = lit!("web-");
    meta.owner_references = list![OwnerReference {
        uid: lit!("11111111-1111-1111-1111-111111111111"),
        kind: lit!("ReplicaSet"),
        name: lit!("web"),
        api_version: lit!("apps/v1"),
        controller: Some(true),
        ..OwnerReference::default()
    }];
    Pod { metadata: Arc::new(meta), spec: PlacedSpec::new(spec.clone()), ..Pod::default() }
}

fn key(name: &str) -> Key {
    Key::new("default", name)
}

#[test]
fn a_new_pod_is_pending_runs_as_a_service_account_and_has_a_revision() {
    let mut server = server();
    let object = ask(&mut server, Request::create(pod("a").into()));
    let pod = object.get::<Pod>().expect("a pod");
    assert_eq!(pod.status.phase, "Pending");
    assert_eq!(pod.status.qos_class, "BestEffort");
    assert_eq!(pod.spec.service_account_name, "default");
    assert_eq!(pod.spec.priority, Some(0));
    assert!(pod.spec.volumes[0].name.starts_with("kube-api-access-"));
    assert_eq!(pod.spec.tolerations.len(), 2);
    assert_eq!(pod.metadata.generation, 1);
    assert_eq!(pod.metadata.resource_version, server.revision().to_string());
    assert_eq!(pod.metadata.uid.len(), 36);
}

#[test]
fn replicas_of_one_template_share_one_admitted_spec() {
    let mut server = server();
    let spec = Arc::new(spec());
    let first = ask(&mut server, Request::create(replica(&spec).into()));
    let second = ask(&mut server, Request::create(replica(&spec).into()));
    let (first, second) = (first.get::<Pod>().unwrap(), second.get::<Pod>().unwrap());
    assert!(Arc::ptr_eq(first.spec.shared(), second.spec.shared()));
    assert_ne!(first.metadata.name, second.metadata.name);
    assert!(first.metadata.name.starts_with("web-"));
    let equal = Arc::new((*spec).clone());
    let third = ask(&mut server, Request::create(replica(&equal).into()));
    assert!(Arc::ptr_eq(first.spec.shared(), third.get::<Pod>().unwrap().spec.shared()));
}

#[test]
fn a_changed_service_account_makes_admission_look_again() {
    let mut server = server();
    let spec = Arc::new(spec());
    ask(&mut server, Request::create(replica(&spec).into()));
    let account = server.get(ServiceAccount::INFO, "default", "default").expect("there");
    let mut account = account.get::<ServiceAccount>().unwrap().clone();
    account.automount_service_account_token = Some(false);
    ask(&mut server, Request::update(account.into()));
    let second = ask(&mut server, Request::create(replica(&spec).into()));
    assert!(second.get::<Pod>().unwrap().spec.volumes.is_empty());
}

#[test]
fn namespaces_that_are_missing_or_going_take_nothing() {
    let mut server = server();
    let mut stray = pod("a");
    Arc::make_mut(&mut stray.metadata).namespace = lit!("nowhere");
    let (code, text) = refused(&mut server, Request::create(stray.clone().into()));
    assert_eq!((code, &*text), (404, "namespaces \"nowhere\" not found"));
    let space = Namespace {
        metadata: Arc::new(ObjectMeta { name: lit!("nowhere"), ..ObjectMeta::default() }),
        ..Namespace::default()
    };
    ask(&mut server, Request::create(space.into()));
    let account = ServiceAccount {
        metadata: Arc::new(ObjectMeta {
            name: lit!("default"),
            namespace: lit!("nowhere"),
            ..ObjectMeta::default()
        }),
        ..ServiceAccount::default()
    };
    ask(&mut server, Request::create(account.into()));
    ask(&mut server, Request::create(stray.clone().into()));
    let options = DeleteOptions::default();
    let gone = Request::delete(Namespace::INFO, &Key::new("", "nowhere"), options);
    let space = ask(&mut server, gone);
    assert_eq!(space.get::<Namespace>().unwrap().status.phase, "Terminating");
    Arc::make_mut(&mut stray.metadata).name = lit!("b");
    let (code, text) = refused(&mut server, Request::create(stray.into()));
    assert_eq!(code, 403);
    assert_eq!(
        text,
        "pods \"b\" is forbidden: unable to create new content in namespace nowhere because it is \
         being terminated"
    );
}

#[test]
fn a_stale_update_conflicts_and_an_equal_one_makes_no_revision() {
    let mut server = server();
    let object = ask(&mut server, Request::create(pod("a").into()));
    let before = server.revision();
    ask(&mut server, Request::update(object.clone()));
    assert_eq!(server.revision(), before);
    let mut changed = object.clone();
    changed.edit().meta_mut().labels.insert("x", lit!("y"));
    ask(&mut server, Request::update(changed.clone()));
    assert_eq!(server.revision(), before + 1);
    let (code, text) = refused(&mut server, Request::update(changed));
    assert_eq!(code, 409);
    assert_eq!(
        text,
        "Operation cannot be fulfilled on pods \"a\": the object has been modified; please apply \
         your changes to the latest version and try again"
    );
}

#[test]
fn a_status_update_keeps_the_spec_and_the_spec_update_keeps_the_status() {
    let mut server = server();
    let object = ask(&mut server, Request::create(pod("a").into()));
    let mut changed = object.clone();
    {
        let pod = changed.edit_as::<Pod>().unwrap();
        pod.status = Arc::new(PodStatus { phase: lit!("Running"), ..PodStatus::default() });
        pod.spec.node_name = lit!("ignored");
    }
    let stored = ask(&mut server, Request::update_status(changed));
    let pod = stored.get::<Pod>().unwrap();
    assert_eq!((pod.status.phase.as_str(), pod.spec.node_name.as_str()), ("Running", ""));
    assert_eq!(pod.metadata.generation, 1);
    assert!(Arc::ptr_eq(pod.spec.shared(), object.get::<Pod>().unwrap().spec.shared()));
}

#[test]
fn a_bound_pod_is_deleted_gracefully_and_an_unbound_one_at_once() {
    let mut server = server();
    ask(&mut server, Request::create(pod("a").into()));
    let mut placed = pod("b");
    placed.spec.node_name = lit!("n1");
    ask(&mut server, Request::create(placed.into()));
    let delete = |name: &str, grace| {
        let options = DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() };
        Request::delete(Pod::INFO, &key(name), options)
    };
    ask(&mut server, delete("a", None));
    assert!(server.get(Pod::INFO, "default", "a").is_none());
    let going = ask(&mut server, delete("b", None));
    assert_eq!(going.meta().deletion_grace_period_seconds, Some(30));
    assert_eq!(going.meta().generation, 2);
    assert!(server.get(Pod::INFO, "default", "b").is_some());
    ask(&mut server, delete("b", Some(0)));
    assert!(server.get(Pod::INFO, "default", "b").is_none());
}

#[test]
fn an_object_with_finalizers_goes_with_the_last_of_them() {
    let mut server = server();
    let mut held = pod("a");
    Arc::make_mut(&mut held.metadata).finalizers = list![lit!("example.com/hold")];
    ask(&mut server, Request::create(held.into()));
    let delete = Request::delete(Pod::INFO, &key("a"), DeleteOptions::default());
    let mut going = ask(&mut server, delete);
    assert!(going.meta().deletion_timestamp.is_some());
    going.edit().meta_mut().finalizers.clear();
    ask(&mut server, Request::update(going));
    assert!(server.get(Pod::INFO, "default", "a").is_none());
}

#[test]
fn a_watch_of_a_node_hears_of_its_pods_only_and_of_their_coming_and_going() {
    let mut server = server();
    let of_node = |node: &str| Interest {
        fields: FieldSelector::equals("spec.nodeName", node),
        ..Interest::all(Pod::INFO)
    };
    let n1 = server.watch(of_node("n1"), Some(server.revision())).expect("a watch");
    let n2 = server.watch(of_node("n2"), Some(server.revision())).expect("a watch");
    let all = server.watch(Interest::all(Pod::INFO), Some(server.revision())).expect("a watch");
    ask(&mut server, Request::create(pod("a").into()));
    let binding = api::core::v1::Binding {
        metadata: meta("a"),
        target: api::core::v1::ObjectReference {
            kind: lit!("Node"),
            name: lit!("n1"),
            ..Default::default()
        },
    };
    let mut bind = Request::create(binding.into());
    bind.kind = Pod::INFO;
    bind.name = lit!("a");
    bind.subresource = api::wire::Subresource::Binding;
    server.handle(NOW, bind).expect("bound");
    let zero = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    ask(&mut server, Request::delete(Pod::INFO, &key("a"), zero));
    let events = server.take_events();
    let of = |id| -> Vec<Change> {
        events.iter().filter(|(other, _)| *other == id).map(|(_, event)| event.change).collect()
    };
    // A pod is marked before it goes, even where it goes at once.
    assert_eq!(of(n1), [Change::Added, Change::Modified, Change::Deleted]);
    assert_eq!(of(n2), []);
    let changes = [Change::Added, Change::Modified, Change::Modified, Change::Deleted];
    assert_eq!(of(all), changes);
    let late = server.watch(of_node("n1"), Some(2)).expect("a watch of the past");
    let past = server.take_events();
    assert!(past.iter().all(|(id, _)| *id == late));
    assert_eq!(past.len(), 3);
}

#[test]
fn the_ledger_knows_why_each_revision_was_made() {
    let mut server = server();
    let cause = Cause { actor: lit!("kubectl"), trigger: Trigger::Command(7) };
    ask(&mut server, Request::create(pod("a").into()).by("kubectl", cause.clone()));
    let record = server.cause_of(server.revision()).expect("known");
    assert_eq!((record.verb, &record.cause), ("create", &cause));
    assert_eq!(record.key, key("a"));
}

#[test]
fn services_get_addresses_and_ports_and_give_them_back() {
    use api::core::v1::{Service, ServicePort, ServiceSpec};
    let mut server = server();
    let service = |name: &str, address: &str| Service {
        metadata: meta(name),
        spec: Arc::new(ServiceSpec {
            type_: lit!("NodePort"),
            cluster_ip: address.into(),
            ports: list![ServicePort { port: 80, protocol: lit!("TCP"), ..Default::default() }],
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    let stored = ask(&mut server, Request::create(service("a", "").into()));
    let spec = stored.get::<Service>().unwrap().spec.clone();
    assert!(spec.cluster_ip.starts_with("10."), "{}", spec.cluster_ip);
    assert!((30086..=32767).contains(&spec.ports[0].node_port));
    let (code, text) = refused(&mut server, Request::create(service("b", &spec.cluster_ip).into()));
    assert_eq!(code, 422);
    assert!(text.ends_with("provided IP is already allocated"), "{text}");
    let delete = Request::delete(Service::INFO, &key("a"), DeleteOptions::default());
    ask(&mut server, delete);
    ask(&mut server, Request::create(service("b", &spec.cluster_ip).into()));
}

#[test]
fn equal_seeds_make_equal_objects() {
    let run = || {
        let mut server = server();
        let spec = Arc::new(spec());
        for _ in 0..3 {
            ask(&mut server, Request::create(replica(&spec).into()));
        }
        let list = server.list(&Interest::all(Pod::INFO)).expect("a list");
        let mut text = Vec::new();
        list.items.iter().for_each(|item| item.write(&mut text));
        text
    };
    assert_eq!(run(), run());
}

#[test]
fn an_event_goes_an_hour_after_it_was_last_written() {
    use api::core::v1::Event;
    use base::Duration;
    let mut server = server();
    let event = Event {
        metadata: meta("e"),
        involved_object: api::core::v1::ObjectReference {
            kind: lit!("Pod"),
            namespace: lit!("default"),
            name: lit!("p"),
            ..Default::default()
        },
        reason: lit!("Started"),
        type_: lit!("Normal"),
        ..Event::default()
    };
    let made = ask(&mut server, Request::create(event.into()));
    let mut again = made.clone();
    again.edit_as::<Event>().unwrap().count = 2;
    let half = NOW + Duration::mins(30);
    server.handle(half, Request::update(again)).expect("updated");
    let there = |server: &ApiServer| server.get(Event::INFO, "default", "e").is_some();
    server.tick(NOW + Duration::mins(60));
    assert!(there(&server));
    server.tick(half + Duration::mins(60) - Duration::millis(1));
    assert!(there(&server));
    assert!(server.next_wake().is_some_and(|at| at <= half + Duration::mins(60)));
    server.tick(half + Duration::mins(60));
    assert!(!there(&server));
}

#[test]
fn a_service_address_is_an_object_too() {
    use api::core::v1::{Service, ServicePort, ServiceSpec};
    use api::networking::v1::IPAddress;
    let mut server = server();
    let spec = ServiceSpec {
        type_: lit!("ClusterIP"),
        ports: list![ServicePort { port: 80, protocol: lit!("TCP"), ..Default::default() }],
        ..ServiceSpec::default()
    };
    let service = Service { metadata: meta("s"), spec: Arc::new(spec), ..Service::default() };
    let made = ask(&mut server, Request::create(service.into()));
    let address = made.get::<Service>().unwrap().spec.cluster_ip.clone();
    let object = server.get(IPAddress::INFO, "", &address).expect("there");
    assert_eq!(object.get::<IPAddress>().unwrap().spec.parent_ref.name, "s");
    let delete = Request::delete(Service::INFO, &key("s"), DeleteOptions::default());
    ask(&mut server, delete);
    assert!(server.get(IPAddress::INFO, "", &address).is_none());
}

#[test]
fn what_the_server_says_of_scheduling_has_a_time_and_no_generation() {
    let mut server = server();
    let mut gated = spec();
    let gate = api::core::v1::PodSchedulingGate { name: lit!("example.com/g") };
    gated.scheduling_gates = list![gate];
    let waiting = Pod { spec: PlacedSpec::new(Arc::new(gated)), ..pod("waiting") };
    let condition = |object: Object| {
        let pod = object.get::<Pod>().expect("a pod").clone();
        let told = pod.status.conditions[0].clone();
        (told.reason, told.last_transition_time.is_some(), told.observed_generation)
    };
    let told = condition(ask(&mut server, Request::create(waiting.into())));
    assert_eq!(told, (lit!("SchedulingGated"), true, 0));
    ask(&mut server, Request::create(pod("bound").into()));
    let target = ObjectReference { kind: lit!("Node"), name: lit!("n1"), ..Default::default() };
    let binding = Binding { metadata: meta("bound"), target };
    let mut bind = Request::new(Pod::INFO, &key("bound"), Verb::Create(Object::new(binding)));
    bind.subresource = Subresource::Binding;
    server.handle(NOW, bind).expect("bound");
    let told = condition(ask(&mut server, Request::new(Pod::INFO, &key("bound"), Verb::Get)));
    assert_eq!(told, (Str::new(), true, 0));
}

#[test]
fn a_stateful_set_loses_max_unavailable_and_keeps_the_rest_of_its_strategy() {
    let mut server = server();
    let update = RollingUpdateStatefulSetStrategy {
        max_unavailable: Some(IntOrString::Int(2)),
        partition: Some(1),
    };
    let mut labels = api::Map::new();
    labels.insert("app", lit!("db"));
    let template = PodTemplateSpec {
        metadata: ObjectMeta { labels: labels.clone(), ..ObjectMeta::default() },
        spec: PodSpec { restart_policy: lit!("Always"), ..spec() },
    };
    let set = StatefulSet {
        metadata: meta("db"),
        spec: Arc::new(StatefulSetSpec {
            selector: LabelSelector { match_labels: labels, ..LabelSelector::default() },
            template,
            update_strategy: StatefulSetUpdateStrategy {
                type_: lit!("RollingUpdate"),
                rolling_update: Some(Box::new(update.clone())),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    };
    let strategy = |object: &Object| {
        let set = object.get::<StatefulSet>().expect("it is one");
        let update = set.spec.update_strategy.rolling_update.as_ref().expect("it rolls");
        (update.max_unavailable.clone(), update.partition)
    };
    let made = ask(&mut server, Request::create(set.into()));
    assert_eq!(strategy(&made), (None, Some(1)));
    let mut changed = made.get::<StatefulSet>().expect("it is one").clone();
    let spec = Arc::make_mut(&mut changed.spec);
    spec.update_strategy.rolling_update = Some(Box::new(update));
    let changed = ask(&mut server, Request::update(changed.into()));
    assert_eq!(strategy(&changed), (None, Some(1)));
    assert_eq!(changed.meta().generation, 1);
}
