//! Documents that are sealed under a KMS key: the targets of a gateway, and the policies and generations of an engine, whose owner named one.
//! What is sealed is the whole document, bound to its row; columns beside it, by which rows are found, are in the clear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Arn, Gateway, KmsKey, Policy, PolicyEngineId, PolicyGeneration, Scope, Target};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::backend::{Row, params, written};
use crate::kms_keys::KmsMaterial;
use crate::{ChangeKind, Page, StoreError, Tx};

/// A sealed document, as its column holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealed {
    sealed_under: Arn,
    seal: String,
}

/// How the text of a [`Sealed`] begins, and that of no other document.
const HEAD: &str = "{\"sealedUnder\":";

/// A key that rows of one reading are sealed under, looked up once.
#[derive(Default)]
pub(crate) struct Opener {
    known: Option<(Arn, KmsMaterial)>,
}

impl Opener {
    /// The document of a row: its text in the first column, its id in the second.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when it is sealed under a key that cannot be used.
    pub(crate) async fn open<T: DeserializeOwned>(
        &mut self,
        tx: &mut Tx,
        row: &Row,
        table: &'static str,
        of: &str,
    ) -> Result<T, StoreError> {
        let text = row.text(0)?;
        if !text.starts_with(HEAD) {
            return row.document(0, table);
        }
        let corrupt = |detail: String| StoreError::Corrupt { table, detail };
        let sealed: Sealed = serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))?;
        if self.known.as_ref().is_none_or(|(arn, _)| *arn != sealed.sealed_under) {
            let material = tx.usable_material(&sealed.sealed_under).await?;
            self.known = Some((sealed.sealed_under, material));
        }
        let seal = STANDARD.decode(&sealed.seal).map_err(|error| corrupt(error.to_string()))?;
        let (_, material) = self.known.as_ref().ok_or(StoreError::Unsealable)?;
        let plain = material.decrypt(&place(table, of, &row.text(1)?), &seal)?;
        serde_json::from_slice(&plain).map_err(|error| corrupt(error.to_string()))
    }
}

impl Tx {
    /// A target as its column holds it.
    pub(crate) async fn written_target(&mut self, target: &Target) -> Result<String, StoreError> {
        let gateway = self.gateway(&target.scope, &target.gateway).await?;
        let key = gateway.and_then(|gateway| gateway.kms_key);
        self.written_under(key.as_ref(), target, "targets", target.gateway.as_str(), target.id.as_str()).await
    }

    /// A policy as its column holds it.
    pub(crate) async fn written_policy(&mut self, policy: &Policy) -> Result<String, StoreError> {
        let key = self.key_of_engine(&policy.scope, &policy.engine).await?;
        self.written_under(key.as_ref(), policy, "policies", policy.engine.as_str(), policy.id.as_str()).await
    }

    /// A generation of policies as its column holds it.
    pub(crate) async fn written_generation(
        &mut self,
        generation: &PolicyGeneration,
    ) -> Result<String, StoreError> {
        let (engine, id) = (generation.engine.as_str(), generation.id.as_str());
        let key = self.key_of_engine(&generation.scope, &generation.engine).await?;
        self.written_under(key.as_ref(), generation, "policy_generations", engine, id).await
    }

    /// Writes the targets of a gateway anew, because its key is another one.
    pub(crate) async fn reseal_targets(&mut self, gateway: &Gateway) -> Result<(), StoreError> {
        let (scope, id) = (&gateway.scope, gateway.id.as_str());
        for target in self.targets(scope, &gateway.id, Page::ALL).await? {
            let key = gateway.kms_key.as_ref();
            let text = self.written_under(key, &target, "targets", id, target.id.as_str()).await?;
            self.change_one(
                "UPDATE targets SET document = $5 WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4",
                params![scope.account.as_str(), scope.region.as_str(), id, target.id.as_str(), &text],
            )
            .await?;
        }
        Ok(())
    }

    async fn key_of_engine(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
    ) -> Result<Option<Arn>, StoreError> {
        Ok(self.policy_engine(scope, engine).await?.and_then(|engine| engine.kms_key))
    }

    /// Tells whoever serves a gateway or decides by an engine that has this key.
    pub(crate) async fn note_documents_under(&mut self, key: &KmsKey) -> Result<(), StoreError> {
        let (scope, arn) = (&key.scope, key.arn());
        for gateway in self.gateways(scope, Page::ALL).await? {
            if gateway.kms_key.as_ref() == Some(&arn) {
                self.note_change(scope, ChangeKind::Gateway, gateway.id.as_str()).await?;
            }
        }
        for engine in self.policy_engines(scope, Page::ALL).await? {
            if engine.kms_key.as_ref() == Some(&arn) {
                for gateway in self.gateways_of_engine(scope, &engine.id).await? {
                    self.note_change(scope, ChangeKind::Gateway, gateway.id.as_str()).await?;
                }
            }
        }
        Ok(())
    }

    async fn written_under<T: Serialize>(
        &mut self,
        key: Option<&Arn>,
        document: &T,
        table: &'static str,
        of: &str,
        id: &str,
    ) -> Result<String, StoreError> {
        let plain = Zeroizing::new(written(document, table)?);
        let Some(key) = key else { return Ok(plain.to_string()) };
        let material = self.usable_material(key).await?;
        let seal = material.encrypt(self.random(), &place(table, of, id), plain.as_bytes())?;
        written(&Sealed { sealed_under: key.clone(), seal: STANDARD.encode(seal) }, table)
    }
}

fn place(table: &str, of: &str, id: &str) -> String {
    format!("{table}|{of}|{id}|document")
}
