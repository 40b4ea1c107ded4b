//! Secrets that the owner of a credential provider keeps as a secret of their own, under a key of a JSON object.

use domain::{CURRENT, ExternalSecret, Secret};
use serde_json::{Map, Value};
use store::Tx;

use super::Refusal;

/// Reads what is under the key in the secret's current version.
///
/// # Errors
/// [`Refusal::External`], which says what is wrong and quotes nothing of the secret, or [`Refusal::Store`].
pub async fn read_external(tx: &mut Tx, external: &ExternalSecret) -> Result<Secret, Refusal> {
    let refused = |why| Refusal::External { secret: external.arn.clone(), why };
    let kept = tx.secret_of_arn(&external.arn).await?.ok_or_else(|| refused("it does not exist"))?;
    if kept.gone_at.is_some() {
        return Err(refused("it was deleted, and must be restored"));
    }
    let version = kept.labelled(CURRENT).ok_or_else(|| refused("it has no current version"))?;
    let held = tx.secret_value(&kept, &version.id).await?;
    let held = held.filter(|_| !version.is_binary);
    let held = held.ok_or_else(|| refused("it holds bytes, and must hold a JSON object as text"))?;
    // What the parser says of it may quote it.
    let object: Map<String, Value> =
        serde_json::from_str(held.expose()).map_err(|_| refused("it holds no JSON object"))?;
    let under = object.get(&external.json_key).and_then(Value::as_str);
    let under = under.ok_or_else(|| refused("there is no text under the JSON key"))?;
    let under = Secret::new(under);
    if under.matches("") || !under.is_printable() {
        return Err(refused("what is under the JSON key is empty, or is not printable ASCII"));
    }
    Ok(under)
}
