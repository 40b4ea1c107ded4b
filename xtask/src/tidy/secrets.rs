//! Who may read a secret: each file that calls `Secret::expose` is named here, with why.

use super::files::File;

/// The places where the bytes of a secret are used.
const READERS: &[(&str, &str)] = &[
    ("crates/domain/src/secret.rs", "the type itself"),
    ("crates/aws/src/sigv4/mod.rs", "derives the signing key"),
    ("crates/aws/src/sigv4/outbound.rs", "puts a session's token into its header"),
    ("crates/aws/src/sigv4/legacy.rs", "keys the HMAC of an older presigned URL"),
    ("crates/store/src/tx.rs", "seals what is written"),
    ("crates/store/src/token_vaults.rs", "seals a secret of a token vault"),
    ("crates/store/src/functions.rs", "puts a function's environment together before it is sealed"),
    (
        "crates/store/src/agent_runtime_versions.rs",
        "puts an agent's environment together before it is sealed",
    ),
    ("crates/identity/src/provider/signer.rs", "parses the private key of a pool"),
    ("crates/identity/src/workload.rs", "seals a person's token into that of a workload"),
    ("crates/identity/src/provider/client_authentication.rs", "compares a client's secret"),
    ("crates/identity/src/provider/passwords.rs", "hashes a password"),
    ("crates/identity/src/provider/user_tokens.rs", "hashes a code or a token, by which it is known"),
    ("crates/identity/src/provider/grants.rs", "hands out the tokens of a grant"),
    ("crates/identity/src/provider/browser.rs", "hands out codes, and the cookies of a browser"),
    ("crates/identity/src/provider/sign_in.rs", "counts the characters of a password"),
    (
        "crates/identity/src/provider/initiate.rs",
        "keys the HMAC by which a client proves that it knows its secret",
    ),
    ("crates/control/src/cognito/sign_in.rs", "hands out the tokens of a sign-in"),
    ("crates/mask/src/forms.rs", "writes down the forms in which a secret is looked for"),
    ("crates/identity/src/outbound/client_form.rs", "proves to a token endpoint who a client is"),
    ("crates/identity/src/outbound/exchange.rs", "tells the tokens of people apart, by hashes of them"),
    ("crates/identity/src/jwt_key.rs", "parses the keys that sign JWTs for others"),
    ("crates/control/src/sts/web_identity.rs", "hands a caller the token that says who it is"),
    (
        "crates/identity/src/outbound/external.rs",
        "looks for a provider's secret in the JSON that its owner keeps",
    ),
    (
        "crates/identity/src/outbound/token_answer.rs",
        "measures a refresh token, which is sent back in a form",
    ),
    (
        "crates/identity/src/outbound/federation/tokens.rs",
        "seals a person's tokens, and sends the refresh token back",
    ),
    ("crates/identity/src/outbound/federation/session.rs", "seals a session, and hands out its handles"),
    ("crates/identity/src/outbound/federation/browser.rs", "gives a browser its cookie and its verifier"),
    (
        "crates/control/src/agentcore_data/user_federation.rs",
        "hands an agent the token that a person allowed it",
    ),
    ("crates/identity/src/outbound/grant_request.rs", "writes a person's token into a token request"),
    ("crates/credentials/src/credential.rs", "puts a key or a token into a header"),
    ("crates/credentials/src/key.rs", "puts a key into a query"),
    ("crates/generation/src/model/exchange.rs", "shows the model its key"),
    ("crates/compute/src/environment.rs", "hands a process its environment"),
    ("crates/mail/src/relay.rs", "shows the mail relay who hands messages over"),
    ("crates/inference/src/exchange.rs", "shows a model's endpoint its key"),
    ("crates/compute/src/agents/environment.rs", "hands an agent its environment"),
    ("crates/compute/src/agents/role.rs", "hands an agent the credentials of its role"),
    ("crates/runtimes/src/headers.rs", "hands an agent the token by which it asks for credentials"),
    ("crates/runtimes/src/partner.rs", "compares a partner's key"),
    ("crates/control/src/agentcore/agent_runtime_wire.rs", "shows an agent's environment to its owner"),
    (
        "crates/control/src/agentcore_data/resource_credential.rs",
        "hands an agent the key or the token that it may have",
    ),
    ("crates/control/src/agentcore_data/workload_access_token.rs", "hands an agent its token"),
    ("crates/control/src/cognito/user_pool_client.rs", "shows a client's secret to its owner"),
    ("crates/control/src/iam/access_key.rs", "shows a new key to its owner, once"),
    ("crates/control/src/sts/opening.rs", "hands out the credentials of a session"),
    ("crates/control/src/secrets_manager/content.rs", "shows a secret to those who may read it"),
    ("crates/control/src/secrets_manager/managed.rs", "writes a provider's secret as the JSON that is read"),
    ("crates/control/src/lambda/describe.rs", "shows a function's environment to its owner"),
    ("crates/telemetry/src/exporter.rs", "puts the headers of an export on its request"),
    ("crates/server/src/configuration/telemetry.rs", "bounds the headers of exports"),
    ("crates/server/src/master_key.rs", "reads the master key"),
    ("crates/server/src/bootstrap.rs", "writes the root credentials into their file"),
    ("crates/server/src/verbs/identity.rs", "takes secrets out of what a token endpoint wrote"),
    ("crates/server/src/verbs/account.rs", "shows new root credentials, once"),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    let readers = files.iter().filter(|file| file.path.ends_with(".rs") && file.path.starts_with("crates/"));
    for file in
        readers.filter(|file| file.production().contains(".expose()") && !file.path.contains("/tests/"))
    {
        if !READERS.iter().any(|(path, _)| *path == file.path) {
            problems.push(format!(
                "{} reads a secret: if it must, xtask/src/tidy/secrets.rs has to say why",
                file.path
            ));
        }
    }
    for (path, _) in READERS {
        let reads = files.iter().any(|file| file.path == *path && file.text.contains("expose("));
        if !reads {
            problems.push(format!("{path} reads no secret, and xtask/src/tidy/secrets.rs says it does"));
        }
    }
    problems
}
