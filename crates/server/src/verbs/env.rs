//! `portcullis env`: what points AWS's clients at this server, as exports for a shell.

use serde_json::{Map, Value};

use crate::bootstrap::PROFILE;
use crate::command_line::Env;
use crate::configuration::{Configuration, read_data_file};
use crate::terminal::{Failure, say};

/// Prints the exports.
pub(crate) fn run(arguments: &Env) -> Result<(), Failure> {
    let configuration = Configuration::read(&arguments.settings)?;
    let credentials = read_data_file(&configuration.data("credentials"))?;
    let config = read_data_file(&configuration.data("config"))?;
    let value = |text: &str, section: &str, name: &str| {
        setting(text, section, name).ok_or_else(|| {
            Failure::new(format!("the files of the data directory have no {name}: start the server once"))
        })
    };
    let profile = format!("profile {PROFILE}");
    let region = value(&config, &profile, "region")?;
    // Absent, the system's own authorities are trusted.
    let authority = setting(&config, &profile, "ca_bundle").map(|path| ("AWS_CA_BUNDLE", path));
    let exports = [
        ("AWS_ENDPOINT_URL", value(&config, &profile, "endpoint_url")?),
        ("AWS_ACCESS_KEY_ID", value(&credentials, PROFILE, "aws_access_key_id")?),
        ("AWS_SECRET_ACCESS_KEY", value(&credentials, PROFILE, "aws_secret_access_key")?),
        // Some clients read the one, some the other.
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region),
    ];
    let exports = exports.into_iter().chain(authority);
    if arguments.json {
        let object: Map<String, Value> =
            exports.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        return say(Value::Object(object));
    }
    for (name, value) in exports {
        say(format!("export {name}={}", quoted(&value)))?;
    }
    // What would win over the exports.
    say("unset AWS_SESSION_TOKEN AWS_PROFILE")
}

/// A value of an AWS configuration file.
pub(super) fn setting(text: &str, section: &str, name: &str) -> Option<String> {
    let mut here = false;
    for line in text.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            here = head == section;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| here)
            && key.trim() == name
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

/// A word that every POSIX shell reads as itself.
fn quoted(value: &str) -> String {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_their_section() {
        let text = "[other]\nregion = a\n[profile portcullis]\nregion = us-west-2\n";
        assert_eq!(setting(text, "profile portcullis", "region").as_deref(), Some("us-west-2"));
        assert_eq!(setting(text, "profile portcullis", "output"), None);
    }

    #[test]
    fn values_survive_a_shell() {
        assert_eq!(quoted("http://127.0.0.1:4848"), "http://127.0.0.1:4848");
        assert_eq!(quoted("a'b c"), "'a'\\''b c'");
    }
}
