//! The command that keeps the master key, as a key management service does: `vault.master-key-command` with one more
//! argument, `wrap` or `unwrap`. It reads from its standard input and writes to its standard output; what it writes
//! anywhere is neither logged nor shown, because it may be the key.

use std::process::Stdio;
use std::time::Duration;

use domain::Secret;
use store::{KeyCommand, KeyWork, MasterKey, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much it may write, in bytes. A wrapped key of AWS KMS is less than a kilobyte.
const MOST_OUTPUT: u64 = 64 * 1024;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct MasterKeyCommand {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

impl MasterKeyCommand {
    async fn run(&self, verb: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let failed = |why: String| StoreError::MasterKey(format!("`{} … {verb}` {why}", self.program));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let work = async {
            let write = async {
                if let Some(mut stdin) = stdin {
                    // A command that needs no input may end before it has read it.
                    let _ = stdin.write_all(input).await;
                    let _ = stdin.shutdown().await;
                }
            };
            let read = async {
                let mut output = Zeroizing::new(Vec::new());
                if let Some(stdout) = stdout {
                    stdout.take(MOST_OUTPUT + 1).read_to_end(&mut output).await?;
                }
                Ok::<_, std::io::Error>(output)
            };
            let ((), output) = tokio::join!(write, read);
            Ok::<_, std::io::Error>((output?, child.wait().await?))
        };
        let ended = tokio::time::timeout(PATIENCE, work).await;
        let ended = ended.map_err(|_| failed(format!("did not end within {} s", PATIENCE.as_secs())))?;
        let (output, status) = ended.map_err(|error| failed(format!("failed: {error}")))?;
        if u64::try_from(output.len()).unwrap_or(u64::MAX) > MOST_OUTPUT {
            return Err(failed(format!("wrote more than {MOST_OUTPUT} bytes")));
        }
        if !status.success() {
            return Err(failed(format!("ended with {status}: run it by hand to see why")));
        }
        if output.trim_ascii().is_empty() {
            return Err(failed("wrote nothing to its standard output".to_owned()));
        }
        Ok(output)
    }
}

impl KeyCommand for MasterKeyCommand {
    fn wrap<'a>(&'a self, key: &'a MasterKey) -> KeyWork<'a, Vec<u8>> {
        Box::pin(async move {
            let wrapped = self.run("wrap", key.to_text().as_bytes()).await?;
            // A command that writes back what it was given would leave the key in the database.
            if MasterKey::from_text(&String::from_utf8_lossy(&wrapped)).is_some() {
                return Err(StoreError::MasterKey("`wrap` gave the key back as it was".to_owned()));
            }
            // A key that cannot be had back would lose every secret at the next start.
            let again = self.unwrap(&wrapped).await?;
            if Secret::new(again.to_text().as_str()).matches(key.to_text().as_str()) {
                Ok(wrapped.to_vec())
            } else {
                Err(StoreError::MasterKey("`unwrap` did not give back what `wrap` was given".to_owned()))
            }
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> KeyWork<'a, MasterKey> {
        Box::pin(async move {
            let output = self.run("unwrap", wrapped).await?;
            let text = std::str::from_utf8(&output).ok();
            text.and_then(MasterKey::from_text).ok_or_else(|| {
                StoreError::MasterKey(
                    "`unwrap` wrote no master key: it must be 32 bytes in base64".to_owned(),
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::SystemRandom;

    use super::*;

    fn shell(script: &str) -> MasterKeyCommand {
        let arguments = ["-c", script, "sh"].map(str::to_owned).into();
        MasterKeyCommand { program: "sh".to_owned(), arguments }
    }

    async fn wrap(script: &str) -> String {
        let wrapped = shell(script).wrap(&MasterKey::generate(&SystemRandom)).await;
        wrapped.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_key_comes_back_from_what_wraps_it() {
        let command = shell("case $1 in wrap) echo w; cat;; *) tail -n 1;; esac");
        let key = MasterKey::generate(&SystemRandom);
        let wrapped = command.wrap(&key).await.unwrap();
        assert!(wrapped.starts_with(b"w\n"));
        assert_eq!(command.unwrap(&wrapped).await.unwrap().to_text(), key.to_text());
    }

    #[tokio::test]
    async fn a_command_that_does_not_keep_a_key_is_refused_and_not_quoted() {
        assert!(wrap("cat").await.contains("as it was"));
        assert!(wrap("echo a-secret >&2; exit 3").await.contains("status: 3"));
        assert!(wrap("true").await.contains("wrote nothing"));
        assert!(wrap("head -c 70000 /dev/zero").await.contains("more than 65536 bytes"));
        let other = "case $1 in wrap) echo a-secret;; *) head -c 32 /dev/zero | base64;; esac";
        let told = wrap(other).await;
        assert!(told.contains("did not give back") && !told.contains("a-secret"), "{told}");
        assert!(wrap("echo a-secret").await.contains("no master key"));
        let absent = MasterKeyCommand { program: "/no/such/program".to_owned(), arguments: Vec::new() };
        let told = absent.unwrap(b"x").await.err().unwrap().to_string();
        assert!(told.contains("cannot be started"), "{told}");
    }
}
