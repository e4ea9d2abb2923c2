//! Names and values that the API checks by shape, with the messages of upstream's validation.
//!
//! Every check returns the complaints; an empty list means the value is fine.
//!
//! Known deviations: none.

mod ip;

pub use ip::{Cidr, cidr, ip, ip_version_v4, ip_version_v6, parse_cidr, parse_ip};

/// What is wrong with a value, in upstream's words.
pub type Complaints = Vec<String>;

/// The longest DNS label, label value and name part of a label key.
pub const LABEL_LEN_MAX: usize = 63;

/// The longest DNS subdomain.
pub const SUBDOMAIN_LEN_MAX: usize = 253;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// `MESSAGE (e.g. 'A',  or 'B', regex used for validation is 'REGEX')`.
pub fn regex_error(message: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{regex}')");
    }
    let quoted: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{regex}')", quoted.join(" or "))
}

/// The complaint of a value outside an inclusive range.
pub fn range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// The complaint of a text longer than `max` characters.
pub fn max_len_error(max: usize) -> String {
    format!("must be no more than {max} characters")
}

fn max_bytes_error(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// Whether `text` begins and ends with `edge` characters and holds only `inner` ones. False when empty.
fn shaped(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => edge(*only),
        [first, middle @ .., last] => {
            edge(*first) && edge(*last) && middle.iter().all(|b| inner(*b))
        }
    }
}

fn lower_alnum(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn lower_alnum_dash(b: u8) -> bool {
    lower_alnum(b) || b == b'-'
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn name_inner(b: u8) -> bool {
    alnum(b) || matches!(b, b'-' | b'_' | b'.')
}

fn is_label(text: &str) -> bool {
    shaped(text, lower_alnum, lower_alnum_dash)
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// A DNS label (RFC 1123): the names of namespaces, containers, volumes.
pub fn dns1123_label(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > LABEL_LEN_MAX {
        complaints.push(max_len_error(LABEL_LEN_MAX));
    }
    if is_label(value) {
        return complaints;
    }
    complaints.push(if is_subdomain(value) {
        "must not contain dots".into()
    } else {
        regex_error(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \
             '-', and must start and end with an alphanumeric character",
            LABEL,
            &["my-name", "123-abc"],
        )
    });
    complaints
}

fn subdomain_shape(value: &str) -> Option<String> {
    (!is_subdomain(value)).then(|| {
        regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        )
    })
}

/// A DNS subdomain (RFC 1123): the names of most objects.
pub fn dns1123_subdomain(value: &str) -> Complaints {
    let too_long = value.len() > SUBDOMAIN_LEN_MAX;
    let length = too_long.then(|| max_len_error(SUBDOMAIN_LEN_MAX));
    length.into_iter().chain(subdomain_shape(value)).collect()
}

/// A DNS subdomain that may hold underscores: DNS search paths.
pub fn dns1123_subdomain_with_underscore(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > SUBDOMAIN_LEN_MAX {
        complaints.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    let fits = value.split('.').all(|label| {
        let label = label.strip_prefix('_').unwrap_or(label);
        shaped(label, lower_alnum, |b| lower_alnum_dash(b) || b == b'_')
    });
    if !fits {
        complaints.push(regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '_', '-' or '.', and must start and end with an alphanumeric character",
            r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
            &["example.com"],
        ));
    }
    complaints
}

/// A DNS label (RFC 1035), which begins with a letter: the names of services.
pub fn dns1035_label(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > LABEL_LEN_MAX {
        complaints.push(max_len_error(LABEL_LEN_MAX));
    }
    if !is_label(value) || !value.starts_with(|c: char| c.is_ascii_lowercase()) {
        complaints.push(regex_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
             with an alphabetic character, and end with an alphanumeric character",
            "[a-z]([-a-z0-9]*[a-z0-9])?",
            &["my-name", "abc-123"],
        ));
    }
    complaints
}

/// A DNS subdomain below one wildcard: hosts of ingresses.
pub fn wildcard_dns1123_subdomain(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > SUBDOMAIN_LEN_MAX {
        complaints.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        complaints.push(regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
             subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and \
             end with an alphanumeric character",
            r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
            &["*.example.com"],
        ));
    }
    complaints
}

/// A qualified name: the keys of labels and annotations, resource names.
pub fn qualified_name(value: &str) -> Complaints {
    let name_shape = |message| regex_error(message, QUALIFIED, &["MyName", "my.name", "123-abc"]);
    let mut complaints = Vec::new();
    let mut parts = value.split('/');
    let (first, second) = (parts.next().unwrap_or(""), parts.next());
    if parts.next().is_some() {
        let shape = name_shape(
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
        );
        let prefix = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        return vec![shape + prefix];
    }
    let name = second.unwrap_or(first);
    if second.is_some() {
        if first.is_empty() {
            complaints.push("prefix part must be non-empty".into());
        } else {
            if first.len() > SUBDOMAIN_LEN_MAX {
                complaints.push(format!("prefix part {}", max_bytes_error(SUBDOMAIN_LEN_MAX)));
            }
            complaints.extend(subdomain_shape(first).map(|c| format!("prefix part {c}")));
        }
    }
    if name.is_empty() {
        complaints.push("name part must be non-empty".into());
    } else if name.len() > LABEL_LEN_MAX {
        complaints.push(format!("name part {}", max_bytes_error(LABEL_LEN_MAX)));
    }
    if !shaped(name, alnum, name_inner) {
        complaints.push(name_shape(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
             and end with an alphanumeric character",
        ));
    }
    complaints
}

/// The value of a label.
pub fn label_value(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > LABEL_LEN_MAX {
        complaints.push(max_bytes_error(LABEL_LEN_MAX));
    }
    if !value.is_empty() && !shaped(value, alnum, name_inner) {
        complaints.push(regex_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', \
             '_' or '.', and must start and end with an alphanumeric character",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
            &["MyValue", "my_value", "12345"],
        ));
    }
    complaints
}

/// An identifier of the C language.
pub fn c_identifier(value: &str) -> Complaints {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if value.starts_with(|c| word(c) && !c.is_ascii_digit()) && value.chars().all(word) {
        return Vec::new();
    }
    vec![regex_error(
        "a valid C identifier must start with alphabetic character or '_', followed by a string \
         of alphanumeric characters or '_'",
        "[A-Za-z_][A-Za-z0-9_]*",
        &["my_name", "MY_NAME", "MyName"],
    )]
}

/// The name of an environment variable.
pub fn env_var_name(value: &str) -> Complaints {
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".into()];
    }
    if value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=') {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other \
         than '='"
            .into(),
    ]
}

/// The key of a ConfigMap or Secret.
pub fn config_map_key(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > SUBDOMAIN_LEN_MAX {
        complaints.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    if value.is_empty() || !value.bytes().all(name_inner) {
        complaints.push(regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match value {
        "." => complaints.push("must not be '.'".into()),
        ".." => complaints.push("must not be '..'".into()),
        _ if value.starts_with("..") => complaints.push("must not start with '..'".into()),
        _ => {}
    }
    complaints
}

/// The name of a port (an IANA service name).
pub fn port_name(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > 15 {
        complaints.push(max_len_error(15));
    }
    if value.is_empty() || !value.bytes().all(lower_alnum_dash) {
        complaints
            .push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        complaints.push("must contain at least one letter (a-z)".into());
    }
    if value.contains("--") {
        complaints.push("must not contain consecutive hyphens".into());
    }
    if value.starts_with('-') || value.ends_with('-') {
        complaints.push("must not begin or end with a hyphen".into());
    }
    complaints
}

/// The number of a port.
pub fn port_number(port: i64) -> Complaints {
    in_range(port, 1, 65_535)
}

/// The number of a user or a group.
pub fn user_id(id: i64) -> Complaints {
    in_range(id, 0, 0xffff_ffff)
}

/// A number in an inclusive range.
pub fn in_range(value: i64, low: i64, high: i64) -> Complaints {
    if (low..=high).contains(&value) { Vec::new() } else { vec![range_error(low, high)] }
}

/// A percentage such as `25%`.
pub fn percent(value: &str) -> Complaints {
    let number = value.strip_suffix('%').unwrap_or("");
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    vec![regex_error(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// The name of an HTTP header.
pub fn http_header_name(value: &str) -> Complaints {
    if !value.is_empty() && value.bytes().all(|b| alnum(b) || b == b'-') {
        return Vec::new();
    }
    vec![regex_error(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// A name that is safe in a URL path: names of RBAC objects. `prefix` is for the start of a generated name.
pub fn path_segment(value: &str, prefix: bool) -> Complaints {
    let mut complaints = Vec::new();
    if !prefix {
        let bad = [".", ".."].into_iter().filter(|bad| value == *bad);
        complaints.extend(bad.map(|bad| format!("may not be '{bad}'")));
    }
    let bad = ["/", "%"].into_iter().filter(|bad| value.contains(*bad));
    complaints.extend(bad.map(|bad| format!("may not contain '{bad}'")));
    complaints
}

/// The start of a generated name as it is checked: a trailing dash becomes a letter.
pub fn mask_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        // Upstream drops the character before the dash as well, which changes no verdict on length.
        Some(rest) if !rest.is_empty() => {
            let mut masked: String = rest.to_owned();
            masked.pop();
            masked + "a"
        }
        _ => name.to_owned(),
    }
}

/// A path below a domain, such as `acme.io/foo`. The complaints begin with the part they are about.
pub fn domain_prefixed_path(value: &str) -> Vec<(String, String)> {
    let Some((host, path)) = value.split_once('/').filter(|(h, p)| !h.is_empty() && !p.is_empty())
    else {
        let complaint = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![(value.to_owned(), complaint.into())];
    };
    let mut complaints: Vec<(String, String)> =
        dns1123_subdomain(host).into_iter().map(|c| (host.to_owned(), c)).collect();
    if !path.bytes().all(|b| alnum(b) || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        let regex = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        complaints.push((path.to_owned(), regex_error("Invalid path", regex, &[])));
    }
    complaints
}

#[cfg(test)]
mod tests;
