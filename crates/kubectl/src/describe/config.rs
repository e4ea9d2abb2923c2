//! ConfigMaps, Secrets and ServiceAccounts.

use api::{Bytes, Decode, Json, Value};

use super::sheet::Sheet;
use crate::look::{Look, scalar};

pub(super) fn config_map(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.line(0, "\nData\n====");
    for (key, value) in object.map("data") {
        sheet.line(0, format!("{key}:\n----\n{}\n", value.as_str().unwrap_or("")));
    }
    sheet.line(0, "\nBinaryData\n====");
    for (key, value) in object.map("binaryData") {
        sheet.line(0, format!("{key}: {} bytes", bytes(value).len()));
    }
    sheet.line(0, "");
}

pub(super) fn secret(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    let kind = object.text("type");
    sheet.line(0, format!("\nType:\t{kind}\n\nData\n===="));
    for (key, value) in object.map("data") {
        let bytes = bytes(value);
        if kind == "kubernetes.io/service-account-token" && key == "token" {
            sheet.field(0, key, String::from_utf8_lossy(&bytes));
        } else {
            sheet.field(0, key, format!("{} bytes", bytes.len()));
        }
    }
}

/// What a base64 text holds.
fn bytes(value: &Json) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.take(value.clone(), &mut Decode::new());
    bytes.0.to_vec()
}

pub(super) fn service_account(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    for (title, list) in
        [("Image pull secrets", "imagePullSecrets"), ("Mountable secrets", "secrets")]
    {
        let names: Vec<String> =
            object.list(list).iter().map(|item| scalar(item.look("name"))).collect();
        sheet.lines("", title, &names);
    }
    sheet.field(0, "Tokens", "<none>");
}
