//! The table of those who say to others who an account's identities are.

pub(super) const WEB_IDENTITY: &str = "
CREATE TABLE web_identity_issuers (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    rsa_key {bytes} NOT NULL,
    ec_key {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account)
);
CREATE UNIQUE INDEX web_identity_issuers_by_id ON web_identity_issuers (id);
";
