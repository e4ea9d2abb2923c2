//! Requests to resources: from path, query and body to a typed request, and its outcome back.

use std::sync::Arc;

use api::meta::v1::StatusDetails;
use api::object::{Key, Kind, KindInfo};
use api::selector::{FieldSelector, Selector};
use api::wire::{Answer, Interest, ListOptions, Request, Subresource, Verb, failure, not_found};
use base::{Instant, Str};

use super::path::ResourcePath;
use super::query::Query;
use super::{Forward, HttpRequest, Reply, Stream, bad, body, negotiate, render, stream};
use crate::access::Action;
use crate::errors::{self, Refusal};
use crate::registry::Row;
use crate::{ApiServer, Write, verbs};

pub(super) enum Outcome {
    Reply(Reply),
    Watch(Stream),
    Kubelet(Forward),
}

pub(super) fn answer(
    server: &mut ApiServer,
    now: Instant,
    request: &HttpRequest,
    path: &ResourcePath,
    query: &Query,
) -> Result<Outcome, Refusal> {
    let Some(row) = server.find(&path.group, &path.version, &path.resource) else {
        return no_such_resource(server, path);
    };
    if row.info.namespaced == path.namespace.is_empty() && !fits_all_namespaces(request, row, path)
    {
        return Err(if row.info.namespaced && path.name.is_empty() {
            super::method_not_allowed()
        } else {
            errors::unknown_resource()
        });
    }
    let subresource = subresource(&path.subresource).ok_or_else(errors::unknown_resource)?;
    if !row.has(subresource) || (subresource != Subresource::None && path.name.is_empty()) {
        return Err(errors::unknown_resource());
    }
    let user = server.user_of(now, request)?;
    server.demand(
        &user,
        &Action {
            verb: verb_of(request, path, query),
            group: row.info.group,
            resource: row.info.plural,
            subresource: &path.subresource,
            namespace: &path.namespace,
            name: &path.name,
            path: "",
        },
    )?;
    if matches!(subresource, Subresource::Log) {
        return log(server, row, path, query).map(Outcome::Kubelet);
    }
    let method = request.method.as_str();
    let watch = path.watch || query.flag("watch");
    if matches!(method, "GET" | "HEAD") && path.name.is_empty() && watch {
        return stream::open(server, now, request, row, path, query).map(Outcome::Watch);
    }
    if path.watch && matches!(method, "GET" | "HEAD") {
        return stream::open(server, now, request, row, path, query).map(Outcome::Watch);
    }
    let format = negotiate::format(request)?;
    if row.virtual_create.is_some() && format == negotiate::Format::Table {
        return Err(super::not_acceptable());
    }
    let mut write = write_of(now, request, query, subresource)?;
    write.warnings.extend(crate::validation::deprecation(row.info).map(String::from));
    write.user = Arc::new(user);
    let typed = typed(request, row, path, query, subresource, &mut write)?;
    write.verb = verbs::name(&typed);
    if let Verb::Delete(options) = &typed.verb
        && row.orphans
        && options.propagation_policy.is_none()
        && options.orphan_dependents.is_none()
        && row.info.kind == "Job"
    {
        write.warnings.push(ORPHANS.into());
    }
    let answer = server.answer(&mut write, typed)?;
    let code = match (&answer, method) {
        (Answer::Object(_, true), _) => 201,
        (Answer::Status(status), _) => status.code.filter(|c| *c > 0).unwrap_or(200) as u16,
        _ => 200,
    };
    let content = render::answer(now, row.info, &answer, format, query);
    Ok(Outcome::Reply(Reply { code, warnings: write.warnings, content }))
}

/// The verb by which access is decided.
fn verb_of(request: &HttpRequest, path: &ResourcePath, query: &Query) -> &'static str {
    let watch = path.watch || query.flag("watch");
    match (request.method.as_str(), path.name.is_empty()) {
        ("GET" | "HEAD", true) if watch => "watch",
        ("GET" | "HEAD", true) => "list",
        ("GET" | "HEAD", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        _ => "delete",
    }
}

const ORPHANS: &str = "child pods are preserved by default when jobs are deleted; set \
    propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

/// A kind in namespaces can be read over all of them.
fn fits_all_namespaces(request: &HttpRequest, row: &Row, path: &ResourcePath) -> bool {
    row.info.namespaced
        && path.name.is_empty()
        && (matches!(request.method.as_str(), "GET" | "HEAD")
            || row.virtual_create.is_some() && row.info.kind != "LocalSubjectAccessReview")
}

fn no_such_resource(server: &ApiServer, path: &ResourcePath) -> Result<Outcome, Refusal> {
    let known = server
        .all_rows()
        .any(|row| row.info.group == path.group && row.info.version == path.version);
    if known {
        return Err(errors::unknown_resource());
    }
    Ok(Outcome::Reply(super::text(404, "404 page not found\n".into())))
}

fn subresource(name: &str) -> Option<Subresource> {
    Some(match name {
        "" => Subresource::None,
        "status" => Subresource::Status,
        "scale" => Subresource::Scale,
        "binding" => Subresource::Binding,
        "eviction" => Subresource::Eviction,
        "ephemeralcontainers" => Subresource::EphemeralContainers,
        "resize" => Subresource::Resize,
        "log" => Subresource::Log,
        "token" => Subresource::Token,
        "approval" => Subresource::Approval,
        "finalize" => Subresource::Finalize,
        _ => return None,
    })
}

/// The kind of the objects that a subresource reads and writes.
fn body_kind(row: &Row, subresource: Subresource) -> &'static KindInfo {
    match subresource {
        Subresource::Scale => api::autoscaling::v1::Scale::INFO,
        Subresource::Binding => api::core::v1::Binding::INFO,
        Subresource::Eviction => api::policy::v1::Eviction::INFO,
        Subresource::Token => api::authentication::v1::TokenRequest::INFO,
        _ => row.info,
    }
}

fn write_of(
    now: Instant,
    request: &HttpRequest,
    query: &Query,
    subresource: Subresource,
) -> Result<Write, Refusal> {
    let dry_run = query.has("dryRun");
    if dry_run && query.text("dryRun") != "All" {
        let text = format!(
            "Unsupported value: [{}]: supported values: \"All\"",
            crate::go_quoted(query.text("dryRun"))
        );
        return Err(invalid_options(request, "dryRun", &text));
    }
    let manager = match query.text("fieldManager") {
        "" => {
            let agent = request.value("user-agent").unwrap_or_default();
            agent.split('/').next().unwrap_or_default()
        }
        given if given.chars().count() > 128 => {
            return Err(invalid_options(
                request,
                "fieldManager",
                "Too long: may not be more than 128 bytes",
            ));
        }
        given if given.chars().any(char::is_control) => {
            let text = format!(
                "Invalid value: {}: should only contain printable characters",
                crate::go_quoted(given)
            );
            return Err(invalid_options(request, "fieldManager", &text));
        }
        given => given,
    };
    Ok(Write {
        subresource,
        managed_as: subresource,
        dry_run,
        cause: ApiServer::cause_of_person(request, manager),
        is_http: true,
        strictness: body::strictness(request, query)?,
        ..Write::own(now, "", manager.into())
    })
}

fn typed(
    request: &HttpRequest,
    row: &'static Row,
    path: &ResourcePath,
    query: &Query,
    subresource: Subresource,
    write: &mut Write,
) -> Result<Request, Refusal> {
    let key = Key::new(path.namespace.as_str(), path.name.as_str());
    let has_name = !path.name.is_empty();
    let kind = body_kind(row, subresource);
    let verb = match (request.method.as_str(), has_name) {
        ("GET" | "HEAD", true) => Verb::Get,
        ("GET" | "HEAD", false) => Verb::List(list_options(row, query)?),
        ("POST", _) if !has_name || posts(subresource) => {
            Verb::Create(body::object(request, kind, write.strictness, &mut write.warnings)?)
        }
        ("PUT", true) => {
            Verb::Update(body::object(request, kind, write.strictness, &mut write.warnings)?)
        }
        ("PATCH", true) => Verb::Patch(super::patch_body::read(
            request,
            query,
            write.strictness,
            &mut write.warnings,
        )?),
        ("DELETE", true) => Verb::Delete(Box::new(body::delete_options(request, query)?)),
        ("DELETE", false) => Verb::DeleteCollection(
            Box::new(body::delete_options(request, query)?),
            list_options(row, query)?,
        ),
        _ => return Err(super::method_not_allowed()),
    };
    if !allowed(row, &verb, subresource) {
        return Err(super::method_not_allowed());
    }
    Ok(Request { subresource, verb, ..Request::new(row.info, &key, Verb::Get) })
}

/// Subresources that are posted to.
fn posts(subresource: Subresource) -> bool {
    matches!(subresource, Subresource::Binding | Subresource::Eviction | Subresource::Token)
}

fn allowed(row: &Row, verb: &Verb, subresource: Subresource) -> bool {
    if subresource != Subresource::None {
        return match verb {
            Verb::Create(_) => posts(subresource),
            Verb::Get | Verb::Patch(_) | Verb::Update(_) => {
                !posts(subresource)
                    && (subresource != Subresource::Finalize || matches!(verb, Verb::Update(_)))
            }
            _ => false,
        };
    }
    let name = match verb {
        Verb::Get => "get",
        Verb::List(_) => "list",
        Verb::Create(_) => "create",
        Verb::Update(_) => "update",
        Verb::Patch(_) => "patch",
        Verb::Delete(_) => "delete",
        Verb::DeleteCollection(..) => "deletecollection",
    };
    row.verbs.contains(&name)
}

/// The selectors and page of a list.
pub(super) fn list_options(row: &Row, query: &Query) -> Result<ListOptions, Refusal> {
    let labels =
        Selector::parse(query.text("labelSelector")).map_err(|error| bad(error.to_string()))?;
    let fields = FieldSelector::parse(query.text("fieldSelector"))
        .map_err(|error| bad(error.to_string()))?;
    for term in fields.terms() {
        if !row.is_selectable(&term.field) {
            return Err(bad(if row.selectable.is_empty() && row.custom.is_none() {
                format!(
                    "{:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                    &*term.field
                )
            } else {
                format!("field label not supported: {}", term.field)
            }));
        }
    }
    let limit = query.int("limit")?;
    let resource_version: Str = query.text("resourceVersion").into();
    let resource_version_match: Str = query.text("resourceVersionMatch").into();
    let continue_token: Str = query.text("continue").into();
    check_versions(query, &resource_version, &resource_version_match, &continue_token)?;
    Ok(ListOptions {
        labels,
        fields,
        limit,
        continue_token,
        resource_version,
        resource_version_match,
    })
}

/// What upstream's ValidateListOptions demands of a list and of a watch.
fn check_versions(
    query: &Query,
    version: &str,
    matching: &str,
    token: &str,
) -> Result<(), Refusal> {
    const MATCH: &str = "resourceVersionMatch";
    let asks_initial = query.has("sendInitialEvents");
    let mut errors: Vec<(&str, Str)> = Vec::new();
    let mut forbid = |field, text: &str| errors.push((field, format!("Forbidden: {text}").into()));
    let not_one_of = |known: &str| -> Str {
        let given = crate::go_quoted(matching);
        format!("Unsupported value: {given}: supported values: {known}").into()
    };
    let with_continue = "resourceVersionMatch is forbidden when continue is provided";
    if query.flag("watch") {
        if asks_initial && matching != "NotOlderThan" {
            let text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            forbid(MATCH, text);
        }
        if !matching.is_empty() {
            if !asks_initial {
                let text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                forbid(MATCH, text);
            }
            if !token.is_empty() {
                forbid(MATCH, with_continue);
            }
            if matching != "NotOlderThan" {
                errors.push((MATCH, not_one_of("\"NotOlderThan\"")));
            }
        }
    } else {
        if !matching.is_empty() {
            if version.is_empty() {
                let text = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                forbid(MATCH, text);
            }
            if !token.is_empty() {
                forbid(MATCH, with_continue);
            }
            if matching == "Exact" && version == "0" {
                let text = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                forbid(MATCH, text);
            }
            if !matches!(matching, "Exact" | "NotOlderThan") {
                errors.push((MATCH, not_one_of("\"Exact\", \"NotOlderThan\"")));
            }
        }
        if asks_initial {
            let text = "Forbidden: sendInitialEvents is forbidden for list";
            errors.push(("sendInitialEvents", text.into()));
        }
    }
    if !errors.is_empty() {
        return Err(invalid_of("ListOptions", &errors));
    }
    if !token.is_empty() && !version.is_empty() && version != "0" {
        return Err(bad("specifying resource version is not allowed when using continue"));
    }
    Ok(())
}

/// The interest of a watch.
pub(super) fn interest(row: &Row, path: &ResourcePath, query: &Query) -> Result<Interest, Refusal> {
    let options = list_options(row, query)?;
    let mut fields = options.fields;
    if !path.name.is_empty() {
        fields = FieldSelector::equals("metadata.name", path.name.as_str());
    }
    Ok(Interest {
        kind: row.info,
        namespace: path.namespace.as_str().into(),
        labels: options.labels,
        fields,
    })
}

fn log(
    server: &ApiServer,
    row: &Row,
    path: &ResourcePath,
    query: &Query,
) -> Result<Forward, Refusal> {
    let object = server
        .stored(row, &path.namespace, &path.name)
        .ok_or_else(|| not_found(row.info, &path.name))?;
    let pod = object.get::<api::core::v1::Pod>().ok_or_else(errors::unknown_resource)?;
    let container = log_container(pod, query.text("container"))?;
    if pod.spec.node_name.is_empty() {
        return Err(bad(format!("pod {} does not have a host assigned", path.name)));
    }
    let mut pairs = query.pairs.clone();
    if !query.has("container") {
        pairs.push(("container".into(), container));
    }
    Ok(Forward {
        node: pod.spec.node_name.clone(),
        pod: Key::new(path.namespace.as_str(), path.name.as_str()),
        what: "log".into(),
        query: pairs,
    })
}

/// The container whose log is meant.
fn log_container(pod: &api::core::v1::Pod, asked: &str) -> Result<Str, Refusal> {
    let spec = &pod.spec;
    let names: Vec<&Str> = spec.containers.iter().map(|c| &c.name).collect();
    let inits: Vec<&Str> = spec.init_containers.iter().map(|c| &c.name).collect();
    let later: Vec<&Str> = spec.ephemeral_containers.iter().map(|c| &c.name).collect();
    if asked.is_empty() {
        if let [only] = names.as_slice()
            && inits.is_empty()
            && later.is_empty()
        {
            return Ok((*only).clone());
        }
        let list =
            |names: &[&Str]| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
        let mut text = format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            pod.metadata.name,
            list(&names)
        );
        if !inits.is_empty() {
            text.push_str(&format!(" or one of the init containers: [{}]", list(&inits)));
        }
        if !later.is_empty() {
            text.push_str(&format!(" or one of the ephemeral containers: [{}]", list(&later)));
        }
        return Err(bad(text));
    }
    if [names, inits, later].concat().iter().any(|name| name.as_str() == asked) {
        return Ok(asked.into());
    }
    Err(bad(format!("container {asked} is not valid for pod {}", pod.metadata.name)))
}

fn invalid_of(kind: &str, errors: &[(&str, Str)]) -> Refusal {
    let reason = |text: &str| match text.split(':').next().unwrap_or_default() {
        "Required value" => "FieldValueRequired",
        "Unsupported value" => "FieldValueNotSupported",
        "Forbidden" => "FieldValueForbidden",
        "Too long" => "FieldValueTooLong",
        _ => "FieldValueInvalid",
    };
    let texts: Vec<String> =
        errors.iter().map(|(field, text)| format!("{field}: {text}")).collect();
    let list = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let mut status = failure(422, "Invalid", format!("{kind}.meta.k8s.io \"\" is invalid: {list}"));
    let causes = errors.iter().map(|(field, text)| api::wire::cause(reason(text), field, text));
    status.details = Some(Box::new(StatusDetails {
        group: "meta.k8s.io".into(),
        kind: kind.into(),
        causes: causes.collect(),
        ..StatusDetails::default()
    }));
    status
}

/// 422 for an option of a write.
pub(super) fn invalid_options(request: &HttpRequest, field: &str, text: &str) -> Refusal {
    let kind = match request.method.as_str() {
        "PUT" => "UpdateOptions",
        "PATCH" => "PatchOptions",
        "DELETE" => "DeleteOptions",
        _ => "CreateOptions",
    };
    invalid_of(kind, &[(field, text.into())])
}

/// 422 for an option of a patch.
pub(super) fn invalid_patch_options(field: &str, text: &str) -> Refusal {
    invalid_of("PatchOptions", &[(field, text.into())])
}
