//! Which operations become tools, and what API Gateway's exports say about that.
//!
//! Filters are those of an API Gateway target ("Amazon API Gateway REST API stages as targets" in the AgentCore
//! developer guide): a path to the letter, or the beginning of paths followed by `*`. A filter or override that fits
//! nothing is an error, so that a renamed path is noticed. Proxy resources, catch-all methods and methods that want
//! both IAM and an API key cannot be tools there, and are not here.

use serde_json::Value;

use crate::document::{Document, list, object};
use crate::findings::{ImportError, Place};
use crate::options::{Filter, Options, Override};

/// Whether an operation passes the filters.
pub(crate) fn is_selected(place: &Place, filters: &[Filter]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| fits(filter, place))
}

fn fits(filter: &Filter, place: &Place) -> bool {
    let path = match filter.path.strip_suffix('*') {
        Some(start) => place.path.starts_with(start),
        None => place.path == filter.path,
    };
    path && filter.methods.contains(&place.method)
}

/// What is said of an operation instead of the document's words.
pub(crate) fn override_of<'a>(place: &Place, overrides: &'a [Override]) -> Option<&'a Override> {
    overrides.iter().find(|one| one.path == place.path && one.method == place.method)
}

/// Every filter and override must fit an operation.
pub(crate) fn check(places: &[Place], options: &Options) -> Result<(), ImportError> {
    for filter in &options.filters {
        if !places.iter().any(|place| fits(filter, place)) {
            let reason = format!(
                "the filter `{}` ({}) fits no operation of the document",
                filter.path,
                filter.methods.join(", ")
            );
            return Err(ImportError::Selection(reason));
        }
    }
    for (at, one) in options.overrides.iter().enumerate() {
        let (method, path) = (&one.method, &one.path);
        if one.name.is_empty() {
            return Err(ImportError::Selection(format!(
                "the override of `{method} {path}` has an empty name"
            )));
        }
        let before = options.overrides.get(..at).unwrap_or_default();
        if before.iter().any(|other| other.path == one.path && other.method == one.method) {
            return Err(ImportError::Selection(format!("there are two overrides of `{method} {path}`")));
        }
        if !places.iter().any(|place| one.path == place.path && one.method == place.method) {
            let reason = format!("the override of `{method} {path}` fits no chosen operation");
            return Err(ImportError::Selection(reason));
        }
    }
    Ok(())
}

/// Why an operation of an API Gateway export cannot be a tool, if it cannot.
pub(crate) fn excluded(document: &Document, operation: &Value, place: &Place) -> Option<String> {
    if place.path.contains("+}") {
        return Some("proxy resources such as `{proxy+}` cannot be tools: name the paths".to_owned());
    }
    let schemes =
        object(document.root(), "components").and_then(|components| components.get("securitySchemes"));
    let is_iam = |name: &str| {
        let scheme = schemes.and_then(|schemes| schemes.get(name));
        let kind = scheme.and_then(|scheme| scheme.get("x-amazon-apigateway-authtype"));
        kind.and_then(Value::as_str) == Some("awsSigv4")
    };
    let is_key = |name: &str| {
        let scheme = schemes.and_then(|schemes| schemes.get(name));
        let named = scheme.and_then(|scheme| scheme.get("name")).and_then(Value::as_str);
        named.is_some_and(|header| header.eq_ignore_ascii_case("x-api-key")) && !is_iam(name)
    };
    let wanted: Vec<&str> = list(operation, "security")
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|requirement| requirement.keys().map(String::as_str))
        .collect();
    (wanted.iter().any(|name| is_iam(name)) && wanted.iter().any(|name| is_key(name)))
        .then(|| "methods that want both IAM authorization and an API key cannot be tools".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(method: &str, path: &str) -> Place {
        Place { method: method.to_owned(), path: path.to_owned() }
    }

    fn filter(path: &str) -> Filter {
        Filter { path: path.to_owned(), methods: vec!["GET".to_owned()] }
    }

    #[test]
    fn filters_choose_paths_and_beginnings_of_paths() {
        for (path, method, at, expected) in [
            ("/pets", "GET", "/pets", true),
            ("/pets", "POST", "/pets", false),
            ("/pets", "GET", "/pets/{id}", false),
            ("/pets/*", "GET", "/pets/{id}/toys", true),
            ("/pets/*", "GET", "/pets", false),
            ("/*", "GET", "/anything", true),
        ] {
            assert_eq!(is_selected(&place(method, at), &[filter(path)]), expected, "{path} {method} {at}");
        }
        assert!(is_selected(&place("PUT", "/x"), &[]));
    }

    #[test]
    fn what_fits_nothing_is_an_error() {
        let places = [place("GET", "/pets")];
        let options = |filters, overrides| Options { filters, overrides, ..Options::default() };
        let other = Override {
            path: "/toys".to_owned(),
            method: "GET".to_owned(),
            name: "x".to_owned(),
            description: None,
        };
        assert!(check(&places, &options(vec![filter("/pets")], vec![])).is_ok());
        assert!(check(&places, &options(vec![filter("/toys")], vec![])).is_err());
        assert!(check(&places, &options(vec![], vec![other])).is_err());
    }

    #[test]
    fn what_api_gateway_targets_exclude() {
        let document = Document::new(json!({"openapi": "3.0.1", "components": {"securitySchemes": {
            "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
            "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}}}))
        .unwrap();
        let of =
            |security: Value, path| excluded(&document, &json!({"security": security}), &place("GET", path));
        assert!(of(json!([]), "/x/{proxy+}").is_some());
        assert!(of(json!([{"sigv4": [], "api_key": []}]), "/x").is_some());
        assert!(of(json!([{"sigv4": []}]), "/x").is_none());
        assert!(of(json!([{"api_key": []}]), "/x").is_none());
    }
}
