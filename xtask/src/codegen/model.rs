//! A service model as botocore writes it, without prose: the part of it that the generator reads.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::chore::Failure;

#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) protocol: String,
    pub(crate) service_full_name: String,
    pub(crate) target_prefix: Option<String>,
    pub(crate) xml_namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) http: Http,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Output>,
    #[serde(default)]
    pub(crate) errors: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
    #[serde(default = "ok")]
    pub(crate) response_code: u16,
}

fn ok() -> u16 {
    200
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    pub(crate) shape: String,
    pub(crate) result_wrapper: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    pub(crate) location: Option<String>,
    pub(crate) location_name: Option<String>,
    #[serde(default)]
    pub(crate) idempotency_token: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "in_order")]
    pub(crate) members: Vec<(String, Reference)>,
    pub(crate) required: Vec<String>,
    pub(crate) member: Option<Reference>,
    pub(crate) value: Option<Reference>,
    pub(crate) key: Option<Reference>,
    #[serde(rename = "enum")]
    pub(crate) values: Vec<String>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: Option<String>,
    pub(crate) sensitive: bool,
    pub(crate) union: bool,
    pub(crate) payload: Option<String>,
    pub(crate) timestamp_format: Option<String>,
    pub(crate) error: Option<ErrorTrait>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ErrorTrait {
    pub(crate) code: Option<String>,
    pub(crate) http_status_code: Option<u16>,
}

impl Model {
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::new(format!("models/{name}.json: {error}")))
    }

    /// The shape called `name`; an empty one for a name that the model lacks, which no model of AWS's has.
    pub(crate) fn shape(&self, name: &str) -> Result<&Shape, Failure> {
        self.shapes.get(name).ok_or_else(|| Failure::new(format!("the model has no shape `{name}`")))
    }
}

/// Members in the order of the model, which is the order in which AWS answers.
fn in_order<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<(String, Reference)>, D::Error> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, Reference)>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object of members")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(entry) = map.next_entry()? {
                members.push(entry);
            }
            Ok(members)
        }
    }
    from.deserialize_map(Members)
}
