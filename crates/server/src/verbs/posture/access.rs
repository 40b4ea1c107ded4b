//! Whom the audit asks, and as whom: AWS with the environment's credentials, a URL with the same, or the server of the data
//! directory with the credentials that it wrote.

use aws::sigv4::Credentials;
use domain::{Region, Secret, SystemClock};
use egress::{Client, Network, Reach};
use gateway::PromptsAndResources;
use posture::{Access, Endpoint, Inventory};

use super::Posture;
use crate::bootstrap::PROFILE;
use crate::configuration::{AwsEnvironment, Configuration, read_data_file};
use crate::terminal::Failure;
use crate::verbs::env::setting;

/// Does something with the access that the arguments ask for. Where the API is, is the operator's own word, so that private
/// addresses are dialled.
pub(super) async fn with<T>(
    arguments: &Posture,
    work: impl AsyncFnOnce(Access<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|it| it.parse::<Network>().ok());
    let client = Client::new(Reach { allowed: everywhere.collect(), loopback: true })
        .map_err(|error| Failure::new(error.to_string()))?;
    let (endpoint, credentials, region) = asked(arguments)?;
    let region = arguments.region.clone().unwrap_or(region);
    let region = Region::parse(&region).map_err(|error| Failure::usage(error.to_string()))?;
    work(Access { client: &client, endpoint, credentials, region, clock: &SystemClock }).await
}

fn asked(arguments: &Posture) -> Result<(Endpoint, Credentials, String), Failure> {
    let environment = AwsEnvironment::read();
    let endpoint = match arguments.endpoint.as_deref() {
        Some("aws") => Some(Endpoint::Aws),
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Some(Endpoint::Url(url.to_owned()))
        }
        Some(_) => {
            return Err(Failure::usage("--endpoint is `aws` or a URL that begins with http:// or https://"));
        }
        None => environment.endpoint.clone().map(Endpoint::Url),
    };
    match endpoint {
        Some(endpoint) => {
            let region = environment.region.clone().or_else(|| of_file(&environment, false, "region"));
            Ok((endpoint, of_environment(environment)?, region.unwrap_or_else(|| "us-west-2".to_owned())))
        }
        None => of_data_directory(arguments),
    }
}

fn of_environment(environment: AwsEnvironment) -> Result<Credentials, Failure> {
    let id = of_file(&environment, true, "aws_access_key_id");
    let secret = of_file(&environment, true, "aws_secret_access_key").map(Secret::new);
    let token = of_file(&environment, true, "aws_session_token").map(Secret::new);
    let found = environment.key.or_else(|| id.zip(secret).map(|(id, secret)| (id, secret, token)));
    let (access_key_id, secret, session_token) = found.ok_or_else(|| {
        Failure::usage(format!(
            "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile {}",
            environment.profile
        ))
    })?;
    Ok(Credentials { access_key_id, secret, session_token })
}

/// A setting of the profile, in the shared credentials or configuration file.
fn of_file(environment: &AwsEnvironment, of_credentials: bool, name: &str) -> Option<String> {
    let profile = &environment.profile;
    let (file, section) = match (of_credentials, profile.as_str()) {
        (true, _) => (&environment.credentials_file, profile.clone()),
        (false, "default") => (&environment.config_file, profile.clone()),
        (false, _) => (&environment.config_file, format!("profile {profile}")),
    };
    setting(&std::fs::read_to_string(file.as_ref()?).ok()?, &section, name)
}

/// Whether the server of the data directory refuses prompts and resources where policies guard: no API says so.
pub(super) fn prompts_refused(arguments: &Posture) -> Result<bool, Failure> {
    if arguments.endpoint.is_some() || AwsEnvironment::read().endpoint.is_some() {
        return Ok(false);
    }
    let configuration = Configuration::read(&arguments.settings)?;
    Ok(configuration.prompts_and_resources == PromptsAndResources::Refuse)
}

fn of_data_directory(arguments: &Posture) -> Result<(Endpoint, Credentials, String), Failure> {
    let configuration = Configuration::read(&arguments.settings)?;
    let credentials = read_data_file(&configuration.data("credentials"))?;
    let config = read_data_file(&configuration.data("config"))?;
    let missing = || Failure::new("the files of the data directory are not whole: start the server once");
    let key = |name: &str| setting(&credentials, PROFILE, name).ok_or_else(missing);
    let of_server = |name: &str| setting(&config, &format!("profile {PROFILE}"), name).ok_or_else(missing);
    let credentials = Credentials {
        access_key_id: key("aws_access_key_id")?,
        secret: Secret::new(key("aws_secret_access_key")?),
        session_token: None,
    };
    Ok((Endpoint::Url(of_server("endpoint_url")?), credentials, of_server("region")?))
}

/// Why nothing can be said of the account.
pub(super) fn unreadable(inventory: &Inventory) -> Failure {
    let why = inventory.unread.iter().find(|it| it.operation == "ListGateways");
    let why = why.map(|it| it.why.as_str()).unwrap_or_default();
    Failure::new(format!(
        "the account's gateways cannot be listed: {why}\nStart the server, or say with --endpoint where it is"
    ))
}
