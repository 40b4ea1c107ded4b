//! `models/surface.toml` and `models/overrides.toml`: what is promised, and which constraints are wider here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::model::Model;
use crate::chore::{Failure, read};

pub(crate) struct Promise {
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) overrides: BTreeMap<String, BTreeMap<String, Override>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) signing_name: String,
    pub(crate) iam_prefix: String,
    pub(crate) resources: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) actions: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) honours: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Override {
    pub(crate) pattern: Option<String>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) source: String,
    pub(crate) quote: Option<String>,
}

impl Promise {
    pub(crate) fn read(models: &Path) -> Result<Self, Failure> {
        let parse_failure =
            |file: &str, error: toml::de::Error| Failure::new(format!("models/{file}: {error}"));
        let services = toml::from_str(&read(&models.join("surface.toml"))?)
            .map_err(|error| parse_failure("surface.toml", error))?;
        let overrides = toml::from_str(&read(&models.join("overrides.toml"))?)
            .map_err(|error| parse_failure("overrides.toml", error))?;
        Ok(Self { services, overrides })
    }

    /// Widens the constraints of a model; an entry that names nothing or changes nothing is a mistake.
    pub(crate) fn apply_overrides(&self, service: &str, model: &mut Model) -> Result<(), Failure> {
        for (shape_name, wider) in self.overrides.get(service).into_iter().flatten() {
            let complain =
                |what: &str| Failure::new(format!("models/overrides.toml: {service}.{shape_name} {what}"));
            let shape = model.shapes.get_mut(shape_name).ok_or_else(|| complain("names no shape"))?;
            let before = (shape.pattern.clone(), shape.min, shape.max);
            shape.pattern = wider.pattern.clone().or_else(|| shape.pattern.take());
            shape.min = wider.min.or(shape.min);
            shape.max = wider.max.or(shape.max);
            if before == (shape.pattern.clone(), shape.min, shape.max) {
                return Err(complain("changes nothing: take the entry out"));
            }
        }
        Ok(())
    }
}
