//! What is refused, and in which words.

use api::wire::Subresource;
use api::{Decode, Json, KINDS, Object};
use base::Instant;

use super::Ctx;
use crate::defaults;

fn object(text: &str) -> Object {
    let json = Json::parse(text.as_bytes()).expect("JSON");
    let kind = json.get("kind").and_then(Json::as_str).expect("a kind");
    let version = json.get("apiVersion").and_then(Json::as_str).unwrap_or("v1");
    let info = KINDS.iter().find(|k| k.kind == kind && k.api_version() == version).expect("known");
    let mut cx = Decode::new();
    let mut object = Object::decode(info, json.clone(), &mut cx);
    assert_eq!(cx.error, None);
    if info.namespaced {
        object.edit().meta_mut().namespace = "default".into();
    }
    object.edit().meta_mut().uid = "u".into();
    defaults::apply(&mut object);
    object
}

fn told(errors: &[super::FieldError]) -> String {
    let texts: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
    texts.join("\n")
}

/// Decodes, fills in, and compares what is wrong, one error on a line.
fn check(given: &str, expected: &str) {
    let cx = Ctx { now: Instant(0), subresource: Subresource::None, new_events: false };
    assert_eq!(told(&super::create(&object(given), &cx)), expected);
}

/// The same for a change from one object to another.
fn check_update(old: &str, new: &str, expected: &str) {
    let cx = Ctx { now: Instant(0), subresource: Subresource::None, new_events: false };
    assert_eq!(told(&super::update(&object(new), &object(old), &cx)), expected);
}

fn pod(spec: &str) -> String {
    format!(r#"{{"kind":"Pod","metadata":{{"name":"a"}},"spec":{spec}}}"#)
}

fn container(fields: &str) -> String {
    pod(&format!(r#"{{"containers":[{{"name":"c","image":"i",{fields}}}]}}"#))
}

fn deployment(spec: &str) -> String {
    format!(
        r#"{{"kind":"Deployment","apiVersion":"apps/v1","metadata":{{"name":"a"}},"spec":{{{spec}}}}}"#
    )
}

const TEMPLATE: &str = r#""template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;

#[test]
fn a_plain_pod_is_accepted() {
    check(&pod(r#"{"containers":[{"name":"c","image":"i"}]}"#), "");
}

#[test]
fn a_name_is_asked_for() {
    check(
        r#"{"kind":"ConfigMap","metadata":{}}"#,
        "metadata.name: Required value: name or generateName is required",
    );
}

#[test]
fn a_pod_without_containers_is_refused() {
    check(&pod("{}"), "spec.containers: Required value");
}

#[test]
fn an_empty_container_lacks_its_name_and_its_image() {
    check(
        &pod(r#"{"containers":[{}]}"#),
        "spec.containers[0].name: Required value\nspec.containers[0].image: Required value",
    );
}

#[test]
fn a_mount_needs_a_volume_that_is_well_formed() {
    check(
        &pod(
            r#"{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/a"}]}],"volumes":[{"emptyDir":{}}]}"#,
        ),
        "spec.volumes[0].name: Required value\n\
         spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
    );
}

#[test]
fn requests_stay_below_limits() {
    check(
        &container(r#""resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}"#),
        "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal \
         to cpu limit of 1",
    );
}

#[test]
fn extended_resources_are_whole_and_not_overcommitted() {
    check(
        &container(r#""resources":{"requests":{"x.y/z":"2"},"limits":{"x.y/z":"1500m"}}"#),
        "spec.containers[0].resources.limits[x.y/z]: Invalid value: \"1500m\": must be an integer\n\
         spec.containers[0].resources.requests: Invalid value: \"2\": must be equal to x.y/z limit \
         of 1500m",
    );
}

#[test]
fn a_probe_does_one_thing() {
    check(
        &container(r#""livenessProbe":{}"#),
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
    );
    check(
        &container(r#""livenessProbe":{"exec":{"command":["a"]},"tcpSocket":{"port":1}}"#),
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    );
}

#[test]
fn init_containers_have_no_probes_unless_they_keep_running() {
    let spec = |extra: &str| {
        pod(&format!(
            r#"{{"containers":[{{"name":"c","image":"i"}}],"initContainers":[{{"name":"d","image":"i",{extra}"livenessProbe":{{"exec":{{"command":["a"]}}}}}}]}}"#
        ))
    };
    check(
        &spec(""),
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers \
         without restartPolicy=Always",
    );
    check(&spec(r#""restartPolicy":"Always","#), "");
}

#[test]
fn a_toleration_of_every_key_exists() {
    check(
        &pod(r#"{"containers":[{"name":"c","image":"i"}],"tolerations":[{"operator":"Equal"}]}"#),
        "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` \
         is empty, which means \"match all values and all keys\"",
    );
}

#[test]
fn a_selector_that_is_left_out_differs_from_an_empty_one() {
    check(
        &deployment(TEMPLATE),
        "spec.selector: Required value\n\
         spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
    );
    check(
        &deployment(&format!(r#""selector":{{}},{TEMPLATE}"#)),
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
    );
}

#[test]
fn labels_that_are_left_out_differ_from_empty_ones() {
    let of = |meta: &str| {
        deployment(&format!(
            r#""selector":{{"matchLabels":{{"a":"b"}}}},"template":{{"metadata":{{{meta}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]}}}}"#
        ))
    };
    let text = |labels: &str| {
        format!(
            "spec.template.metadata.labels: Invalid value: {labels}: `selector` does not match \
             template `labels`"
        )
    };
    check(&of(""), &text("null"));
    check(&of(r#""labels":{}"#), &text("{}"));
}

#[test]
fn a_selector_stays_as_it_is() {
    let of = |value: &str| {
        deployment(&format!(
            r#""selector":{{"matchLabels":{{"a":"{value}"}}}},"template":{{"metadata":{{"labels":{{"a":"{value}"}}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]}}}}"#
        ))
    };
    check_update(
        &of("b"),
        &of("x"),
        "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"x\"}}: field is immutable",
    );
}

#[test]
fn the_ports_of_a_service_have_names_of_their_own() {
    let service = |ports: &str| {
        format!(r#"{{"kind":"Service","metadata":{{"name":"a"}},"spec":{{"ports":[{ports}]}}}}"#)
    };
    check(&service(""), "spec.ports: Required value");
    check(
        &service(r#"{"port":80},{"port":81}"#),
        "spec.ports[0].name: Required value\nspec.ports[1].name: Required value",
    );
    check(
        &service(r#"{"name":"a","port":80},{"name":"b","port":80}"#),
        "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\
         \"Port\":80,\"TargetPort\":0,\"NodePort\":0}",
    );
}

#[test]
fn a_frozen_config_map_keeps_its_data() {
    check_update(
        r#"{"kind":"ConfigMap","metadata":{"name":"a"},"immutable":true,"data":{"a":"b"}}"#,
        r#"{"kind":"ConfigMap","metadata":{"name":"a"},"immutable":true,"data":{"a":"c"}}"#,
        "data: Forbidden: field is immutable when `immutable` is set",
    );
}

#[test]
fn a_job_runs_to_an_end() {
    check(
        r#"{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"a"},"spec":{"manualSelector":true,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
    );
}

#[test]
fn a_schedule_has_five_fields_in_range() {
    let cron = |schedule: &str| {
        format!(
            r#"{{"kind":"CronJob","apiVersion":"batch/v1","metadata":{{"name":"a"}},"spec":{{"schedule":"{schedule}","jobTemplate":{{"spec":{{"template":{{"spec":{{"restartPolicy":"Never","containers":[{{"name":"c","image":"i"}}]}}}}}}}}}}}}"#
        )
    };
    check(&cron("*/5 1-4 * jan mon,tue"), "");
    check(&cron("@daily"), "");
    check(
        &cron("x"),
        "spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]",
    );
    check(
        &cron("61 * * * *"),
        "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61",
    );
}

#[test]
fn images_of_a_running_pod_change_and_names_do_not() {
    let with = |image: &str, host: &str| {
        pod(&format!(r#"{{"hostname":"{host}","containers":[{{"name":"c","image":"{image}"}}]}}"#))
    };
    check_update(&with("i:1", "a"), &with("i:2", "a"), "");
    check_update(
        &with("i:1", "a"),
        &with("i:1", "b"),
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
         `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
         additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be \
         set to 1 if it was previously negative)\n  hostname\n",
    );
}

#[test]
fn a_claim_asks_for_storage() {
    check(
        r#"{"kind":"PersistentVolumeClaim","metadata":{"name":"a"},"spec":{"accessModes":["ReadWriteOnce"]}}"#,
        "spec.resources[storage]: Required value",
    );
}

#[test]
fn a_role_of_a_namespace_has_no_urls() {
    check(
        r#"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"a"},"rules":[{"verbs":["get"],"nonResourceURLs":["/a"]}]}"#,
        "rules[0].nonResourceURLs: Invalid value: [\"/a\"]: namespaced rules cannot apply to \
         non-resource URLs",
    );
}

#[test]
fn a_backend_of_an_ingress_has_a_port() {
    check(
        r#"{"kind":"Ingress","apiVersion":"networking.k8s.io/v1","metadata":{"name":"a"},"spec":{"rules":[{"http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"s"}}}]}}]}}"#,
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
    );
}

#[test]
fn an_excepted_range_lies_within_its_block() {
    check(
        r#"{"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1","metadata":{"name":"a"},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]}]}}"#,
        "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a \
         strict subset of `cidr`",
    );
}

#[test]
fn the_schema_of_a_definition_has_types_throughout() {
    check(
        r#"{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"as.b.c"},"spec":{"group":"b.c","scope":"Namespaced","names":{"plural":"as","kind":"A"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{}}}}}]}}"#,
        "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty \
         for specified object fields",
    );
}

#[test]
fn writers_are_warned_of_ports_with_the_same_name() {
    let text = pod(
        r#"{"containers":[{"name":"c","image":"i","ports":[{"name":"a","containerPort":1}]},{"name":"d","image":"i","ports":[{"name":"a","containerPort":2}]}]}"#,
    );
    let warnings = super::warnings(&object(&text), None);
    assert_eq!(
        warnings,
        [
            "spec.containers[1].ports[0]: duplicate port name \"a\" with spec.containers[0].ports[0], \
          services and probes that select ports by name will use spec.containers[0].ports[0]"
        ]
    );
}

#[test]
fn what_storage_and_networks_were_made_with_stays() {
    let check = |kind: &str, old: &str, new: &str, expected: &str| {
        let of = |rest: &str| {
            format!(
                r#"{{"kind":"{kind}","apiVersion":"{}","metadata":{{"name":"10.0.0.1"}},{rest}}}"#,
                version_of(kind)
            )
        };
        check_update(&of(old), &of(new), expected);
    };
    check(
        "IPAddress",
        r#""spec":{"parentRef":{"resource":"services","name":"a","namespace":"n"}}"#,
        r#""spec":{"parentRef":{"resource":"services","name":"b","namespace":"n"}}"#,
        r#"spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"n","Name":"b"}: field is immutable"#,
    );
    check(
        "ServiceCIDR",
        r#""spec":{"cidrs":["10.0.0.0/24"]}"#,
        r#""spec":{"cidrs":["10.0.1.0/24"]}"#,
        r#"spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable"#,
    );
    check(
        "VolumeAttributesClass",
        r#""driverName":"d.example.com","parameters":{"a":"1"}"#,
        r#""driverName":"d.example.com","parameters":{"a":"2"}"#,
        "parameters: Forbidden: updates to parameters are forbidden.",
    );
    let node = |id: &str, count: i32| {
        format!(
            r#""spec":{{"drivers":[{{"name":"d","nodeID":"{id}","topologyKeys":[],"allocatable":{{"count":{count}}}}}]}}"#
        )
    };
    check("CSINode", &node("n", 1), &node("n", 2), "");
    check(
        "CSINode",
        &node("n", 1),
        &node("m", 1),
        r#"CSINodeDriver: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":[],"Allocatable":{"Count":1}}: field is immutable"#,
    );
}

fn version_of(kind: &str) -> String {
    api::KINDS.iter().find(|info| info.kind == kind).expect("a kind").api_version()
}
