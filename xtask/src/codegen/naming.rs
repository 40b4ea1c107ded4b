//! How AWS's names become Rust's.

/// `AllowedOAuthFlowsUserPoolClient` becomes `allowed_oauth_flows_user_pool_client`; Rust's keywords get `r#`.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "enum" | "struct" | "match" | "ref" | "move" | "use" | "in" => format!("r#{snake}"),
        _ => snake,
    }
}

/// `CreateGateway` becomes `create_gateway`.
pub(crate) fn snake(name: &str) -> String {
    let eased = name.replace("OAuth", "Oauth").replace("URLs", "Urls").replace("ARNs", "Arns");
    let letters: Vec<char> = eased.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        let begins_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if begins_word && !snake.ends_with('_') {
            snake.push('_');
        }
        if letter.is_alphanumeric() {
            snake.extend(letter.to_lowercase());
        } else if !snake.ends_with('_') {
            snake.push('_');
        }
    }
    snake
}

/// `bedrock-agentcore-control` becomes `bedrock_agentcore_control`.
pub(crate) fn module(service: &str) -> String {
    match service {
        "lambda" => "lambda".to_owned(),
        other => other.replace('-', "_"),
    }
}

/// A type's or a variant's name: `CUSTOM_JWT` becomes `CustomJwt`, `client_credentials` becomes `ClientCredentials`.
pub(crate) fn pascal(name: &str) -> String {
    snake(name)
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        })
        .collect()
}

/// A static's name: `CreateGatewayRequest` becomes `CREATE_GATEWAY_REQUEST`.
pub(crate) fn constant(name: &str) -> String {
    snake(name).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_rust() {
        for (aws, rust) in [
            ("AllowedOAuthFlowsUserPoolClient", "allowed_oauth_flows_user_pool_client"),
            ("AWSAccountId", "aws_account_id"),
            ("customJWTAuthorizer", "custom_jwt_authorizer"),
            ("CallbackURLs", "callback_urls"),
            ("type", "r#type"),
            ("CodeSha256", "code_sha256"),
        ] {
            assert_eq!(field(aws), rust);
        }
        assert_eq!(pascal("CUSTOM_JWT"), "CustomJwt");
        assert_eq!(pascal("client_credentials"), "ClientCredentials");
        assert_eq!(pascal("provided.al2023"), "ProvidedAl2023");
        assert_eq!(constant("CreateGatewayRequest"), "CREATE_GATEWAY_REQUEST");
    }
}
