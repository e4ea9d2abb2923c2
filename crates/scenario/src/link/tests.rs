//! What `link` promises, as tests.

use super::*;
use crate::file::Addon;
use base::lit;
use proptest::prelude::*;

fn bare(manifests: &str) -> Share {
    Share {
        origin: Origin::Bare {
            cluster: ClusterSpec::default(),
            seed: 7,
            manifests: Str::from(manifests),
        },
        log: Str::new(),
        moment: None,
        view: None,
        step: None,
        trace: None,
    }
}

fn group() -> cluster::NodeGroup {
    let text = br#"{"name": "big", "type": "m5.8xlarge", "max": 2, "labels": {"disk": "ssd"}}"#;
    let given = api::Json::parse(text).expect("it is JSON");
    cluster::NodeGroup::from_json(&given, cluster::Provider::Aws).expect("it is a group")
}

const WEB: &str = include_str!("../../lessons/self-heal.yaml");

fn check_round_trip(share: Share) -> usize {
    let link = share.to_fragment();
    assert_eq!(parse_fragment(&link), Ok(Fragment::Share(Box::new(share.clone()))), "{link}");
    assert_eq!(parse_fragment(&link[1..]), Ok(Fragment::Share(Box::new(share))));
    link.len()
}

#[test]
fn what_goes_in_comes_out() {
    check_round_trip(bare(""));
    check_round_trip(bare("a:  1 # kept\r\n\n---\n\tb"));
    check_round_trip(Share {
        origin: Origin::Bare {
            cluster: ClusterSpec {
                nodes: 5_000,
                addons: vec![],
                cpu_milli: Some(2_500),
                memory: Some(1 << 34),
                pods: Some(30),
                zones: vec![lit!("a"), lit!("b")],
                scheduler: api::Json::parse(br#"{"podMaxBackoffSeconds":5}"#).ok(),
                provider: cluster::Provider::Aws,
                autoscale: Some((1, 9)),
                groups: vec![group()],
                control_plane_replicas: 2,
            },
            seed: u64::MAX,
            manifests: lit!("x"),
        },
        log: lit!("1500000 terminal \"kubectl get pods\"\n"),
        moment: Some(Duration::secs(90)),
        view: Some(ViewSpec { diagram: lit!("pod"), focus: Some(lit!("pod/web")) }),
        step: Some(2),
        trace: Some(u64::MAX),
    });
    check_round_trip(Share { origin: Origin::Lesson(lit!("self-heal")), ..bare("") });
    check_round_trip(Share { origin: Origin::File(Str::from(WEB)), ..bare("") });
}

#[test]
fn a_start_can_be_written_as_a_file() {
    let manifests = Str::from("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n# kept: |\n");
    let cluster = ClusterSpec {
        nodes: 12,
        addons: vec![],
        cpu_milli: Some(2_500),
        memory: Some(1 << 34),
        pods: Some(30),
        zones: vec![lit!("a"), lit!("b")],
        scheduler: api::Json::parse(br#"{"podMaxBackoffSeconds":5}"#).ok(),
        provider: cluster::Provider::Aws,
        autoscale: Some((1, 9)),
        groups: vec![group()],
        control_plane_replicas: 3,
    };
    for cluster in [ClusterSpec::default(), cluster] {
        let origin =
            Origin::Bare { cluster: cluster.clone(), seed: 7, manifests: manifests.clone() };
        let file =
            Scenario::parse(&origin.file()).unwrap_or_else(|e| panic!("{e}\n{}", origin.file()));
        assert_eq!((file.cluster, file.seed, file.manifests), (cluster, 7, manifests.clone()));
    }
    assert_eq!(Origin::Lesson(lit!("self-heal")).file(), WEB);
}

#[test]
fn a_deployment_and_a_command_make_a_short_link() {
    let start = WEB.find("  apiVersion").unwrap();
    let end = WEB.find("view:").unwrap();
    let manifests = WEB[start..end].replace("\n  ", "\n");
    let mut share = bare(manifests.trim_start());
    share.log = lit!("12345678 terminal \"kubectl delete pod -l app=web --wait=false\"\n");
    share.moment = Some(Duration::secs(20));
    share.view = Some(ViewSpec { diagram: lit!("deployment"), focus: None });
    let chars = check_round_trip(share);
    assert_eq!(Meter::of(chars), Meter::Green, "{chars} characters");
}

#[test]
fn lengths_have_colours() {
    let expected = [
        (300, Meter::Green),
        (301, Meter::Amber),
        (1_900, Meter::Amber),
        (8_000, Meter::Red),
        (8_001, Meter::Long),
        (30_000, Meter::Long),
        (30_001, Meter::File),
    ];
    for (chars, meter) in expected {
        assert_eq!(Meter::of(chars), meter, "{chars}");
    }
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(parse_fragment(text).unwrap_err().to_string(), expected, "{text:?}");
}

#[test]
fn a_cut_link_says_how_much_arrived() {
    let link = bare("kind: Pod\n").to_fragment();
    let body = &link[1..];
    for arrived in [body.len() - 1, body.len() - 7, body.len() / 2, 5] {
        let text = &body[..arrived];
        let error = parse_fragment(text).unwrap_err();
        let LinkError::Cut { arrived: told, expected } = error else { panic!("{text}: {error}") };
        assert!(told <= arrived && expected == body.len(), "{text}: {told} of {expected}");
    }
    check_error(&link[..20], &format!("the link was cut: 19 of {} characters arrived", body.len()));
}

#[test]
fn characters_behind_a_link_do_no_harm() {
    let link = bare("kind: Pod\n").to_fragment();
    for tail in [".", ")", ">,", " ", "\"!"] {
        assert!(parse_fragment(&format!("{link}{tail}")).is_ok(), "{tail}");
    }
}

#[test]
fn any_changed_character_is_noticed() {
    let link = bare("kind: Pod\nmetadata: {name: x}\n").to_fragment();
    for at in 1..link.len() {
        let old = link.as_bytes()[at];
        for new in [b'A', b'5', b'_', b'.', b'z'] {
            if new == old {
                continue;
            }
            let mut bytes = link.clone().into_bytes();
            bytes[at] = new;
            let text = String::from_utf8(bytes).unwrap();
            assert!(parse_fragment(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn other_texts_are_refused_with_a_reason() {
    check_error("#hello", "this is no link of Orrery");
    check_error("#1", "this is no link of Orrery");
    check_error("#1x.abc", "this is no link of Orrery");
    check_error(
        "#9340.abc",
        "the link has version '9', which this page does not know; reload the page",
    );
    check_error(
        &"1".repeat(LINK_CHARS_MAX + 1),
        "the link is refused: it is longer than 200000 characters",
    );
    check_error("#14.AAAA.AAAAAA", "the link was damaged on its way: its checksum does not fit");
    assert_eq!(parse_fragment(""), Ok(Fragment::Nothing));
    assert_eq!(parse_fragment("#"), Ok(Fragment::Nothing));
}

/// A link whose frame is right, around any payload.
fn framed(payload: &[u8]) -> String {
    let payload = URL_SAFE_NO_PAD.encode(squeeze::pack(payload));
    let body = format!("1{}.{payload}", payload.len());
    format!("{body}.{}", checksum(&body))
}

#[test]
fn hostile_payloads_are_refused() {
    check_error(&framed(b""), "the link is refused: it does not say where to start");
    check_error(&framed(&[4, 200]), "the link is refused: a number does not end");
    check_error(&framed(&[4, 9, b'x']), "the link is refused: a text does not end");
    check_error(&framed(&[3, 1, 4, 1, 0xff]), "the link is refused: a text is no text");
    check_error(
        &framed(&[3, 1, 4, 0, 5, 0xff, 0xff, 3]),
        "the link is refused: 65535 is more than 5000",
    );
    check_error(&framed(&[3, 1, 3, 1]), "the link is refused: its fields are out of order");
    check_error(&framed(&[77]), "the link is refused: it has a field that this page does not know");
    check_error(&framed(&[1, 2, b'.', b'.']), "the link is refused: its lesson has no proper name");
    let mut big = vec![3, 1, 4];
    big.extend_from_slice(&[0x80, 0x80, 0x80, 0x01]);
    big.resize(4_000_000, b'x');
    check_error(&framed(&big), "the link is refused: it unpacks to too much");
}

#[test]
fn lessons_have_a_short_form() {
    let lesson = |name: &'static str, step| Ok(Fragment::Lesson { name: name.into(), step });
    assert_eq!(parse_fragment("#lesson/self-heal/2"), lesson("self-heal", 2));
    assert_eq!(parse_fragment("lesson/self-heal"), lesson("self-heal", 1));
    assert_eq!(parse_fragment("#lesson/self-heal/"), lesson("self-heal", 1));
    check_error("#lesson/self-heal/99", "the link is refused: self-heal has steps 1 to 3");
    check_error("#lesson/self-heal/x", "the link is refused: self-heal has steps 1 to 3");
    check_error("#lesson/selfheal/1", "there is no lesson \"selfheal\"; did you mean self-heal?");
    check_error("#lesson/quantum", "there is no lesson \"quantum\"");
}

#[test]
fn a_link_leads_to_a_scenario() {
    let scenario = |origin| Share { origin, ..bare("") }.scenario();
    assert_eq!(scenario(Origin::Lesson(lit!("self-heal"))).unwrap().seed, 7);
    assert_eq!(scenario(Origin::File(Str::from(WEB))).unwrap().steps.len(), 3);
    assert_eq!(bare("a: 1\n").scenario().unwrap().manifests, "a: 1\n");
    let wrong = scenario(Origin::File(lit!("kind: x\n"))).unwrap_err().to_string();
    assert!(wrong.starts_with("the scenario in the link is wrong: 1:1: "), "{wrong}");
}

fn any_share() -> impl Strategy<Value = Share> {
    let text = || "[ -~é\n]{0,80}".prop_map(Str::from);
    let cluster = (
        0..5_000u32,
        any::<bool>(),
        prop::option::of(0..1i64 << 40),
        prop::collection::vec(text(), 0..3),
        1..=7u32,
    )
        .prop_map(|(nodes, dns, size, zones, control_plane_replicas)| ClusterSpec {
            nodes,
            addons: if dns { vec![Addon::Dns] } else { vec![] },
            cpu_milli: size,
            memory: size.map(|n| n / 2),
            pods: size.map(|n| n % 10_000),
            zones,
            control_plane_replicas,
            ..ClusterSpec::default()
        });
    let origin = prop_oneof![
        "[a-z0-9-]{1,20}".prop_map(|name| Origin::Lesson(Str::from(name))),
        text().prop_map(Origin::File),
        (cluster, any::<u64>(), text()).prop_map(|(cluster, seed, manifests)| Origin::Bare {
            cluster,
            seed,
            manifests
        }),
    ];
    let view =
        (text(), prop::option::of(text())).prop_map(|(diagram, focus)| ViewSpec { diagram, focus });
    let moment = prop::option::of((0..1i64 << 40).prop_map(Duration));
    let step = prop::option::of(0..1_000u32);
    (origin, text(), moment, prop::option::of(view), step, prop::option::of(any::<u64>())).prop_map(
        |(origin, log, moment, view, step, trace)| Share { origin, log, moment, view, step, trace },
    )
}

proptest! {
    #[test]
    fn every_share_survives_its_link(share in any_share()) {
        check_round_trip(share);
    }

    #[test]
    fn no_payload_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse_fragment(&framed(&bytes));
        let raw = URL_SAFE_NO_PAD.encode(&bytes);
        let body = format!("1{}.{raw}", raw.len());
        let _ = parse_fragment(&format!("{body}.{}", checksum(&body)));
    }

    #[test]
    fn no_text_makes_it_panic(text in "#?(1|lesson/)?[0-9]{0,7}[.A-Za-z0-9é_/-]{0,60}") {
        let _ = parse_fragment(&text);
    }
}
