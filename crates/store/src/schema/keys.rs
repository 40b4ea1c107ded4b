//! The tables of keys: those of the key management service, and the data keys of token vaults.

/// KMS keys with what they are made of, sealed; their aliases; which key a token vault is under; and the data keys of the
/// vaults, wrapped by the server's key or by a KMS key (`wrapped_by`, empty for the server's). One data key of a vault is
/// its current one, under which secrets are sealed; former ones open what is not sealed anew yet.
pub(super) const KEYS: &str = "
CREATE TABLE kms_keys (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    gone_at BIGINT NOT NULL,
    material {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE INDEX kms_keys_by_end ON kms_keys (gone_at);

CREATE TABLE kms_aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX kms_aliases_by_key ON kms_aliases (account, region, target);

CREATE TABLE token_vaults (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kms_key TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region)
);
CREATE INDEX token_vaults_by_key ON token_vaults (kms_key);

CREATE TABLE vault_keys (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    is_current BIGINT NOT NULL,
    wrapped_by TEXT NOT NULL,
    wrapped {bytes} NOT NULL
);
CREATE INDEX vault_keys_by_vault ON vault_keys (account, region, is_current);
";
