//! Groups of users, identity providers, what access keys were last used for, and policies of resources.

pub(super) const PRINCIPALS: &str = "
CREATE TABLE user_groups (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE group_members (
    account TEXT NOT NULL,
    user_name TEXT NOT NULL,
    group_name TEXT NOT NULL,
    PRIMARY KEY (account, user_name, group_name)
);
CREATE INDEX group_members_by_group ON group_members (account, group_name);

CREATE TABLE oidc_providers (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE access_key_uses (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    service TEXT NOT NULL,
    region TEXT NOT NULL
);

CREATE TABLE resource_policies (
    arn TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    document TEXT NOT NULL
);
";
