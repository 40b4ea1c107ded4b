//! A model makes the policies: over an endpoint that speaks OpenAI's or Anthropic's protocol.
//!
//! Nothing that the model says is trusted. What it may answer is a list of fragments and statements, no larger than a bound; each
//! statement is checked as if a stranger had written it ([`answer`]): one policy, about this gateway and its tools. What is wrong
//! goes back to the model a bounded number of times, and what stays wrong is shown as `INVALID`.
//!
//! A tool's description is written by whoever runs the tool, and may try to speak to the model. It is shown as data, in JSON and
//! cut, and whatever it achieves has to pass the same checks; what remains is a policy about this gateway that the text did not
//! ask for, which is why a policy is shown to a person before it is made.

mod answer;
mod exchange;
mod prompt;
mod settings;

use egress::Client;

use crate::{Asset, FindingKind, Generating, GenerationError, Generator, Request};
pub use settings::{ModelProtocol, ModelSettings};

/// A generator that asks a model.
pub struct Model {
    settings: ModelSettings,
    client: Client,
}

impl Model {
    /// A generator that asks the model of `settings` by way of `client`, which says what may be dialled.
    #[must_use]
    pub fn new(settings: ModelSettings, client: Client) -> Self {
        Self { settings, client }
    }

    async fn ask(&self, request: &Request) -> Result<Vec<Asset>, GenerationError> {
        let schema = request.gateway.schema()?;
        let mut conversation = prompt::opening(request, &schema);
        let mut rounds = 0;
        loop {
            let said = exchange::ask(&self.settings, &self.client, &conversation).await?;
            let judged = answer::judge(&said, request, &schema);
            let faults = answer::faults(&judged);
            if faults.is_empty() || rounds >= self.settings.retries {
                return judged.map_err(GenerationError::Unusable);
            }
            rounds += 1;
            prompt::complain(&mut conversation, said, &faults);
        }
    }
}

impl Generator for Model {
    fn generate<'a>(&'a self, request: &'a Request) -> Generating<'a> {
        Box::pin(self.ask(request))
    }
}

/// Whether an asset is one that asking again may mend.
fn is_faulty(asset: &Asset) -> bool {
    asset.findings.iter().any(|finding| finding.kind == FindingKind::Invalid)
}
