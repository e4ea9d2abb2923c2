//! What `job` promises, as tests.

use client::Runner;
use client::testing::{Bench, object};

use super::indexes::INDEX;
use super::orphans::JobOrphans;
use super::*;

type World = Bench<Runner>;

fn world(spec: &str) -> World {
    let job: Job = object(&format!(
        r#"{{"metadata": {{"name": "j", "namespace": "d", "uid": "u"}}, "spec": {{"selector": {{"matchLabels":
        {{"job": "j"}}}}, "template": {{"metadata": {{"labels": {{"job": "j"}}}}, "spec":
        {{"containers": [{{"name": "c"}}], "restartPolicy": "Never"}}}}, {spec}}}}}"#
    ));
    let controllers: Vec<Box<dyn Reconcile>> =
        vec![Box::new(Jobs::default()), Box::new(JobOrphans)];
    Bench::new(Runner::new("kcm", controllers), [job.into()])
}

/// Ends running pods in the order of their names: `s` succeeds, `f` fails, a digit is an exit code.
fn play(world: &mut World, script: &str) {
    for sign in script.chars() {
        if sign == ' ' {
            world.run(Duration::mins(11));
            continue;
        }
        let pods = world.api.all::<Pod>();
        let running = pods.iter().find(|pod| pods::is_active(pod)).expect("a pod runs");
        let code = sign.to_digit(10).unwrap_or(if sign == 's' { 0 } else { 1 });
        let status = format!(
            r#"{{"metadata": {{}}, "spec": {{"containers": []}}, "status": {{"phase": "{}", "containerStatuses": [
            {{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {{"terminated":
            {{"exitCode": {code}, "finishedAt": "{}"}}}}}}]}}}}"#,
            if code == 0 { "Succeeded" } else { "Failed" },
            time_of(world.now)
        );
        let (namespace, name) = (running.metadata.namespace.clone(), running.metadata.name.clone());
        world.edit::<Pod>(&namespace, &name, |pod| pod.status = object::<Pod>(&status).status);
        world.run(Duration::secs(3));
    }
}

fn describe(world: &World) -> String {
    let job = world.api.get::<Job>("d", "j").expect("it exists");
    let status = &job.status;
    let conditions: Vec<String> = status
        .conditions
        .iter()
        .map(|c| format!("{}={}:{}", c.type_, c.status, c.reason))
        .collect();
    let indexes = if status.completed_indexes.is_empty() {
        String::new()
    } else {
        format!(" done={}", status.completed_indexes)
    };
    let tracked = world.api.all::<Pod>().iter().filter(|pod| is_tracked(pod)).count();
    assert_eq!(tracked, status.active as usize, "just the active pods are tracked");
    format!(
        "active={} succeeded={} failed={}{indexes} {}",
        status.active,
        status.succeeded,
        status.failed,
        conditions.join(" ")
    )
}

/// Runs a Job through a script and compares its status.
fn check(spec: &str, script: &str, expect: &str) {
    let mut world = world(spec);
    play(&mut world, script);
    assert_eq!(describe(&world).trim_end(), expect, "{spec} after {script}");
}

const DONE: &str = "SuccessCriteriaMet=True:CompletionsReached Complete=True:CompletionsReached";

#[test]
fn pods_run_in_parallel_until_enough_have_succeeded() {
    let spec = r#""completions": 5, "parallelism": 2"#;
    check(spec, "", "active=2 succeeded=0 failed=0");
    check(spec, "s", "active=2 succeeded=1 failed=0");
    check(spec, "ssss", "active=1 succeeded=4 failed=0");
    check(spec, "sssss", &format!("active=0 succeeded=5 failed=0 {DONE}"));
}

#[test]
fn a_failed_pod_is_replaced_after_a_while_until_the_limit() {
    let spec = r#""completions": 1, "parallelism": 1, "backoffLimit": 1"#;
    check(spec, "f", "active=0 succeeded=0 failed=1");
    check(spec, "f ", "active=1 succeeded=0 failed=1");
    check(spec, "f s", &format!("active=0 succeeded=1 failed=1 {DONE}"));
    let failed = "FailureTarget=True:BackoffLimitExceeded Failed=True:BackoffLimitExceeded";
    check(spec, "f f", &format!("active=0 succeeded=0 failed=2 {failed}"));
}

#[test]
fn every_index_succeeds_once() {
    let spec = r#""completions": 4, "parallelism": 2, "completionMode": "Indexed""#;
    check(spec, "s", "active=2 succeeded=1 failed=0 done=0");
    check(spec, "ssss", &format!("active=0 succeeded=4 failed=0 done=0-3 {DONE}"));
    let world = world(spec);
    let pod = &world.api.all::<Pod>()[0];
    assert_eq!(pod.metadata.labels.text(INDEX), Some("0"));
    assert_eq!(pod.spec.hostname, "j-0");
    assert_eq!(pod.spec.containers[0].env[0].name, "JOB_COMPLETION_INDEX");
}

#[test]
fn a_job_ends_at_its_deadline() {
    let mut world = world(r#""completions": 1, "parallelism": 1, "activeDeadlineSeconds": 4"#);
    world.run(Duration::secs(5));
    let failed = "FailureTarget=True:DeadlineExceeded Failed=True:DeadlineExceeded";
    assert_eq!(describe(&world), format!("active=0 succeeded=0 failed=1 {failed}"));
    assert_eq!(
        world.take_events(),
        "Normal SuccessfulCreate: Created pod: j-2; Normal SuccessfulDelete: Deleted pod: j-2; \
         Warning DeadlineExceeded: Job was active longer than specified deadline"
    );
}

#[test]
fn a_suspended_job_rests_until_it_is_resumed() {
    let mut world = world(r#""completions": 1, "parallelism": 1, "suspend": true"#);
    assert_eq!(describe(&world), "active=0 succeeded=0 failed=0 Suspended=True:JobSuspended");
    world.edit::<Job>("d", "j", |job| {
        Arc::make_mut(&mut job.spec).suspend = Some(false);
        Arc::make_mut(&mut job.metadata).generation += 1;
    });
    assert_eq!(describe(&world), "active=1 succeeded=0 failed=0 Suspended=False:JobResumed");
}

#[test]
fn the_failure_policy_may_end_the_job_or_ignore_a_failure() {
    let spec = r#""completions": 1, "parallelism": 1, "backoffLimit": 0, "podFailurePolicy": {"rules": [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [4]}},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [5]}}]}"#;
    let failed = "FailureTarget=True:PodFailurePolicy Failed=True:PodFailurePolicy";
    check(spec, "4", &format!("active=0 succeeded=0 failed=1 {failed}"));
    check(spec, "5 ", "active=1 succeeded=0 failed=0");
}

#[test]
fn an_index_may_fail_alone() {
    let spec = r#""completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 0"#;
    let failed = "FailureTarget=True:FailedIndexes Failed=True:FailedIndexes";
    check(spec, "fs", &format!("active=0 succeeded=1 failed=1 done=1 {failed}"));
}

#[test]
fn an_index_is_tried_again_after_its_own_wait() {
    let spec = r#""completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1"#;
    let mut world = world(spec);
    play(&mut world, "f ");
    let pods = world.api.all::<Pod>();
    let counts = pods
        .iter()
        .filter(|pod| index_of(pod) == Some(0))
        .map(|pod| pod.metadata.annotations.text(policy::INDEX_FAILURES).unwrap_or("-").to_owned());
    assert_eq!(counts.collect::<Vec<_>>(), ["0", "1"]);
    assert_eq!(describe(&world).trim_end(), "active=2 succeeded=0 failed=1");
}

#[test]
fn the_success_policy_ends_the_job_early() {
    let spec = r#""completions": 3, "parallelism": 3, "completionMode": "Indexed", "successPolicy":
        {"rules": [{"succeededIndexes": "0"}]}"#;
    let done = "SuccessCriteriaMet=True:SuccessPolicy Complete=True:SuccessPolicy";
    check(spec, "s", &format!("active=0 succeeded=1 failed=0 done=0 {done}"));
}

#[test]
fn the_end_is_written_down_in_the_order_that_a_real_cluster_shows() {
    let mut world = world(r#""completions": 1, "parallelism": 1"#);
    assert_eq!(world.take_log(), "+Pod j-; ~Job/status j");
    play(&mut world, "s");
    assert_eq!(world.take_log(), "~Job/status j; ~Pod j-2; ~Job/status j");
    assert_eq!(
        world.take_events(),
        "Normal SuccessfulCreate: Created pod: j-2; Normal Completed: Job completed"
    );
}

#[test]
fn pods_that_a_smaller_job_gives_up_do_not_count_as_failed() {
    let mut world = world(r#""completions": 5, "parallelism": 3"#);
    world.edit::<Job>("d", "j", |job| {
        Arc::make_mut(&mut job.spec).parallelism = Some(1);
        Arc::make_mut(&mut job.metadata).generation += 1;
    });
    world.run(Duration::secs(2));
    assert_eq!(describe(&world).trim_end(), "active=1 succeeded=0 failed=0");
}

#[test]
fn pods_of_a_job_that_is_gone_are_freed() {
    let mut world = world(r#""completions": 1, "parallelism": 1"#);
    world.remove::<Job>("d", "j");
    assert!(world.api.all::<Pod>().iter().all(|pod| !is_tracked(pod)));
}

#[test]
fn a_matching_orphan_is_adopted_and_tracked() {
    let mut world = world(r#""completions": 1, "parallelism": 1"#);
    let orphan: Pod = object(
        r#"{"metadata": {"name": "a", "namespace": "d", "labels": {"job": "j"}}, "spec": {"containers": []},
        "status": {"phase": "Succeeded"}}"#,
    );
    world.put(orphan);
    world.run(Duration::secs(3));
    let adopted = world.api.get::<Pod>("d", "a").expect("it is there");
    assert_eq!(adopted.metadata.owner_references.len(), 1);
    let job = world.api.get::<Job>("d", "j").expect("it is there");
    assert_eq!(job.status.succeeded, 1);
}

#[test]
fn containers_that_restart_too_often_end_the_job() {
    let mut world = world(r#""completions": 1, "parallelism": 1, "backoffLimit": 2"#);
    let restarted = r#"{"metadata": {}, "spec": {"containers": []}, "status": {"phase": "Running",
        "containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 2}]}}"#;
    world.edit::<Job>("d", "j", |job| {
        Arc::make_mut(&mut job.spec).template.spec.restart_policy = "OnFailure".into();
    });
    world.edit::<Pod>("d", "j-2", |pod| pod.status = object::<Pod>(restarted).status);
    world.run(Duration::secs(3));
    let failed = "FailureTarget=True:BackoffLimitExceeded Failed=True:BackoffLimitExceeded";
    assert_eq!(describe(&world), format!("active=0 succeeded=0 failed=1 {failed}"));
}

/// Begins to delete a running pod of a Job with this policy; how many pods are there then.
fn check_replacement(policy: &str, expect: usize) {
    let spec = format!(r#""completions": 1, "parallelism": 1, "podReplacementPolicy": "{policy}""#);
    let mut world = world(&spec);
    world.edit::<Pod>("d", "j-2", |pod| {
        pod.spec.node_name = "n".into();
        Arc::make_mut(&mut pod.metadata).deletion_timestamp = Some(time_of(base::Instant::START));
    });
    world.run(Duration::mins(1));
    assert_eq!(world.api.all::<Pod>().len(), expect, "{policy}");
}

#[test]
fn a_pod_that_is_going_is_replaced_at_once_or_when_it_has_ended() {
    check_replacement("TerminatingOrFailed", 2);
    check_replacement("Failed", 1);
}

#[test]
fn a_job_of_another_manager_is_left_alone() {
    let mut world =
        world(r#""completions": 1, "parallelism": 1, "managedBy": "example.com/queue""#);
    assert_eq!(world.take_log(), "");
}

#[test]
fn a_job_that_is_suspended_gives_up_its_pods() {
    let mut world = world(r#""completions": 3, "parallelism": 3"#);
    world.take_events();
    world.edit::<Job>("d", "j", |job| {
        Arc::make_mut(&mut job.spec).suspend = Some(true);
        Arc::make_mut(&mut job.metadata).generation += 1;
    });
    world.run(Duration::secs(3));
    assert_eq!(describe(&world), "active=0 succeeded=0 failed=0 Suspended=True:JobSuspended");
    let events = world.take_events();
    assert_eq!(events.matches("SuccessfulDelete: Deleted pod: j-").count(), 3, "{events}");
    assert!(events.contains("Normal Suspended: Job suspended"), "{events}");
}

#[test]
fn too_many_failed_indexes_end_the_job() {
    let spec = r#""completions": 4, "parallelism": 4, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
        "maxFailedIndexes": 1"#;
    let reason = "MaxFailedIndexesExceeded";
    let failed = format!("FailureTarget=True:{reason} Failed=True:{reason}");
    check(spec, "ff", &format!("active=0 succeeded=0 failed=4 {failed}"));
}

#[test]
fn the_success_policy_may_count() {
    let spec = r#""completions": 3, "parallelism": 3, "completionMode": "Indexed", "successPolicy":
        {"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]}"#;
    let done = "SuccessCriteriaMet=True:SuccessPolicy Complete=True:SuccessPolicy";
    check(spec, "s", "active=2 succeeded=1 failed=0 done=0");
    check(spec, "ss", &format!("active=0 succeeded=2 failed=0 done=0,1 {done}"));
}

/// Runs a Job of one try whose failure policy has this rule through a script.
fn check_rule(rule: &str, script: &str, expect: &str) {
    let policy = format!(r#""podFailurePolicy": {{"rules": [{rule}]}}"#);
    let spec = format!(r#""completions": 1, "parallelism": 1, "backoffLimit": 0, {policy}"#);
    check(&spec, script, expect);
}

const BY_POLICY: &str = "active=0 succeeded=0 failed=1 FailureTarget=True:PodFailurePolicy \
                         Failed=True:PodFailurePolicy";
const BY_LIMIT: &str = "active=0 succeeded=0 failed=1 FailureTarget=True:BackoffLimitExceeded \
                        Failed=True:BackoffLimitExceeded";

#[test]
fn a_rule_may_be_for_all_exit_codes_but_some() {
    let rule = r#"{"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [4, 5]}}"#;
    check_rule(rule, "3", BY_POLICY);
    check_rule(rule, "4", BY_LIMIT);
}

#[test]
fn a_rule_may_be_for_one_container() {
    let rule = |name: &str| {
        format!(
            r#"{{"action": "FailJob", "onExitCodes": {{"containerName": "{name}", "operator": "In", "values": [4]}}}}"#
        )
    };
    check_rule(&rule("c"), "4", BY_POLICY);
    check_rule(&rule("other"), "4", BY_LIMIT);
}

#[test]
fn a_rule_that_counts_comes_before_those_after_it() {
    let count = r#"{"action": "Count", "onExitCodes": {"operator": "In", "values": [4]}}"#;
    let ignore = r#"{"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [9]}}"#;
    check_rule(&format!("{count}, {ignore}"), "4", BY_LIMIT);
    check_rule(&format!("{ignore}, {count}"), "4 ", "active=1 succeeded=0 failed=0");
}

#[test]
fn a_rule_may_fail_an_index_though_it_had_tries_left() {
    let spec = r#""completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 5,
        "podFailurePolicy": {"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [4]}}]}"#;
    let failed = "FailureTarget=True:FailedIndexes Failed=True:FailedIndexes";
    check(spec, "4s", &format!("active=0 succeeded=1 failed=1 done=1 {failed}"));
    let mut world = world(spec);
    play(&mut world, "4");
    let job = world.api.get::<Job>("d", "j").expect("it exists");
    assert_eq!(job.status.failed_indexes.as_deref(), Some("0"));
    play(&mut world, " s");
    assert!(!describe(&world).contains("Complete"), "{}", describe(&world));
}

#[test]
fn a_rule_may_be_for_a_condition_of_the_pod() {
    let failed = |status: &str| {
        let mut world = world(
            r#""completions": 1, "parallelism": 1, "backoffLimit": 0, "podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}"#,
        );
        let ended = format!(
            r#"{{"metadata": {{}}, "spec": {{"containers": []}}, "status": {{"phase": "Failed", "conditions": [
            {{"type": "DisruptionTarget", "status": "{status}"}}]}}}}"#
        );
        world.edit::<Pod>("d", "j-2", |pod| pod.status = object::<Pod>(&ended).status);
        world.run(Duration::mins(11));
        describe(&world).trim_end().to_owned()
    };
    assert_eq!(failed("True"), "active=1 succeeded=0 failed=0");
    assert_eq!(failed("False"), BY_LIMIT);
}
