//! Every rule for names, on good and bad values.

use super::*;
use proptest::prelude::*;

/// `expected` lists the start of each complaint.
fn check(rule: fn(&str) -> Complaints, value: &str, expected: &[&str]) {
    let got = rule(value);
    let fits = got.len() == expected.len()
        && got.iter().zip(expected).all(|(got, start)| got.starts_with(start));
    assert!(fits, "{value:?}: {got:?} is not {expected:?}");
}

#[test]
fn labels_and_subdomains() {
    check(dns1123_label, "web-0", &[]);
    check(dns1123_label, "web.0", &["must not contain dots"]);
    check(dns1123_label, "Web", &["a lowercase RFC 1123 label must consist of"]);
    check(dns1123_label, &"a".repeat(64), &["must be no more than 63 characters"]);
    check(dns1123_subdomain, "a.b-c.0", &[]);
    check(dns1123_subdomain, "a..b", &["a lowercase RFC 1123 subdomain must consist of"]);
    check(dns1123_subdomain_with_underscore, "_tcp.a_b.c", &[]);
    check(dns1123_subdomain_with_underscore, "a_", &["a lowercase RFC 1123 subdomain"]);
    check(dns1035_label, "web-0", &[]);
    check(dns1035_label, "0-web", &["a DNS-1035 label must consist of"]);
    check(wildcard_dns1123_subdomain, "*.example.com", &[]);
    check(wildcard_dns1123_subdomain, "example.com", &["a wildcard DNS-1123 subdomain must"]);
}

#[test]
fn label_keys_and_values() {
    check(qualified_name, "app.kubernetes.io/name", &[]);
    check(qualified_name, "name", &[]);
    check(qualified_name, "/name", &["prefix part must be non-empty"]);
    check(qualified_name, "", &["name part must be non-empty", "name part must consist of"]);
    check(qualified_name, "A_b/c", &["prefix part a lowercase RFC 1123 subdomain"]);
    check(qualified_name, "a/b/c", &["a qualified name must consist of"]);
    check(qualified_name, &"n".repeat(64), &["name part must be no more than 63 bytes"]);
    assert!(qualified_name("a/b/c")[0].ends_with("and '/' (e.g. 'example.com/MyName')"));
    check(label_value, "", &[]);
    check(label_value, "v1.2_3", &[]);
    check(label_value, "v1-", &["a valid label must be an empty string or"]);
    check(label_value, &"v".repeat(64), &["must be no more than 63 bytes"]);
}

#[test]
fn keys_variables_and_ports() {
    check(config_map_key, "a.b", &[]);
    check(config_map_key, "..", &["must not be '..'"]);
    check(config_map_key, "..a", &["must not start with '..'"]);
    check(config_map_key, "a b", &["a valid config key must consist of"]);
    check(env_var_name, "MY.VAR-1", &[]);
    check(env_var_name, "a=b", &["a valid environment variable name must consist only of"]);
    check(env_var_name, "é", &["a valid environment variable name must consist only of"]);
    check(c_identifier, "_a1", &[]);
    check(c_identifier, "1a", &["a valid C identifier must start with"]);
    check(port_name, "http-2", &[]);
    check(port_name, "8080", &["must contain at least one letter"]);
    check(port_name, "a--b-", &["must not contain consecutive", "must not begin or end"]);
    check(port_name, "sixteen-letters-", &["must be no more than 15", "must not begin or end"]);
    check(percent, "25%", &[]);
    check(percent, "25", &["a valid percent string must be"]);
    check(http_header_name, "X-A", &[]);
    check(http_header_name, "X_A", &["a valid HTTP header must consist of"]);
    check(|v| port_number(v.parse().unwrap()), "0", &["must be between 1 and 65535, inclusive"]);
    check(|v| path_segment(v, false), "..", &["may not be '..'"]);
    check(|v| path_segment(v, false), "a/b%", &["may not contain '/'", "may not contain '%'"]);
}

#[test]
fn messages_give_examples_and_the_expression() {
    assert_eq!(
        regex_error("must be x", "x+", &["x", "xx"]),
        "must be x (e.g. 'x',  or 'xx', regex used for validation is 'x+')"
    );
    assert_eq!(
        regex_error("must be x", "x+", &[]),
        "must be x (regex used for validation is 'x+')"
    );
}

#[test]
fn addresses_and_blocks() {
    check(ip, "10.0.0.1", &[]);
    check(ip, "010.0.0.001", &[]);
    check(ip, "fd00::1", &[]);
    check(ip, "::ffff:10.0.0.1", &[]);
    for bad in ["", "10.0.0", "10.0.0.256", "10.0.0.1.2", "fe80::1%eth0", "1.2.3.4/8", "::1::"] {
        check(ip, bad, &["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);
    }
    check(cidr, "10.0.0.0/8", &[]);
    check(cidr, "fd00::/64", &[]);
    for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "fd00::/129"] {
        check(cidr, bad, &["must be a valid CIDR value"]);
    }
    let block = parse_cidr("10.1.2.3/16").unwrap();
    assert_eq!(block.network(), parse_ip("10.1.0.0").unwrap());
    assert!(block.contains(parse_ip("10.1.255.255").unwrap()));
    assert!(!block.contains(parse_ip("10.2.0.0").unwrap()));
    assert!(parse_cidr("0.0.0.0/0").unwrap().contains(parse_ip("8.8.8.8").unwrap()));
}

#[test]
fn a_generated_name_may_end_with_a_dash() {
    assert_eq!(mask_trailing_dash("web-"), "wea");
    assert_eq!(mask_trailing_dash("-"), "-");
    assert_eq!(mask_trailing_dash("web"), "web");
}

#[test]
fn paths_below_a_domain() {
    assert!(domain_prefixed_path("acme.io/foo").is_empty());
    assert_eq!(domain_prefixed_path("acme.io")[0].0, "acme.io");
    assert_eq!(domain_prefixed_path("ACME/a b").len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(value in ".{0,80}") {
        for rule in [
            dns1123_label, dns1123_subdomain, dns1123_subdomain_with_underscore, dns1035_label,
            wildcard_dns1123_subdomain, qualified_name, label_value, c_identifier, env_var_name,
            config_map_key, port_name, percent, http_header_name, ip, cidr,
        ] {
            rule(&value);
        }
        mask_trailing_dash(&value);
        domain_prefixed_path(&value);
    }

    #[test]
    fn a_label_is_a_subdomain_and_a_label_value(value in "[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?") {
        for rule in [dns1123_label, dns1123_subdomain, label_value, qualified_name] {
            prop_assert!(rule(&value).is_empty());
        }
    }

    #[test]
    fn addresses_read_as_the_standard_library_reads_them(bits in any::<u128>()) {
        let v6 = std::net::Ipv6Addr::from(bits).to_string();
        prop_assert!(parse_ip(&v6).is_some());
        let v4 = std::net::Ipv4Addr::from(bits as u32);
        prop_assert_eq!(parse_ip(&v4.to_string()), Some(v4.into()));
    }
}
