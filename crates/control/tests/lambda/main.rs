//! Lambda as its clients see it: functions, real ones in Python, their versions, aliases and permissions, and running
//! them. On SQLite always,
//! on PostgreSQL too when `PORTCULLIS_TEST_POSTGRES` names a server on which databases may be made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

#[path = "../support/mod.rs"]
mod support;

mod refusals;

mod functions;
mod invoking;
mod permissions;
mod updates;
mod versions;

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{Actor, Answered, trust};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A function that gives back what it gets.
const ECHO: &str = "def lambda_handler(event, context):\n    return event\n";

async fn call(actor: &Actor, operation: &str, params: Value) -> Answered {
    actor.call("lambda", operation, params).await
}

/// A zip archive of files, in base64.
fn archive(files: &[(&str, &str)]) -> String {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

/// A request for a Python function whose module is `source`.
fn python(name: &str, role: &str, source: &str) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "python3.13",
        "Role": role,
        "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": archive(&[("lambda_function.py", source)])},
        "Timeout": 30,
        "MemorySize": 256,
    })
}

/// Makes the role that functions run with, and gives its ARN.
async fn make_role(actor: &Actor) -> String {
    actor.makes_role("functions", trust("Service", "lambda.amazonaws.com"), None).await
}

/// Makes the role and a Python function whose module is `source`.
async fn make(actor: &Actor, name: &str, source: &str) -> Value {
    let role = make_role(actor).await;
    call(actor, "CreateFunction", python(name, &role, source)).await.good()
}

/// `params` with other members.
fn with(params: &Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes} are no members") };
    let mut changed = params.clone();
    changed.as_object_mut().unwrap().extend(changes);
    changed
}
