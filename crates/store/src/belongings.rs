//! What belongs to gateways and is stored apart from them, read for many at once. Who begins to serve them all asks a few
//! questions instead of several for each, which tells most where the database is behind a network.

use std::collections::{BTreeMap, HashMap};

use domain::{Arn, Document, GatewayId, RateLimit, Scope, Target};
use sqlx::AssertSqlSafe;

use crate::backend::{Param, Row, numbered, params};
use crate::sealed_documents::Opener;
use crate::{StoreError, Tx};

/// What belongs to a gateway.
#[derive(Debug, Default)]
pub struct Belongings {
    /// Its targets, by id.
    pub targets: Vec<Target>,
    /// Its rate limits, by id.
    pub rate_limits: Vec<RateLimit>,
    /// Its resource policy.
    pub resource_policy: Option<Document>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The log groups that get its application logs.
    pub log_groups: Vec<String>,
}

impl Tx {
    /// What belongs to these gateways of a scope, in their order. Everything is in memory at once, and each gateway is a
    /// parameter of a statement: a hundred are a good number, and tens of thousands too many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails, [`StoreError::Refused`] when a gateway is named twice. For one gateway,
    /// [`StoreError::KeyUnusable`] when its targets are sealed under a key that cannot be used: the others have theirs.
    pub async fn belongings(
        &mut self,
        scope: &Scope,
        gateways: &[&GatewayId],
    ) -> Result<Vec<Result<Belongings, StoreError>>, StoreError> {
        if gateways.is_empty() {
            return Ok(Vec::new());
        }
        let arns: Vec<Arn> = gateways.iter().map(|id| Arn::gateway(scope, id)).collect();
        let by_id = places(gateways.iter().map(|id| id.as_str()));
        // Either would let a gateway seem to have nothing: no limits, and no policy.
        if by_id.len() != gateways.len() || by_id.keys().any(|id| id.contains('\0')) {
            return Err(StoreError::Refused(
                "each gateway is asked for once, by an id that can be one".to_owned(),
            ));
        }
        let by_arn = places(arns.iter().map(Arn::as_str));
        let mut all: Vec<_> = gateways.iter().map(|_| Ok(Belongings::default())).collect();

        let (rows, mut opener) = (self.of_gateways("targets", scope, gateways).await?, Opener::default());
        for (row, place) in placed(&rows, 2, &by_id)? {
            let id = gateways.get(place).map_or("", |id| id.as_str());
            let opened = opener.open(self, row, "targets", id).await;
            put(&mut all, place, opened, |of, target| of.targets.push(target));
        }
        let rows = self.of_gateways("rate_limits", scope, gateways).await?;
        for (row, place) in placed(&rows, 2, &by_id)? {
            put(&mut all, place, row.document(0, "rate_limits"), |of, limit| of.rate_limits.push(limit));
        }
        let rows = self.of_resources("document, arn FROM resource_policies", &arns).await?;
        for (row, place) in placed(&rows, 1, &by_arn)? {
            let document = row.text(0).map(Document);
            put(&mut all, place, document, |of, document| of.resource_policy = Some(document));
        }
        let rows = self.of_resources("name, value, arn FROM tags", &arns).await?;
        for (row, place) in placed(&rows, 2, &by_arn)? {
            let tag = row.text(0).and_then(|name| Ok((name, row.text(1)?)));
            put(&mut all, place, tag, |of, (name, value)| drop(of.tags.insert(name, value)));
        }
        for (resource, groups) in self.log_deliveries(scope).await? {
            if let Some(place) = by_arn.get(resource.as_str()) {
                put(&mut all, *place, Ok(groups), |of, groups| of.log_groups = groups);
            }
        }
        Ok(all)
    }

    /// The rows of a table that belong to gateways: document, id, gateway.
    async fn of_gateways(
        &mut self,
        table: &'static str,
        scope: &Scope,
        gateways: &[&GatewayId],
    ) -> Result<Vec<Row>, StoreError> {
        let ids: Vec<_> = filled(gateways.iter().map(|id| id.as_str())).collect();
        let statement = format!(
            "SELECT document, id, gateway FROM {table} \
             WHERE account = $1 AND region = $2 AND gateway IN ({}) ORDER BY gateway, id",
            numbered(3, ids.len())
        );
        let values = [params![scope.account.as_str(), scope.region.as_str()], ids.as_slice()].concat();
        self.connection().fetch(AssertSqlSafe(statement), &values).await
    }

    /// The rows of a table that belong to resources.
    async fn of_resources(&mut self, columns: &'static str, arns: &[Arn]) -> Result<Vec<Row>, StoreError> {
        let values: Vec<_> = filled(arns.iter().map(Arn::as_str)).collect();
        let statement = format!("SELECT {columns} WHERE arn IN ({})", numbered(1, values.len()));
        self.connection().fetch(AssertSqlSafe(statement), &values).await
    }
}

/// Names as parameters, and empty ones that nothing has: of few different numbers, because a statement is prepared and kept
/// for each.
fn filled<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> impl Iterator<Item = Param<'a>> {
    let count = names.len().next_power_of_two();
    names.chain(std::iter::repeat("")).take(count).map(Param::from)
}

/// Where each name is.
fn places<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    names.enumerate().map(|(place, name)| (name, place)).collect()
}

/// Each row with the place of whom it belongs to, whose name is in a column.
fn placed<'a>(
    rows: &'a [Row],
    column: usize,
    places: &HashMap<&str, usize>,
) -> Result<Vec<(&'a Row, usize)>, StoreError> {
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(place) = places.get(row.text(column)?.as_str()) {
            placed.push((row, *place));
        }
    }
    Ok(placed)
}

/// Adds to what belongs to one, or notes why it cannot be had: the first reason stays.
fn put<T>(
    all: &mut [Result<Belongings, StoreError>],
    place: usize,
    read: Result<T, StoreError>,
    add: impl FnOnce(&mut Belongings, T),
) {
    let Some(one) = all.get_mut(place) else { return };
    match (one.as_mut(), read) {
        (Ok(belongings), Ok(read)) => add(belongings, read),
        (Ok(_), Err(error)) => *one = Err(error),
        (Err(_), _) => {}
    }
}
