//! Small documents about logs, by kind and name: resource policies, X-Ray's settings, and the three parts of a delivery.
//!
//! A delivery ties a source to a destination: the records of a gateway go to a log group. What a data plane needs to know
//! of it belongs to the gateway ([`crate::Belongings`]).

use std::collections::HashMap;

use domain::{Arn, Scope};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

const TABLE: &str = "log_settings";

/// What kind of document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSetting {
    /// A policy of CloudWatch Logs.
    ResourcePolicy,
    /// A setting of X-Ray.
    XRay,
    /// Where records come from.
    Source,
    /// Where records go.
    Destination,
    /// That they do.
    Delivery,
}

impl LogSetting {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ResourcePolicy => "resource-policy",
            Self::XRay => "xray",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Delivery => "delivery",
        }
    }
}

/// The records of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverySource {
    /// Its name.
    pub name: String,
    /// The resource.
    pub resource: Arn,
    /// Which of its records: `APPLICATION_LOGS` or `TRACES`.
    pub log_type: String,
}

/// A place for records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryDestination {
    /// Its name.
    pub name: String,
    /// The log group; X-Ray when there is none.
    pub log_group: Option<String>,
    /// The group's ARN, as it was given.
    pub resource: Option<String>,
}

/// A source tied to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The source's name.
    pub source: String,
    /// The destination's name.
    pub destination: String,
}

impl Tx {
    /// Writes a document, over one of the same name. A delivery's change is a change of the gateway that it is about.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_log_setting(
        &mut self,
        scope: &Scope,
        kind: LogSetting,
        name: &str,
        document: &(impl Serialize + Sync),
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO log_settings (account, region, kind, name, document) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (account, region, kind, name) DO UPDATE SET document = $5",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                kind.as_str(),
                name,
                &written(document, TABLE)?
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Other, name).await
    }

    /// The document of a name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_setting<T: DeserializeOwned>(
        &mut self,
        scope: &Scope,
        kind: LogSetting,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM log_settings WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4",
                params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, TABLE)).transpose()
    }

    /// The documents of a kind, by their names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_settings<T: DeserializeOwned>(
        &mut self,
        scope: &Scope,
        kind: LogSetting,
        page: Page<'_>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM log_settings WHERE account = $1 AND region = $2 AND kind = $3 AND name > $4 \
                 ORDER BY name LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    kind.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// Takes a document away; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_log_setting(
        &mut self,
        scope: &Scope,
        kind: LogSetting,
        name: &str,
    ) -> Result<bool, StoreError> {
        let deleted = self
            .execute(
                "DELETE FROM log_settings WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4",
                params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), name],
            )
            .await?;
        self.note_change(scope, ChangeKind::Other, name).await?;
        Ok(deleted > 0)
    }

    /// Notes that what is delivered of a resource changed: a data plane reads a gateway anew.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn note_delivery_of(&mut self, scope: &Scope, resource: &Arn) -> Result<(), StoreError> {
        match resource.resource().strip_prefix("gateway/") {
            Some(gateway) => self.note_change(scope, ChangeKind::Gateway, gateway).await,
            None => Ok(()),
        }
    }

    /// The log groups that get the application logs of resources, by resource.
    pub(crate) async fn log_deliveries(
        &mut self,
        scope: &Scope,
    ) -> Result<HashMap<Arn, Vec<String>>, StoreError> {
        let mut of = HashMap::<Arn, Vec<String>>::new();
        let deliveries: Vec<Delivery> = self.log_settings(scope, LogSetting::Delivery, Page::ALL).await?;
        if deliveries.is_empty() {
            return Ok(of);
        }
        let sources: Vec<DeliverySource> = self.log_settings(scope, LogSetting::Source, Page::ALL).await?;
        let sources: HashMap<_, _> = sources
            .into_iter()
            .filter(|source| source.log_type == "APPLICATION_LOGS")
            .map(|source| (source.name, source.resource))
            .collect();
        let destinations: Vec<DeliveryDestination> =
            self.log_settings(scope, LogSetting::Destination, Page::ALL).await?;
        let groups: HashMap<_, _> = destinations.into_iter().map(|it| (it.name, it.log_group)).collect();
        for delivery in deliveries {
            if let Some(resource) = sources.get(&delivery.source)
                && let Some(Some(group)) = groups.get(&delivery.destination)
            {
                of.entry(resource.clone()).or_default().push(group.clone());
            }
        }
        Ok(of)
    }
}
