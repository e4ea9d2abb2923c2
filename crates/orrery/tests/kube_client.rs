//! The `kube` crate, which shares no code with us, as a client of `orrery serve`.

mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, Namespace, Pod, PodSpec, PodTemplateSpec, Secret,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::{Controller, WatchStreamExt as _, watcher};
use kube::{Client, Config, Discovery, Resource as _};
use server::Server;

fn deployment(name: &str, replicas: i32) -> Deployment {
    let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
    let container = Container {
        name: "nginx".into(),
        image: Some("nginx:1.27".into()),
        ..Container::default()
    };
    Deployment {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            selector: LabelSelector { match_labels: Some(labels.clone()), ..Default::default() },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// Runs a conversation with a server; it may take a minute.
fn check<F: Future<Output = kube::Result<()>>>(name: &str, talk: impl FnOnce(Client) -> F) {
    let server = Server::start(name, &[]);
    let url = format!("http://{}", server.address).parse().expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = Client::try_from(Config::new(url)).expect("a client");
        let talk = tokio::time::timeout(Duration::from_secs(60), talk(client));
        talk.await.expect("it takes no minute").expect("no request fails");
    });
}

#[test]
fn discovery_finds_the_kinds_with_their_verbs() {
    check("discovery", |client| async move {
        let version = client.apiserver_version().await?;
        assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
        let discovery = Discovery::new(client).run().await?;
        let groups: Vec<&str> = discovery.groups().map(|group| group.name()).collect();
        for name in ["", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io"] {
            assert!(groups.contains(&name), "{name:?} is not in {groups:?}");
        }
        let apps = discovery.get("apps").expect("the group apps");
        let (resource, capabilities) = apps.recommended_kind("Deployment").expect("Deployment");
        assert_eq!((resource.plural.as_str(), resource.version.as_str()), ("deployments", "v1"));
        assert!(capabilities.supports_operation(kube::discovery::verbs::WATCH));
        assert!(capabilities.subresources.iter().any(|(sub, _)| sub.plural.ends_with("scale")));
        Ok(())
    });
}

#[test]
fn a_deployment_is_made_read_changed_and_deleted() {
    check("crud", |client| async move {
        let api: Api<Deployment> = Api::default_namespaced(client);
        let made = api.create(&PostParams::default(), &deployment("web", 2)).await?;
        assert_eq!(made.metadata.generation, Some(1));
        assert!(made.metadata.uid.is_some());
        let twice = api.create(&PostParams::default(), &deployment("web", 2)).await;
        assert!(matches!(twice, Err(kube::Error::Api(status)) if status.code == 409));

        let merge = Patch::Merge(serde_json::json!({"spec": {"replicas": 3}}));
        let patched = api.patch("web", &PatchParams::default(), &merge).await?;
        assert_eq!(patched.spec.and_then(|spec| spec.replicas), Some(3));
        let mut applied = deployment("web", 4);
        applied.metadata.managed_fields = None;
        let by = PatchParams::apply("test").force();
        let applied = api.patch("web", &by, &Patch::Apply(&applied)).await?;
        assert_eq!(applied.spec.and_then(|spec| spec.replicas), Some(4));
        assert_eq!(api.get_scale("web").await?.spec.and_then(|spec| spec.replicas), Some(4));
        assert_eq!(api.list(&ListParams::default()).await?.items.len(), 1);

        api.delete("web", &DeleteParams::background()).await?;
        while api.get_opt("web").await?.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    });
}

#[test]
fn a_watcher_sees_pods_begin_to_run() {
    check("watcher", |client| async move {
        let pods: Api<Pod> = Api::default_namespaced(client.clone());
        let of_web = watcher::Config::default().labels("app=web");
        let mut seen = std::pin::pin!(watcher(pods, of_web).applied_objects());
        let deployments: Api<Deployment> = Api::default_namespaced(client);
        deployments.create(&PostParams::default(), &deployment("web", 2)).await?;
        let mut phases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let runs = |phases: &Vec<String>| phases.last().is_some_and(|phase| phase == "Running");
        while phases.len() < 2 || !phases.values().all(runs) {
            let pod = seen.next().await.expect("a watch goes on").expect("a watch without errors");
            let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
            let phases = phases.entry(pod.metadata.name.unwrap_or_default()).or_default();
            if phases.last() != Some(&phase) {
                phases.push(phase);
            }
        }
        // A list that comes late may find a pod running.
        for (name, phases) in &phases {
            assert!(
                ["Pending", "Running"]
                    .ends_with(&phases.iter().map(String::as_str).collect::<Vec<_>>()),
                "{name}: {phases:?}"
            );
        }
        Ok(())
    });
}

/// Gives every ConfigMap with the label `copy=yes` a Secret of its own that says the same.
async fn copy(settings: Arc<ConfigMap>, client: Arc<Client>) -> kube::Result<Action> {
    let name = settings.metadata.name.clone().unwrap_or_default();
    let owner = settings.controller_owner_ref(&()).expect("it has a name and a uid");
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    let secret = Secret { metadata, string_data: settings.data.clone(), ..Secret::default() };
    let secrets: Api<Secret> = Api::default_namespaced((*client).clone());
    let by = PatchParams::apply("copier").force();
    secrets.patch(&name, &by, &Patch::Apply(&secret)).await?;
    Ok(Action::await_change())
}

#[test]
fn a_controller_brings_about_what_is_wanted_and_repairs_it() {
    check("controller", |client| async move {
        let settings: Api<ConfigMap> = Api::default_namespaced(client.clone());
        let secrets: Api<Secret> = Api::default_namespaced(client.clone());
        let wanted = watcher::Config::default().labels("copy=yes");
        let retry = |_: Arc<ConfigMap>, _: &kube::Error, _: Arc<Client>| {
            Action::requeue(Duration::from_millis(100))
        };
        let controller = Controller::new(settings.clone(), wanted)
            .owns(secrets.clone(), watcher::Config::default())
            .run(copy, retry, Arc::new(client))
            .for_each(|done| async move { drop(done.expect("no reconcile fails")) });
        let controller = tokio::spawn(controller);

        let map = |colour: &str| ConfigMap {
            metadata: ObjectMeta {
                name: Some("settings".into()),
                labels: Some(BTreeMap::from([("copy".into(), "yes".into())])),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([("colour".into(), colour.into())])),
            ..ConfigMap::default()
        };
        settings.create(&PostParams::default(), &map("blue")).await?;
        wait_for_colour(&secrets, b"blue").await?;
        let by = PatchParams::apply("test").force();
        settings.patch("settings", &by, &Patch::Apply(map("green"))).await?;
        wait_for_colour(&secrets, b"green").await?;
        secrets.delete("settings", &DeleteParams::default()).await?;
        wait_for_colour(&secrets, b"green").await?;

        // With its owner the copy goes too, by the garbage collector.
        settings.delete("settings", &DeleteParams::default()).await?;
        while secrets.get_opt("settings").await?.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        controller.abort();
        Ok(())
    });
}

async fn wait_for_colour(secrets: &Api<Secret>, colour: &[u8]) -> kube::Result<()> {
    loop {
        let data = secrets.get_opt("settings").await?.and_then(|secret| secret.data);
        if data.is_some_and(|data| data["colour"].0 == colour) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_the_server_refuses_is_a_status_with_a_reason() {
    check("errors", |client| async move {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let Err(kube::Error::Api(missing)) = namespaces.get("nowhere").await else {
            panic!("there is no such namespace")
        };
        assert_eq!((missing.code, missing.reason.as_str()), (404, "NotFound"));
        let api: Api<Deployment> = Api::default_namespaced(client);
        let wrong = deployment("Wrong_Name", 1);
        let Err(kube::Error::Api(invalid)) = api.create(&PostParams::default(), &wrong).await
        else {
            panic!("the name is not allowed")
        };
        assert_eq!((invalid.code, invalid.reason.as_str()), (422, "Invalid"));
        assert!(invalid.message.contains("metadata.name"), "{}", invalid.message);
        Ok(())
    });
}
