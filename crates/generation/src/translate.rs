//! Controlled English becomes Cedar, without a model and always in the same way.

use policy::Schema;

use crate::english::{self, Catalogue, Claims, Effect, Intent, What, World};
use crate::{Asset, Finding, FindingKind, GatewayTools, judge, sentences};

/// The most tokens that a sentence may have. Longer ones are not read.
const LONGEST_SENTENCE: usize = 250;

/// Makes an asset of each sentence of `text`.
#[must_use]
pub fn translate(text: &str, gateway: &GatewayTools) -> Vec<Asset> {
    let sentences = sentences::split(text);
    let schema = match gateway.schema() {
        Ok(schema) => schema,
        Err(error) => {
            let why = error.to_string();
            return sentences
                .into_iter()
                .map(|sentence| Asset::not_translatable(sentence, why.clone()))
                .collect();
        }
    };
    let world = World {
        gateway,
        schema: &schema,
        catalogue: Catalogue::new(gateway),
        claims: Claims::new(&gateway.principals, &gateway.arn),
    };
    sentences.into_iter().map(|sentence| asset(sentence, &world, &schema)).collect()
}

fn asset(sentence: &str, world: &World<'_>, schema: &Schema) -> Asset {
    let tokens = english::tokens(sentence);
    if tokens.len() > LONGEST_SENTENCE {
        return Asset::not_translatable(sentence, "the sentence is too long; make several of it");
    }
    let intent = match english::read(&tokens, world) {
        Ok(intent) => intent,
        Err(wrong) => return Asset::not_translatable(sentence, wrong.why),
    };
    let gateway = world.gateway;
    let statement = english::write(&intent, &gateway.arn, &gateway.principals);
    let mut findings = judge::findings(&statement, schema);
    if let Some(first) = findings.first_mut().filter(|finding| finding.kind == FindingKind::Valid) {
        *first = if intent.condition.as_ref().is_some_and(english::is_never) {
            never(intent.effect)
        } else {
            Finding { kind: FindingKind::Valid, description: reading(&intent) }
        };
    }
    Asset { fragment: sentence.to_owned(), statement: Some(statement), findings }
}

/// What CreatePolicy would say of a policy whose conditions cannot hold together.
fn never(effect: Effect) -> Finding {
    let finding = policy::Finding::never_applies(match effect {
        Effect::Permit => policy::Effect::Permit,
        Effect::Forbid => policy::Effect::Forbid,
    });
    Finding { kind: finding.kind.into(), description: finding.message }
}

/// What was taken for granted, for whoever reviews the policy.
fn reading(intent: &Intent) -> String {
    let mut notes = vec!["The policy fits the gateway's schema".to_owned()];
    if intent.only && intent.effect == Effect::Permit {
        notes.push(
            "\"only\" permits this and nothing else; it does not take back what another policy permits (for that say \"never … unless …\")"
                .to_owned(),
        );
    }
    if intent.effect == Effect::Permit && intent.condition.is_none() {
        notes.push("it is permitted to every caller with any arguments".to_owned());
    }
    if let Some(scope) = intent.condition.as_ref().and_then(english::short_scope) {
        notes.push(format!(
            "the scope `{scope}` is the one of any resource server (`server/{scope}`); to mean one server's, name it with the scope"
        ));
    }
    if intent.what == What::Everything {
        notes.push("it is about every tool of the gateway, also about tools that it will have".to_owned());
    }
    notes.join("; ")
}
