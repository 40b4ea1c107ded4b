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
