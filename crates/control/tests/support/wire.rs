//! Writes requests as AWS's clients write them, and signs them (Signature Version 4).

use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::{digest, hmac};
use aws_shapes::{Location, Member, OperationSpec, Protocol, Schema, Segment, ServiceSpec};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use control::Request;
use domain::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::Key;

/// Everything but RFC 3986's unreserved characters.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// The request for an operation, not yet signed.
pub(super) fn request(
    service: &'static ServiceSpec,
    operation: &'static OperationSpec,
    params: &Value,
) -> Request {
    let mut request = Request {
        method: operation.method.parse::<Method>().unwrap(),
        path: "/".to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_secure: false,
    };
    let header = |request: &mut Request, name: &'static str, value: &str| {
        request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    };
    header(&mut request, "host", "127.0.0.1:4848");
    match service.protocol {
        Protocol::AwsQuery => {
            header(&mut request, "content-type", "application/x-www-form-urlencoded; charset=utf-8");
            request.body = form(service, operation, params).into();
        }
        Protocol::AwsJson11 => {
            header(&mut request, "content-type", "application/x-amz-json-1.1");
            let target = format!("{}.{}", service.target_prefix.unwrap(), operation.name);
            header(&mut request, "x-amz-target", &target);
            request.body = params.to_string().into();
        }
        Protocol::RestJson1 => rest(&mut request, operation, params),
    }
    request
}

fn form(service: &ServiceSpec, operation: &OperationSpec, params: &Value) -> String {
    fn write(name: &str, value: &Value, form: &mut form_urlencoded::Serializer<'_, String>) {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    write(&format!("{name}.{member}"), value, form);
                }
            }
            Value::Array(elements) => {
                for (at, value) in elements.iter().enumerate() {
                    write(&format!("{name}.member.{}", at + 1), value, form);
                }
            }
            Value::String(text) => drop(form.append_pair(name, text)),
            other => drop(form.append_pair(name, &other.to_string())),
        }
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation.name).append_pair("Version", service.api_version);
    for (name, value) in params.as_object().into_iter().flatten() {
        write(name, value, &mut form);
    }
    form.finish()
}

fn rest(request: &mut Request, operation: &OperationSpec, params: &Value) {
    let members: &[Member] = match operation.input {
        Some(Schema::Structure(members)) => members,
        _ => &[],
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let labelled = |wire: &str| {
        let member = members.iter().find(|member| member.location == Location::Label && member.wire == wire);
        text(&params[member.unwrap().name])
    };
    let encode = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let segments: Vec<_> = operation
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(literal) => (*literal).to_owned(),
            Segment::Label(wire) => encode(&labelled(wire)),
        })
        .collect();
    request.path = format!("/{}", segments.join("/"));
    let mut pairs = Vec::new();
    let mut body = params.as_object().cloned().unwrap_or_else(Map::new);
    for member in members.iter().filter(|member| member.location != Location::Body) {
        let Some(value) = body.remove(member.name) else { continue };
        match (member.location, value) {
            (Location::Query, Value::Array(values)) => {
                pairs.extend(
                    values.iter().map(|value| format!("{}={}", encode(member.wire), encode(&text(value)))),
                );
            }
            (Location::Query, value) => {
                pairs.push(format!("{}={}", encode(member.wire), encode(&text(&value))));
            }
            (Location::Header, value) => {
                let name = HeaderName::from_bytes(member.wire.to_ascii_lowercase().as_bytes()).unwrap();
                request.headers.insert(name, HeaderValue::from_str(&text(&value)).unwrap());
            }
            _ => {}
        }
    }
    request.query = pairs.join("&");
    match operation.input_payload {
        Some(payload) => {
            let encoded = body.get(payload).and_then(Value::as_str).unwrap_or_default();
            request.body = STANDARD.decode(encoded).unwrap().into();
        }
        None if body.is_empty() => {}
        None => {
            request.headers.insert("content-type", HeaderValue::from_static("application/json"));
            request.body = Value::Object(body).to_string().into();
        }
    }
}

/// Signs a request. Source: "Create a signed AWS API request" in the IAM User Guide.
pub(super) fn sign(request: &mut Request, service: &ServiceSpec, key: &Key, region: &str, now: Timestamp) {
    let date = format!("{}Z", now.to_string().split('.').next().unwrap().replace(['-', ':'], ""));
    let day = &date[..8];
    request.headers.insert("x-amz-date", HeaderValue::from_str(&date).unwrap());
    if let Some(token) = &key.session_token {
        request.headers.insert("x-amz-security-token", HeaderValue::from_str(token).unwrap());
    }
    let mut names: Vec<_> = request.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        utf8_percent_encode(&request.path, STRICT_PATH),
        sorted(&request.query)
    );
    for name in &names {
        canonical.push_str(&format!("{name}:{}\n", request.headers[name.as_str()].to_str().unwrap()));
    }
    let signed_headers = names.join(";");
    canonical.push_str(&format!("\n{signed_headers}\n{}", hash(&request.body)));
    let scope = format!("{day}/{region}/{}/aws4_request", service.signing_name);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let mut signing_key = format!("AWS4{}", key.secret).into_bytes();
    for step in [day, region, service.signing_name, "aws4_request"] {
        signing_key = mac(&signing_key, step);
    }
    let signature = hex::encode(mac(&signing_key, &to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
        key.id
    );
    request.headers.insert("authorization", HeaderValue::from_str(&authorization).unwrap());
}

fn sorted(query: &str) -> String {
    let mut pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}
