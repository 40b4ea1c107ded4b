//! Functions as the store keeps them, ready to run.
//!
//! `compute` runs code and knows neither the store nor IAM; this room stands between them. It reads a function with its
//! environment and its resource policy, gives its processes the credentials of its role, and remembers what it read
//! until the change feed says that the function changed.

mod prepared;
mod triggers;
mod versions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compute::{Completed, Invocation, InvokeError, Supervisor};
use domain::{Arn, Clock, Random, Region, Scope};
use store::{Store, StoreError};

pub use prepared::{Prepared, policy_document};
pub use versions::{Meant, meant};

/// How long the credentials of a function's role live, in seconds.
const CREDENTIAL_SECONDS: u64 = 3_600;

/// All functions of the installation.
#[derive(Clone)]
pub struct Functions(Arc<Inner>);

struct Inner {
    store: Store,
    supervisor: Supervisor,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Where the AWS SDKs inside functions find this server.
    endpoint_url: String,
    known: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// Counts how often something was forgotten, so that what was read before is not kept after.
    epoch: u64,
    /// By what each is called: its name, and the version or alias.
    functions: HashMap<(Scope, String), HashMap<Option<String>, Arc<Prepared>>>,
}

impl Functions {
    /// The functions in `store`, run by `supervisor`.
    #[must_use]
    pub fn new(
        store: Store,
        supervisor: Supervisor,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        endpoint_url: String,
    ) -> Self {
        let known = Mutex::default();
        Self(Arc::new(Inner { store, supervisor, clock, random, endpoint_url, known }))
    }

    /// The function of this name, ready to run.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn find(&self, scope: &Scope, name: &str) -> Result<Option<Arc<Prepared>>, StoreError> {
        let name = FunctionName { scope: scope.clone(), name: name.to_owned(), qualifier: None };
        self.find_named(&name).await
    }

    /// What a function's name means, ready to run: its `$LATEST`, a version, or the version of an alias.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn find_named(&self, name: &FunctionName) -> Result<Option<Arc<Prepared>>, StoreError> {
        let key = (name.scope.clone(), name.name.clone());
        let epoch = {
            let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(prepared) = known.functions.get(&key).and_then(|named| named.get(&name.qualifier)) {
                return Ok(Some(Arc::clone(prepared)));
            }
            known.epoch
        };
        let Some(prepared) = prepared::read(self, name).await? else { return Ok(None) };
        let prepared = Arc::new(prepared);
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch == epoch {
            known.functions.entry(key).or_default().insert(name.qualifier.clone(), Arc::clone(&prepared));
        }
        Ok(Some(prepared))
    }

    /// The same as it stands in the store at this moment, whatever is remembered.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn read(&self, name: &FunctionName) -> Result<Option<Prepared>, StoreError> {
        prepared::read(self, name).await
    }

    /// Runs a function.
    ///
    /// # Errors
    /// [`InvokeError`] when it could not be run; what it did wrong itself is in [`Completed`].
    pub async fn invoke(
        &self,
        function: &Prepared,
        invocation: Invocation,
    ) -> Result<Completed, InvokeError> {
        let launch = function.launch(&*self.0.random);
        let completed = self.0.supervisor.invoke(launch, invocation.clone()).await;
        let Err(InvokeError::CodeUnavailable(why)) = completed else { return completed };
        // The function was given other code before this one was ever unpacked here: then the other is meant.
        let gone = || InvokeError::CodeUnavailable(why.clone());
        let Some(name) = FunctionName::parse(function.arn.as_str(), &function.function.scope) else {
            return Err(gone());
        };
        let present = self.read(&name).await.ok().flatten().ok_or_else(gone)?;
        if present.function.code_sha256 == function.function.code_sha256 {
            return Err(gone());
        }
        self.0.supervisor.invoke(present.launch(&*self.0.random), invocation).await
    }

    /// Forgets a function, because it, a version or an alias of it, or a resource policy changed.
    pub fn forget(&self, scope: &Scope, name: &str) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.functions.remove(&(scope.clone(), name.to_owned()));
    }

    /// Ends all processes: at once those that wait, after `grace` those that work.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.supervisor.shutdown(grace).await;
    }

    /// Ends the processes of a function that is gone.
    pub fn retire(&self, scope: &Scope, name: &str) {
        self.forget(scope, name);
        self.0.supervisor.retire(&Arn::function(scope, name));
    }
}

/// The parts of a function's ARN: where it is, its name, and the version or alias that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// `$LATEST`, a version or an alias, where one is given.
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// The ARN that it stands for, with the qualifier that was given.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::qualified_function(&self.scope, &self.name, self.qualifier.as_deref())
    }

    /// Reads what Lambda's API takes for a function's name: the bare name, `account:function:name`, or the ARN, each
    /// with or without `:qualifier`. What is not given is the caller's own.
    #[must_use]
    pub fn parse(text: &str, own: &Scope) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scope, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => {
                let account = domain::AccountId::parse(account).ok()?;
                (Scope { account, region: Region::parse(region).ok()? }, rest)
            }
            [account, "function", rest @ ..] => {
                let account = domain::AccountId::parse(account).ok()?;
                (Scope { account, region: own.region.clone() }, rest)
            }
            ["function", rest @ ..] | rest => (own.clone(), rest),
        };
        match rest {
            [name] => Some(Self { scope, name: (*name).to_owned(), qualifier: None }),
            [name, qualifier] if !qualifier.is_empty() => {
                Some(Self { scope, name: (*name).to_owned(), qualifier: Some((*qualifier).to_owned()) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::AccountId;

    use super::*;

    #[test]
    fn functions_are_named_in_four_ways() {
        let own = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
        let parse = |text: &str| FunctionName::parse(text, &own);
        let bare = parse("my-fn").unwrap();
        assert_eq!((bare.scope, bare.name.as_str(), bare.qualifier), (own.clone(), "my-fn", None));
        let full = parse("arn:aws:lambda:eu-west-1:123456789012:function:my-fn:PROD").unwrap();
        assert_eq!(full.scope.region.as_str(), "eu-west-1");
        assert_eq!(full.scope.account.as_str(), "123456789012");
        assert_eq!((full.name.as_str(), full.qualifier.as_deref()), ("my-fn", Some("PROD")));
        assert_eq!(parse("123456789012:function:my-fn").unwrap().scope.account.as_str(), "123456789012");
        assert_eq!(parse("my-fn:$LATEST").unwrap().qualifier.as_deref(), Some("$LATEST"));
        for wrong in ["arn:aws:lambda:eu-west-1:12:function:x", "arn:aws:s3:::x", "a:b:c:d", "a:"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
