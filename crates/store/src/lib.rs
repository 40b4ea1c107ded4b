//! Transactions and rows.
//!
//! [`Store`] is one database, SQLite or PostgreSQL; [`Tx`] is one transaction, and every statement is a method of it,
//! in the file of its resource, with its SQL in sight and written once for both. A transaction that writes ends in
//! [`Tx::commit`], which demands the audit event of what was done: no change without its record. The rows of the
//! change feed that it wrote are seen by everyone who waits on [`Store::changed`].
//!
//! The store knows no AWS, no MCP and no HTTP. Secrets are sealed before they become a column (`seal.rs`).

mod backend;
mod changes;
mod copying;
mod database;
mod error;
mod look;
mod master;
mod replicas;
mod resource_policies;
mod resume;
mod schema;
mod seal;
mod standing;
mod tx;

mod accounts;
mod agent_runtime_endpoints;
mod agent_runtime_versions;
mod agent_runtimes;
mod agent_sessions;
mod audit;
mod audit_chain;
mod audit_findings;
mod audit_health;
mod audit_log;
mod audit_retention;
mod audit_verify;
mod belongings;
mod credential_providers;
mod federation;
mod function_permissions;
mod function_versions;
mod functions;
mod gateways;
mod iam;
mod idempotency;
mod kms_keys;
mod log_groups;
mod log_settings;
mod log_writer;
mod mail;
mod mcp_sessions;
mod objects;
mod policies;
mod policy_generations;
mod policy_summaries;
mod pools;
mod rate_leases;
mod rate_limits;
mod recorded_calls;
mod sealed_documents;
mod secrets;
mod tags;
mod targets;
mod token_vaults;
mod vault_rotation;
mod web_identity_issuers;
mod workload_identities;

pub use accounts::Account;
pub use audit::{AuditFilter, ChainedEvent, Recorded, StoredEvent};
pub use audit_chain::{ChainEnds, ChainHead, Digest, HeadKind, PublicKey};
pub use audit_findings::{Checkpoints, Finding, Fraud, NoCheckpoints, Verified};
pub use audit_health::{AuditHealth, WhenFailing};
pub use audit_log::{AuditLog, Booked};
pub use audit_retention::Retired;
pub use belongings::Belongings;
pub use changes::{Change, ChangeKind};
pub use copying::{Backup, Copied, CopyError, Counted, Step, Watcher, migrate};
pub use error::StoreError;
pub use idempotency::Remembered;
pub use kms_keys::{KmsAlias, KmsMaterial};
pub use log_groups::{LogEvent, LogGroup, LogQuery, LogStream, MOST_EVENTS};
pub use log_settings::{Delivery, DeliveryDestination, DeliverySource, LogSetting};
pub use log_writer::{LogLine, LogWriter};
pub use look::{LiveReplica, Look, Server, look, opens};
pub use mail::Mail;
pub use master::{KeyCommand, KeyWork, Master, has_data_key, rewrap};
pub use mcp_sessions::{McpSessionKey, McpSessionState, UpstreamSession};
pub use objects::{BlobWriter, CHUNK, KeyRange};
pub use pools::Registrations;
pub use rate_leases::{OtherReplicas, RateAsk};
pub use replicas::{Beat, Replica};
pub use resume::Unsettled;
pub use seal::MasterKey;
pub use standing::{CUT_OFF, Standing};
pub use tx::{Page, Store, Tx};
pub use vault_rotation::{Batch, VaultRotation};
