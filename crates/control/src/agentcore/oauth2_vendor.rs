//! The vendors of OAuth2 credential providers as requests and answers write them: each has a member of the configuration of
//! its own, or shares `includedOauth2ProviderConfig` (API reference, `Oauth2ProviderConfigInput`).

use aws_shapes::bedrock_agentcore_control::{
    CredentialProviderVendorType as Wire, CustomOauth2ProviderConfigInput, IncludedOauth2ProviderConfigInput,
    MicrosoftOauth2ProviderConfigInput, Oauth2Discovery, Oauth2ProviderConfigInput as Input,
    Oauth2ProviderConfigOutput as Output, SlackOauth2ProviderConfigInput, SlackOauth2ProviderConfigOutput,
};
use domain::Vendor;

/// A configuration as it is given, whatever the vendor.
pub(super) enum Configuration {
    /// A server that its owner describes.
    Custom(CustomOauth2ProviderConfigInput),
    /// A vendor that has one server.
    Preset(SlackOauth2ProviderConfigInput),
    /// A vendor whose server has tenants.
    Tenant(MicrosoftOauth2ProviderConfigInput),
    /// A vendor that has one server, or whose tenants have.
    Included(IncludedOauth2ProviderConfigInput),
}

/// The member in which a configuration is given, and what is in it.
pub(super) fn read(given: Input) -> (&'static str, Configuration) {
    use Configuration::{Custom, Included, Preset, Tenant};
    match given {
        Input::CustomOauth2ProviderConfig(it) => ("customOauth2ProviderConfig", Custom(it)),
        Input::GoogleOauth2ProviderConfig(it) => ("googleOauth2ProviderConfig", Preset(it)),
        Input::GithubOauth2ProviderConfig(it) => ("githubOauth2ProviderConfig", Preset(it)),
        Input::SlackOauth2ProviderConfig(it) => ("slackOauth2ProviderConfig", Preset(it)),
        Input::SalesforceOauth2ProviderConfig(it) => ("salesforceOauth2ProviderConfig", Preset(it)),
        Input::MicrosoftOauth2ProviderConfig(it) => ("microsoftOauth2ProviderConfig", Tenant(it)),
        Input::AtlassianOauth2ProviderConfig(it) => ("atlassianOauth2ProviderConfig", Preset(it)),
        Input::LinkedinOauth2ProviderConfig(it) => ("linkedinOauth2ProviderConfig", Preset(it)),
        Input::IncludedOauth2ProviderConfig(it) => ("includedOauth2ProviderConfig", Included(it)),
    }
}

/// The member in which a vendor's configuration must be given.
pub(super) fn member(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Custom => "customOauth2ProviderConfig",
        Vendor::Google => "googleOauth2ProviderConfig",
        Vendor::Github => "githubOauth2ProviderConfig",
        Vendor::Slack => "slackOauth2ProviderConfig",
        Vendor::Salesforce => "salesforceOauth2ProviderConfig",
        Vendor::Microsoft => "microsoftOauth2ProviderConfig",
        Vendor::Atlassian => "atlassianOauth2ProviderConfig",
        Vendor::Linkedin => "linkedinOauth2ProviderConfig",
        _ => "includedOauth2ProviderConfig",
    }
}

/// The configuration of a vendor that is not described by its owner, as answers have it.
pub(super) fn show(vendor: Vendor, oauth_discovery: Oauth2Discovery, client_id: String) -> Output {
    let shown = SlackOauth2ProviderConfigOutput { oauth_discovery, client_id: Some(client_id) };
    match vendor {
        Vendor::Google => Output::GoogleOauth2ProviderConfig(shown),
        Vendor::Github => Output::GithubOauth2ProviderConfig(shown),
        Vendor::Slack => Output::SlackOauth2ProviderConfig(shown),
        Vendor::Salesforce => Output::SalesforceOauth2ProviderConfig(shown),
        Vendor::Microsoft => Output::MicrosoftOauth2ProviderConfig(shown),
        Vendor::Atlassian => Output::AtlassianOauth2ProviderConfig(shown),
        Vendor::Linkedin => Output::LinkedinOauth2ProviderConfig(shown),
        _ => Output::IncludedOauth2ProviderConfig(shown),
    }
}

/// The vendor of a name.
pub(super) fn of(wire: Wire) -> Vendor {
    match wire {
        Wire::CustomOauth2 => Vendor::Custom,
        Wire::GoogleOauth2 => Vendor::Google,
        Wire::GithubOauth2 => Vendor::Github,
        Wire::SlackOauth2 => Vendor::Slack,
        Wire::SalesforceOauth2 => Vendor::Salesforce,
        Wire::MicrosoftOauth2 => Vendor::Microsoft,
        Wire::AtlassianOauth2 => Vendor::Atlassian,
        Wire::LinkedinOauth2 => Vendor::Linkedin,
        Wire::XOauth2 => Vendor::X,
        Wire::OktaOauth2 => Vendor::Okta,
        Wire::OneLoginOauth2 => Vendor::OneLogin,
        Wire::PingOneOauth2 => Vendor::PingOne,
        Wire::FacebookOauth2 => Vendor::Facebook,
        Wire::YandexOauth2 => Vendor::Yandex,
        Wire::RedditOauth2 => Vendor::Reddit,
        Wire::ZoomOauth2 => Vendor::Zoom,
        Wire::TwitchOauth2 => Vendor::Twitch,
        Wire::SpotifyOauth2 => Vendor::Spotify,
        Wire::DropboxOauth2 => Vendor::Dropbox,
        Wire::NotionOauth2 => Vendor::Notion,
        Wire::HubspotOauth2 => Vendor::Hubspot,
        Wire::CyberArkOauth2 => Vendor::CyberArk,
        Wire::FusionAuthOauth2 => Vendor::FusionAuth,
        Wire::Auth0Oauth2 => Vendor::Auth0,
        Wire::CognitoOauth2 => Vendor::Cognito,
    }
}

/// The name of a vendor.
pub(super) fn name(vendor: Vendor) -> Wire {
    match vendor {
        Vendor::Custom => Wire::CustomOauth2,
        Vendor::Google => Wire::GoogleOauth2,
        Vendor::Github => Wire::GithubOauth2,
        Vendor::Slack => Wire::SlackOauth2,
        Vendor::Salesforce => Wire::SalesforceOauth2,
        Vendor::Microsoft => Wire::MicrosoftOauth2,
        Vendor::Atlassian => Wire::AtlassianOauth2,
        Vendor::Linkedin => Wire::LinkedinOauth2,
        Vendor::X => Wire::XOauth2,
        Vendor::Okta => Wire::OktaOauth2,
        Vendor::OneLogin => Wire::OneLoginOauth2,
        Vendor::PingOne => Wire::PingOneOauth2,
        Vendor::Facebook => Wire::FacebookOauth2,
        Vendor::Yandex => Wire::YandexOauth2,
        Vendor::Reddit => Wire::RedditOauth2,
        Vendor::Zoom => Wire::ZoomOauth2,
        Vendor::Twitch => Wire::TwitchOauth2,
        Vendor::Spotify => Wire::SpotifyOauth2,
        Vendor::Dropbox => Wire::DropboxOauth2,
        Vendor::Notion => Wire::NotionOauth2,
        Vendor::Hubspot => Wire::HubspotOauth2,
        Vendor::CyberArk => Wire::CyberArkOauth2,
        Vendor::FusionAuth => Wire::FusionAuthOauth2,
        Vendor::Auth0 => Wire::Auth0Oauth2,
        Vendor::Cognito => Wire::CognitoOauth2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_has_a_name_of_its_own() {
        for vendor in Vendor::ALL {
            assert_eq!(of(name(vendor)), vendor);
        }
    }
}
