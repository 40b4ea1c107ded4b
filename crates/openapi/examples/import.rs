//! Imports the documents whose paths stand in the lines of standard input, and says of each what became of it.
//!
//! Each line of output is a JSON object: the path, the tools with their required arguments, or the error, the findings
//! by severity, and the milliseconds it took. `e2e/test_openapi_scale.py` compares it with another converter.

use std::io::BufRead as _;
use std::time::Instant;

use openapi::{Api, Options, Severity, Strictness, import};
use serde_json::{Map, Value, json};

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> Result<(), std::io::Error> {
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let text = std::fs::read_to_string(&path)?;
        // A document without a usable server is imported all the same: the comparison is of tools.
        let options = Options {
            strictness: Strictness::Skip,
            server: Some("http://127.0.0.1:1".to_owned()),
            max_operations: 10_000,
            ..Options::default()
        };
        let begun = Instant::now();
        let imported = import(&text, &options);
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let about = json!({"path": path, "bytes": text.len(), "milliseconds": milliseconds});
        let said = match imported {
            Ok(api) => described(&api),
            Err(error) => json!({"error": error.to_string()}),
        };
        let line: Map<String, Value> =
            [about, said].into_iter().filter_map(|part| part.as_object().cloned()).flatten().collect();
        println!("{}", Value::Object(line));
    }
    Ok(())
}

fn described(api: &Api) -> Value {
    let tools = api.operations.iter().map(|tool| {
        let fault = tool.request(&Map::new()).err().map(|fault| fault.to_string());
        json!({
            "name": tool.name, "method": tool.method, "path": tool.path, "fault": fault,
            "required": tool.input_schema.get("required").cloned().unwrap_or_else(|| json!([])),
            "bytes": Value::Object(tool.input_schema.clone()).to_string().len(),
        })
    });
    let of = |severity| api.findings.iter().filter(move |finding| finding.severity == severity);
    let refused = of(Severity::RefusedHere).map(|finding| {
        let place = finding.operation.as_ref().map(ToString::to_string);
        json!([place, finding.reason])
    });
    json!({
        "tools": tools.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "refusedByAws": of(Severity::RefusedByAws).count(),
        "notes": of(Severity::Note).count(),
    })
}
