//! get and list, with pages that stay at one revision.
//!
//! Known deviations:
//! - `resourceVersion=0` and `NotOlderThan` read the newest state, which upstream allows too.

use api::Json;
use api::core::v1::ComponentStatus;
use api::object::{Kind, Object};
use api::wire::{ListOptions, ObjectList, not_found};
use base::Str;
use etcd::{Range, RangeRequest};

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry::Row;
use crate::storage;

/// Where the next page of a list starts, and at which revision all pages are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub revision: i64,
    /// The first key that is left, below the kind's root; empty for a token that starts over.
    pub start: String,
}

impl Token {
    /// The opaque text that clients hand back.
    pub(crate) fn encode(&self) -> Str {
        let mut json = Json::object();
        json.set("v", "meta.k8s.io/v1");
        json.set("rv", self.revision);
        json.set("start", self.start.as_str());
        crate::base64::encode_url(json.to_string().as_bytes()).into()
    }

    /// Reads such a text; the error is what is wrong with it.
    pub(crate) fn decode(text: &str) -> Result<Token, String> {
        let bytes = crate::base64::decode_url(text)
            .ok_or_else(|| format!("illegal base64 data at input byte {}", text.len() / 4 * 4))?;
        let json = Json::parse(&bytes).map_err(|error| error.to_string())?;
        let version = json.get("v").and_then(Json::as_str).unwrap_or_default();
        if version != "meta.k8s.io/v1" {
            let quoted = crate::go_quoted(version);
            return Err(format!("server does not recognize this encoded version {quoted}"));
        }
        let start = json.get("start").and_then(Json::as_str).unwrap_or_default().to_string();
        let revision = json.get("rv").and_then(Json::as_i64).unwrap_or(0);
        Ok(Token { revision, start })
    }
}

const EXPIRED: &str = "The provided continue parameter is too old to display a consistent list \
    result. You can start a new list without the continue parameter, or use the continue token in \
    this response to retrieve the remainder of the results. Continuing with the provided token \
    results in an inconsistent list - objects that were created, modified, or deleted between the \
    time the first chunk was returned and now may show up in the list.";

impl ApiServer {
    /// One object.
    pub(crate) fn read(&self, row: &Row, namespace: &str, name: &str) -> Result<Object, Refusal> {
        if row.info == ComponentStatus::INFO {
            return self.component(row, name);
        }
        let found = self.stored(row, namespace, name);
        found.cloned().ok_or_else(|| not_found(row.info, name))
    }

    /// One page of a collection.
    pub(crate) fn page(
        &self,
        row: &Row,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<ObjectList, Refusal> {
        if row.info == ComponentStatus::INFO {
            let items = self.components(row, options);
            return Ok(ObjectList { items, ..ObjectList::default() });
        }
        let newest = self.revision();
        let asked: i64 = match options.resource_version.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| {
                errors::bad_request(format!(
                    "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
                ))
            })?,
        };
        if asked > newest {
            return Err(errors::too_large_resource_version(asked, newest));
        }
        let exact = options.resource_version_match == "Exact"
            || (asked > 0 && options.limit > 0 && options.resource_version_match.is_empty());
        let token = match options.continue_token.as_str() {
            "" => None,
            text => Some(Token::decode(text).map_err(|error| {
                errors::bad_request(format!(
                    "invalid continue token: continue key is not valid: {error}"
                ))
            })?),
        };
        if token.is_none() && options.limit <= 0 && !exact {
            let items = self.select(row, namespace, options);
            return Ok(ObjectList { items, revision: newest, ..ObjectList::default() });
        }
        let revision = match &token {
            Some(token) if token.revision > 0 => token.revision,
            None if exact && asked > 0 => asked,
            _ => newest,
        };
        self.page_at(row, namespace, options, token.as_ref(), revision)
    }

    fn page_at(
        &self,
        row: &Row,
        namespace: &str,
        options: &ListOptions,
        token: Option<&Token>,
        revision: i64,
    ) -> Result<ObjectList, Refusal> {
        let root = row.root();
        let whole = self.range_of(row, namespace);
        let range = match token.filter(|token| !token.start.is_empty()) {
            Some(token) => Range { start: format!("{root}{}", token.start).into(), ..whole },
            None => whole,
        };
        let found = self
            .etcd
            .range(&RangeRequest::new(range).at(revision))
            .map_err(|_| self.expired_page(token))?;
        let limit = if options.limit > 0 { options.limit as usize } else { usize::MAX };
        let (mut items, mut next, mut left) = (Vec::new(), None, 0);
        for kv in &found.kvs {
            if !storage::wanted(row, options, &kv.value) {
                continue;
            }
            if items.len() < limit {
                items.push(kv.value.clone());
                continue;
            }
            next.get_or_insert_with(|| kv.key[root.len()..].to_string());
            left += 1;
        }
        let selective = !options.labels.is_everything() || !options.fields.is_everything();
        Ok(ObjectList {
            items,
            revision,
            remaining: (next.is_some() && !selective).then_some(left),
            continue_token: next
                .map(|start| Token { revision, start }.encode())
                .unwrap_or_default(),
        })
    }

    /// 410 with a token that goes on at the newest revision.
    fn expired_page(&self, token: Option<&Token>) -> Refusal {
        let Some(token) = token else {
            return errors::expired("The resourceVersion for the provided list is too old.");
        };
        let mut status = errors::expired(EXPIRED);
        let on = Token { revision: -1, start: token.start.clone() };
        status.metadata = Some(Box::new(api::meta::v1::ListMeta {
            continue_: on.encode(),
            ..Default::default()
        }));
        status
    }
}
