//! The lives of pods, from binding to deletion.

use std::sync::Arc;

use api::core::v1::Pod;

use super::bench::{Bench, pod, sh};

/// Runs a pod and compares the distinct states the API saw of it.
fn check(json: &str, seconds: f64, want: &[&str]) -> Bench {
    let mut bench = Bench::new();
    let key = bench.put(json);
    bench.run(seconds);
    assert_eq!(bench.story(&key.name), want, "events: {:#?}", bench.events(&key.name));
    bench
}

#[test]
fn a_server_runs_after_three_writes() {
    let json = pod("web", r#"{"name":"nginx","image":"nginx:1.27"}"#, "");
    let bench = check(
        &json,
        10.0,
        &[
            "Pending",
            "Pending nginx=ContainerCreating I",
            "Pending nginx=ContainerCreating SI",
            "Running nginx+=running SICR",
        ],
    );
    assert_eq!(bench.count("PUT pods/web/status"), 3);
    assert_eq!(
        bench.events("web"),
        [
            "Pulling Pulling image \"nginx:1.27\"",
            "Pulled Successfully pulled image \"nginx:1.27\" in 200ms (200ms including waiting). Image size: 52428800 bytes.",
            "Created Container created",
            "Started Container started",
        ]
    );
}

#[test]
fn a_pod_that_ends_well_succeeds() {
    check(
        &pod("once", &sh("c", "echo work; sleep 1"), r#","restartPolicy":"Never""#),
        10.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Running c+=running SICR",
            "Running c=Completed:0 SI",
            "Succeeded c=Completed:0 I",
        ],
    );
}

#[test]
fn init_containers_run_in_order_and_a_sidecar_stays() {
    let inits = format!(
        r#","initContainers":[{},{},{}]"#,
        sh("setup", "echo setup; sleep 2"),
        r#"{"name":"proxy","image":"envoy:1.30","restartPolicy":"Always"}"#,
        sh("migrate", "echo migrate; sleep 1")
    );
    let app = r#"{"name":"app","image":"nginx:1.27","readinessProbe":{"exec":{"command":["true"]},"periodSeconds":1}}"#;
    let mut bench = check(
        &pod("demo", app, &inits),
        20.0,
        &[
            "Pending",
            "Pending setup=PodInitializing proxy=PodInitializing migrate=PodInitializing app=PodInitializing",
            "Pending setup=PodInitializing proxy=PodInitializing migrate=PodInitializing app=PodInitializing S",
            "Pending setup=running proxy=PodInitializing migrate=PodInitializing app=PodInitializing S",
            "Pending setup+=Completed:0 proxy=PodInitializing migrate=PodInitializing app=PodInitializing S",
            "Pending setup+=Completed:0 proxy+=running migrate=PodInitializing app=PodInitializing S",
            "Pending setup+=Completed:0 proxy+=running migrate=running app=PodInitializing S",
            "Pending setup+=Completed:0 proxy+=running migrate+=Completed:0 app=PodInitializing SI",
            "Running setup+=Completed:0 proxy+=running migrate+=Completed:0 app=running SI",
            "Running setup+=Completed:0 proxy+=running migrate+=Completed:0 app+=running SICR",
        ],
    );
    let before = bench.story("demo").len();
    bench.delete("demo", 30);
    bench.run(10.0);
    assert_eq!(
        bench.story("demo")[before..],
        [
            "Running setup+=Completed:0 proxy+=running migrate+=Completed:0 app+=running SICR ending",
            "Succeeded setup+=Completed:0 proxy=Completed:0 migrate+=Completed:0 app=Completed:0 I ending",
        ]
    );
    assert_eq!(bench.count("DELETE pods/demo"), 1);
    let killed: Vec<String> =
        bench.events("demo").into_iter().filter(|event| event.starts_with("Killing")).collect();
    assert_eq!(killed, ["Killing Stopping container app", "Killing Stopping container proxy"]);
}

#[test]
fn a_crashing_container_is_restarted_with_growing_pauses() {
    let json = pod("crash", &sh("c", "sleep 1; exit 3"), "");
    let bench = check(
        &json,
        22.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Running c+=running SICR",
            "Running c=Error:3 SI",
            "Running c+#1=running<Error:3 SICR",
            "Running c#1=Error:3<Error:3 SI",
            "Running c#1=CrashLoopBackOff<Error:3 SI",
            "Running c+#2=running<Error:3 SICR",
            "Running c#2=Error:3<Error:3 SI",
        ],
    );
    let status = &bench.pod("crash").status.container_statuses[0];
    assert_eq!(status.last_state.terminated.as_ref().unwrap().exit_code, 3);
    let backoff: Vec<String> =
        bench.events("crash").into_iter().filter(|e| e.starts_with("BackOff")).collect();
    assert_eq!(
        backoff,
        ["BackOff Back-off restarting failed container c in pod crash_default(uid-crash) x2"]
    );
}

#[test]
fn a_failed_pod_that_is_not_restarted_fails() {
    check(
        &pod("once", &sh("c", "sleep 1; exit 3"), r#","restartPolicy":"Never""#),
        10.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Running c+=running SICR",
            "Running c=Error:3 SI",
            "Failed c=Error:3 I",
        ],
    );
}

#[test]
fn an_image_that_is_not_there_backs_off() {
    let bench = check(
        &pod("lost", r#"{"name":"c","image":"nginx:bad"}"#, ""),
        36.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Pending c=ErrImagePull SI",
            "Pending c=ImagePullBackOff SI",
            "Pending c=ErrImagePull SI",
        ],
    );
    let why = "rpc error: code = NotFound desc = failed to pull and unpack image \
               \"docker.io/library/nginx:bad\": failed to resolve reference \
               \"docker.io/library/nginx:bad\": docker.io/library/nginx:bad: not found";
    let events = bench.events("lost");
    assert_eq!(events[0], "Pulling Pulling image \"nginx:bad\" x2");
    assert_eq!(events[1], format!("Failed Failed to pull image \"nginx:bad\": {why} x2"));
    assert_eq!(events[2], "Failed Error: ErrImagePull x2");
    assert_eq!(events[3], "BackOff Back-off pulling image \"nginx:bad\" x2");
    assert_eq!(events[4], "Failed Error: ImagePullBackOff x2");
}

#[test]
fn a_name_that_is_no_image_is_not_pulled() {
    let bench = check(
        &pod("bad", r#"{"name":"c","image":"Nginx:1"}"#, ""),
        5.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Pending c=InvalidImageName SI",
        ],
    );
    assert!(
        bench.events("bad")[0]
            .starts_with("InspectFailed Failed to apply default image tag \"Nginx:1\"")
    );
}

#[test]
fn never_pulling_wants_the_image_on_the_node() {
    let container = r#"{"name":"c","image":"nginx:1.27","imagePullPolicy":"Never"}"#;
    let bench = check(
        &pod("never", container, ""),
        5.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Pending c=ErrImageNeverPull SI",
        ],
    );
    let text = "Container image \"nginx:1.27\" is not present with pull policy of Never";
    assert_eq!(bench.events("never")[0], format!("ErrImageNeverPull {text} x2"));
}

#[test]
fn a_missing_config_map_for_a_variable_keeps_the_container_from_being_made() {
    let container = r#"{"name":"c","image":"nginx","env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cfg","key":"a"}}}]}"#;
    let mut bench = check(
        &pod("web", container, ""),
        5.0,
        &[
            "Pending",
            "Pending c=ContainerCreating I",
            "Pending c=ContainerCreating SI",
            "Pending c=CreateContainerConfigError SI",
        ],
    );
    assert!(
        bench.events("web").contains(&"Failed Error: configmap \"cfg\" not found x2".to_string())
    );
    bench.put(r#"{"kind":"ConfigMap","metadata":{"name":"cfg"},"data":{"a":"1"}}"#);
    bench.run(20.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
}

#[test]
fn a_path_that_leads_out_of_its_volume_keeps_the_container_from_being_made() {
    for (value, why) in [
        ("/tmp", "error SubPath `/tmp` must not be an absolute path"),
        ("..", "unable to provision SubPath `..`: must not contain '..'"),
    ] {
        let container = format!(
            r#"{{"name":"c","image":"nginx","env":[{{"name":"A","value":"{value}"}}],
                "volumeMounts":[{{"name":"v","mountPath":"/v","subPathExpr":"$(A)"}}]}}"#
        );
        let bench = check(
            &pod("web", &container, r#","volumes":[{"name":"v","emptyDir":{}}]"#),
            5.0,
            &[
                "Pending",
                "Pending c=ContainerCreating I",
                "Pending c=ContainerCreating SI",
                "Pending c=CreateContainerConfigError SI",
            ],
        );
        let events = bench.events("web");
        assert!(
            events.iter().any(|event| event.contains(&format!("Failed Error: {why}"))),
            "{events:?}"
        );
    }
}

#[test]
fn a_missing_config_map_for_a_volume_keeps_the_pod_waiting() {
    let container =
        r#"{"name":"c","image":"nginx","volumeMounts":[{"name":"v","mountPath":"/etc/c"}]}"#;
    let more = r#","volumes":[{"name":"v","configMap":{"name":"cfg"}}]"#;
    let mut bench =
        check(&pod("web", container, more), 5.0, &["Pending", "Pending c=ContainerCreating I"]);
    let text =
        "FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"cfg\" not found x4";
    assert_eq!(bench.events("web"), [text]);
    bench.put(r#"{"kind":"ConfigMap","metadata":{"name":"cfg"},"data":{"a":"1"}}"#);
    bench.run(10.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
}

#[test]
fn a_process_that_ignores_the_signal_is_killed_after_its_grace() {
    let more = r#","terminationGracePeriodSeconds":5"#;
    let mut bench = Bench::new();
    bench.put(&pod("stuck", &sh("c", "sleep 3600"), more));
    bench.run(5.0);
    bench.delete("stuck", 5);
    bench.run(4.5);
    assert_eq!(bench.story("stuck").last().unwrap(), "Running c+=running SICR ending");
    bench.run(3.0);
    assert_eq!(bench.story("stuck").last().unwrap(), "Failed c=Error:137 I ending");
    assert!(bench.get::<api::core::v1::Pod>("stuck").is_none());
}

#[test]
fn a_trap_ends_a_script_at_the_signal() {
    let script = "trap 'echo bye; exit 0' TERM; while true; do sleep 1; done";
    let mut bench = Bench::new();
    bench.put(&pod("polite", &sh("c", script), ""));
    bench.run(5.0);
    bench.delete("polite", 30);
    bench.run(4.0);
    assert_eq!(bench.story("polite").last().unwrap(), "Succeeded c=Completed:0 I ending");
}

#[test]
fn a_hook_before_the_stop_delays_the_signal() {
    let container =
        r#"{"name":"c","image":"nginx","lifecycle":{"preStop":{"sleep":{"seconds":8}}}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("web", container, ""));
    bench.run(5.0);
    bench.delete("web", 30);
    bench.run(7.5);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR ending");
    bench.run(3.0);
    assert_eq!(bench.story("web").last().unwrap(), "Succeeded c=Completed:0 I ending");
}

#[test]
fn a_pod_whose_time_is_over_fails() {
    let more =
        r#","activeDeadlineSeconds":4,"terminationGracePeriodSeconds":1,"restartPolicy":"Never""#;
    let mut bench = Bench::new();
    bench.put(&pod("late", &sh("c", "sleep 600"), more));
    bench.run(12.0);
    assert_eq!(bench.story("late").last().unwrap(), "Failed (DeadlineExceeded) c=Error:137 I");
    let text = "DeadlineExceeded Pod was active on the node longer than the specified deadline";
    assert!(bench.events("late").contains(&text.to_string()));
}

#[test]
fn a_pod_too_large_for_the_node_is_rejected() {
    let container = r#"{"name":"c","image":"nginx","resources":{"requests":{"cpu":"3"}}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("first", container, ""));
    bench.put(&pod("second", container, ""));
    bench.run(5.0);
    assert_eq!(bench.story("first").last().unwrap(), "Running c+=running SICR");
    assert_eq!(bench.story("second").last().unwrap(), "Failed (OutOfcpu)");
    let message =
        "Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000";
    assert_eq!(bench.pod("second").status.message, format!("Pod was rejected: {message}"));
    assert_eq!(bench.events("second"), [format!("OutOfcpu {message}")]);
}

#[test]
fn a_status_tells_memory_where_anything_is_requested() {
    let container = r#"{"name":"c","image":"nginx","resources":{"requests":{"cpu":"1"}}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("some", container, ""));
    bench.put(&pod("none", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    let told = |name: &str| {
        let status = bench.pod(name).status.container_statuses[0].clone();
        let given = status.resources.map_or_else(Default::default, |given| given.requests);
        given.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>()
    };
    assert_eq!(told("some"), ["cpu=1", "memory=0"]);
    assert_eq!(told("none"), [""; 0]);
}

#[test]
fn a_force_deleted_pod_is_stopped_and_forgotten() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    assert_eq!(bench.kubelet.pods().count(), 1);
    bench.delete("web", 0);
    bench.run(5.0);
    assert_eq!(bench.kubelet.pods().count(), 0);
    assert_eq!(bench.count("DELETE pods/web"), 0);
}

#[test]
fn a_pod_deleted_before_it_starts_fails() {
    let mut bench = Bench::new();
    bench.put(&pod("lost", r#"{"name":"c","image":"nginx:bad"}"#, ""));
    bench.run(5.0);
    bench.delete("lost", 30);
    bench.run(3.0);
    assert_eq!(bench.story("lost").last().unwrap(), "Failed c=ContainerStatusUnknown:137 I ending");
    assert!(bench.get::<api::core::v1::Pod>("lost").is_none());
}

#[test]
fn a_readiness_gate_keeps_a_pod_unready() {
    let more = r#","readinessGates":[{"conditionType":"lb"}]"#;
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, more));
    bench.run(5.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SIC");
    bench.edit::<api::core::v1::Pod>("web", |pod| {
        let gate = api::core::v1::PodCondition {
            type_: "lb".into(),
            status: "True".into(),
            ..Default::default()
        };
        std::sync::Arc::make_mut(&mut pod.status).conditions.push(gate);
    });
    bench.run(3.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
}

/// Gives the only container of a pod other requests and limits, as the API server's resize does.
fn resize(bench: &mut Bench, cpu: i64, memory: i64) {
    bench.edit::<api::core::v1::Pod>("web", |pod| {
        std::sync::Arc::make_mut(&mut pod.metadata).generation += 1;
        let resources = &mut pod.spec.edit().containers[0].resources;
        for list in [&mut resources.requests, &mut resources.limits] {
            list.insert("cpu", api::Quantity::millis(cpu));
            list.insert("memory", api::Quantity::bytes(memory << 20));
        }
    });
}

const RESIZABLE: &str = r#"{"name":"c","image":"nginx",
    "resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"},{"resourceName":"memory","restartPolicy":"RestartContainer"}],
    "resources":{"requests":{"cpu":"700m","memory":"200Mi"},"limits":{"cpu":"700m","memory":"200Mi"}}}"#;

#[test]
fn processors_are_resized_in_place_and_memory_with_a_restart() {
    let mut bench = Bench::new();
    bench.put(&pod("web", RESIZABLE, ""));
    bench.run(5.0);
    let cpu = |bench: &Bench| {
        let status = bench.pod("web").status.clone();
        let given = status.container_statuses[0].resources.clone().unwrap();
        (given.limits.get("cpu").unwrap().to_string(), status.container_statuses[0].restart_count)
    };
    resize(&mut bench, 800, 200);
    bench.run(0.05);
    let progress = |bench: &Bench| {
        bench.pod("web").status.conditions.iter().any(|c| c.type_ == "PodResizeInProgress")
    };
    assert!(progress(&bench));
    bench.run(3.0);
    assert!(!progress(&bench));
    assert_eq!(cpu(&bench), ("800m".to_string(), 0));
    resize(&mut bench, 800, 300);
    bench.run(5.0);
    assert_eq!(cpu(&bench), ("800m".to_string(), 1));
    let events = bench.events("web");
    assert!(
        events.contains(&"Killing Container c resize requires restart".to_string()),
        "{events:#?}"
    );
    assert_eq!(
        events.iter().filter(|e| e.starts_with("ResizeCompleted Pod resize completed: {")).count(),
        2
    );
}

#[test]
fn a_resize_without_room_waits_or_never_happens() {
    let mut bench = Bench::new();
    bench.put(&pod("web", RESIZABLE, ""));
    bench.put(&pod(
        "other",
        r#"{"name":"c","image":"nginx","resources":{"requests":{"cpu":"3"}}}"#,
        "",
    ));
    bench.run(5.0);
    let pending = |bench: &Bench| {
        let status = bench.pod("web").status.clone();
        let found = status.conditions.iter().find(|c| c.type_ == "PodResizePending").cloned();
        found.map(|c| format!("{} {}", c.reason, c.message))
    };
    resize(&mut bench, 9_000, 200);
    bench.run(2.0);
    let text = "Infeasible Node didn't have enough capacity: cpu, requested: 9000, capacity: 4000";
    assert_eq!(pending(&bench).unwrap(), text);
    resize(&mut bench, 2_000, 200);
    bench.run(2.0);
    let text = "Deferred Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000";
    assert_eq!(pending(&bench).unwrap(), text);
    bench.delete("other", 1);
    bench.run(6.0);
    assert_eq!(pending(&bench), None);
    let status = bench.pod("web").status.container_statuses[0].clone();
    assert_eq!(status.allocated_resources.get("cpu").unwrap().to_string(), "2");
}

#[test]
fn a_container_with_another_image_is_started_anew() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx:1.26"}"#, ""));
    bench.run(5.0);
    bench.edit::<api::core::v1::Pod>("web", |pod| {
        std::sync::Arc::make_mut(&mut pod.metadata).generation += 1;
        pod.spec.edit().containers[0].image = "nginx:1.27".into();
    });
    bench.run(5.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+#1=running<Completed:0 SICR");
    assert_eq!(bench.pod("web").status.container_statuses[0].image, "docker.io/library/nginx:1.27");
    let text = "Killing Container c definition changed, will be restarted".to_string();
    assert!(bench.events("web").contains(&text));
}

#[test]
fn a_condition_that_somebody_else_changed_is_put_right() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"nginx","image":"nginx:1.27"}"#, ""));
    bench.run(10.0);
    let well = bench.story("web").last().cloned();
    bench.edit::<Pod>("web", |pod| {
        let conditions = &mut Arc::make_mut(&mut pod.status).conditions;
        let ready = conditions.iter_mut().find(|c| c.type_ == "Ready").expect("it is ready");
        ready.status = base::lit!("False");
    });
    assert_ne!(bench.story("web").last().cloned(), well);
    bench.run(11.0);
    assert_eq!(bench.story("web").last().cloned(), well);
}
