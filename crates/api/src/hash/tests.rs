//! The hashes of templates and revisions, on values of our own and one of a real cluster.

use super::*;

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

#[test]
fn hashes_are_those_of_the_standard() {
    assert_eq!((fnv32(b""), fnv32a(b"")), (0x811c_9dc5, 0x811c_9dc5));
    assert_eq!((fnv32(b"foobar"), fnv32a(b"foobar")), (0x31f0_b262, 0xbf9c_f968));
}

#[test]
fn names_avoid_vowels_and_look_alike_digits() {
    assert_eq!(safe_encode("0123456789"), "456789bcdf");
}

/// A defaulted template with one container; a real cluster gave the hash below.
const GUESTBOOK: &str = r#"{"metadata":{"labels":{"app":"guestbook-ui"}},"spec":{"containers":[{
    "name":"guestbook-ui","image":"gcr.io/google-samples/gb-frontend:v5",
    "ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{},
    "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File",
    "imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,
    "dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}}"#;

#[test]
fn a_template_hashes_as_on_a_real_cluster() {
    assert_eq!(pod_template_hash(&json(GUESTBOOK), None), "5d6468fd55");
}

#[test]
fn collisions_and_changes_give_other_hashes() {
    let template = json(GUESTBOOK);
    let mut changed = template.clone();
    changed.entry("spec").set("hostNetwork", true);
    let hashes = [
        pod_template_hash(&template, None),
        pod_template_hash(&template, Some(0)),
        pod_template_hash(&template, Some(1)),
        pod_template_hash(&changed, None),
    ];
    for (i, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..i].contains(hash), "{hashes:?}");
    }
}

#[test]
fn the_dump_names_fields_and_types_as_go_does() {
    let dump = dump::pod_template(&json(
        r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1.5","memory":"1Gi"}},
            "livenessProbe":{"httpGet":{"port":"web"}}}],"volumes":[{"emptyDir":{}}]}}"#,
    ));
    for part in [
        "EmptyDir:(*v1.EmptyDirVolumeSource){Medium:(v1.StorageMedium) SizeLimit:(*resource.Quantity)<nil>}",
        "Limits:(v1.ResourceList)map[cpu:{i:(resource.int64Amount){value:(int64)15 scale:(resource.Scale)-1} ",
        "s:(string)1Gi Format:(resource.Format)BinarySI}]",
        "ProbeHandler:(v1.ProbeHandler){Exec:(*v1.ExecAction)<nil> HTTPGet:(*v1.HTTPGetAction){Path:(string) \
         Port:(intstr.IntOrString){Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)web}",
        "loc:(*time.Location)<nil>",
    ] {
        assert!(dump.contains(part), "{part}\nis not in\n{dump}");
    }
}

#[test]
fn revision_data_puts_the_template_in_place() {
    let data = controller_revision_data(&json(r#"{"spec":{"b":1,"a":2}}"#)).to_string();
    assert_eq!(data, r#"{"spec":{"template":{"$patch":"replace","spec":{"a":2,"b":1}}}}"#);
    assert_ne!(
        controller_revision_hash(data.as_bytes(), Some(0)),
        controller_revision_hash(data.as_bytes(), Some(1))
    );
}
