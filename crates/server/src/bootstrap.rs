//! The first start: the first account with its root credentials, the policies that every account has.
//! Later starts find them and change nothing.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, AuditEvent, Clock, Holder, Random, Scope, Secret,
};
use store::{Account, Store};

use crate::configuration::Configuration;
use crate::terminal::Failure;

/// The profile of the files that are written for AWS's clients.
pub(crate) const PROFILE: &str = "portcullis";
/// What it says besides, which AWS's clients pass over: the URL under which this machine reaches the server in the clear.
pub(crate) const LOCAL_URL: &str = "portcullis_local_url";

/// Makes the data directory when there is none. It is its owner's alone; functions of another user may pass through to
/// their own folders, and what else is in it is closed to them file by file.
pub(crate) fn make_data_dir(configuration: &Configuration) -> Result<(), Failure> {
    let folder = &configuration.data_dir;
    let passable = configuration.functions.run_as.is_some();
    let made = DirBuilder::new().recursive(true).mode(if passable { 0o711 } else { 0o700 }).create(folder);
    let made = made.and_then(|()| std::fs::metadata(folder));
    let found = made.map_err(|error| {
        Failure::new(format!(
            "cannot make the data directory {}: {error}\nChoose another with --data-dir",
            folder.display()
        ))
    })?;
    if passable && found.permissions().mode() & 0o001 == 0 {
        return Err(Failure::new(format!(
            "functions run as another user, who cannot pass through the data directory {0}\nLet them with `chmod o+x {0}`; its files stay closed to them",
            folder.display()
        )));
    }
    Ok(())
}

/// A database URL as it may be shown.
pub(crate) fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (user, rest))) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{rest}")
        }
        None => url.to_owned(),
    }
}

/// Makes what every installation has, and gives the root credentials of the first account.
pub(crate) async fn prepare(
    configuration: &Configuration,
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<AccessKey, Failure> {
    let account = AccountId::first();
    let mut tx = store.begin().await?;
    for policy in control::common_policies() {
        tx.put_common_policy(&policy).await?;
    }
    if !tx.has_account(&account).await? {
        let made = Account { id: account.clone(), name: "first".to_owned(), created_at: clock.now() };
        tx.insert_account(&made).await?;
    }
    let known = tx.access_keys(&account, &Holder::Root).await?;
    let key = match &configuration.root {
        None => match known.into_iter().find(|key| key.status == AccessKeyStatus::Active) {
            Some(key) => key,
            None => {
                let key = root_key(&account, AccessKeyId::mint(random), random_secret(random), clock);
                tx.insert_access_key(&key).await?;
                key
            }
        },
        // Those of the environment are the only ones: what was valid before no longer is.
        Some((id, secret)) => {
            let key = root_key(&account, AccessKeyId::from_text(id.as_str()), secret.clone(), clock);
            let unchanged = known.iter().any(|it| it.id == key.id && it.secret.matches(secret.expose()));
            if !(unchanged && known.len() == 1) {
                for former in &known {
                    tx.delete_access_key(&account, &former.id).await?;
                }
                tx.insert_access_key(&key).await?;
            }
            key
        }
    };
    tx.commit(&event("server.prepare", &account, clock, random)).await?;
    Ok(key)
}

/// An account's root key.
pub(crate) fn root_key(account: &AccountId, id: AccessKeyId, secret: Secret, clock: &dyn Clock) -> AccessKey {
    AccessKey {
        id,
        secret,
        account: account.clone(),
        holder: Holder::Root,
        status: AccessKeyStatus::Active,
        created_at: clock.now(),
    }
}

/// Forty characters, as AWS's secrets have.
pub(crate) fn random_secret(random: &dyn Random) -> Secret {
    Secret::new(random.text(40, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
}

/// The audit event of something that the command line did.
pub(crate) fn event(action: &str, account: &AccountId, clock: &dyn Clock, random: &dyn Random) -> AuditEvent {
    AuditEvent::of_system(action, &Scope::global(account), clock.now(), random)
}

/// Writes the files that AWS's clients read: `credentials` and `config`, with the profile [`PROFILE`].
pub(crate) fn write_client_files(
    configuration: &Configuration,
    key: &AccessKey,
    endpoint: &str,
    local: &str,
) -> Result<(), Failure> {
    let credentials = format!(
        "[{PROFILE}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.id,
        key.secret.expose()
    );
    let mut config = format!(
        "[profile {PROFILE}]\nregion = {}\nendpoint_url = {endpoint}\noutput = json\n{LOCAL_URL} = {local}\n",
        configuration.region
    );
    if let Some(authority) = configuration.tls.as_ref().and_then(|tls| tls.authority.as_ref()) {
        config.push_str(&format!("ca_bundle = {}\n", authority.display()));
    }
    for (name, text) in [("credentials", credentials), ("config", config)] {
        let path = configuration.data(name);
        write_private(&path, text.as_bytes(), Make::Anew).map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

pub(crate) fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}\nChoose another folder with --data-dir", path.display()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// The file must not be there.
    New,
    /// The file is replaced whole.
    Anew,
}

/// Writes a file that only its owner may read. A file is replaced whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8], make: Make) -> std::io::Result<()> {
    let written_to = if make == Make::New { path.to_owned() } else { path.with_extension("new") };
    if make == Make::Anew {
        match std::fs::remove_file(&written_to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written_to)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    if make == Make::Anew { std::fs::rename(&written_to, path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://u:secret@h:5432/d"), "postgres://u@h:5432/d");
        assert_eq!(without_password("postgres://h/d"), "postgres://h/d");
        assert_eq!(without_password("sqlite:/a/b"), "sqlite:/a/b");
    }
}
