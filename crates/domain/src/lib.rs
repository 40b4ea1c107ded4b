//! What exists in Portcullis and what may happen to it.
//!
//! This is the ground floor: identifiers, ARNs, the state of each resource with its legal transitions, the
//! clock and the randomness that everything above is handed, and the types that keep secrets from being
//! printed. Nothing here does I/O, and nothing here knows a wire format, SQL, HTTP or a runtime. The serde
//! derives describe how the store keeps a document, which no client ever sees.

mod account;
mod arn;
mod audit;
mod audit_call;
mod caller;
mod client_key;
mod clock;
mod credential;
mod federation;
mod function;
mod gateway;
mod generation;
mod iam;
mod identifiers;
mod kept_secret;
mod kms_key;
mod object;
mod on_behalf_of;
mod origin;
mod outbound;
mod policy;
mod pool;
mod pool_trigger;
mod pool_user;
mod random;
mod rate_lease;
mod rate_limit;
mod recording;
mod runtime;
mod secret;
mod state;
mod target;
mod third_party;
mod vendor;
mod web_identity;
mod workload;

pub use account::{AccountId, InvalidScope, Region, Scope};
pub use arn::{Arn, InvalidArn};
pub use audit::{Actor, AuditEvent, AuditKind, Decision, LogOnly, Outcome, RATE_LIMITED};
pub use audit_call::{AuditCall, AuditPrincipal, AuditToken, AuditTrace, Authority, Shown, beginning};
pub use caller::{Caller, Principal, SessionFacts};
pub use client_key::{ClientKey, ClientKeyAlgorithm};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use credential::{
    AuthorizationServer, ClientAuthentication, CredentialKind, CredentialProvider, CredentialSettings,
    ExternalSecret, OAuth2Discovery, OAuth2Settings,
};
pub use federation::{AuthorizationSession, AuthorizationStatus, UserToken};
pub use function::{
    Function, FunctionAlias, FunctionRuntime, FunctionStatement, LATEST, VersionShare, version_number,
};
pub use gateway::{
    Authorizer, ClaimMatch, CustomClaim, ExceptionLevel, Gateway, Interceptor, JwtAuthorizer, McpSettings,
    PolicyAttachment, PolicyMode, ProtocolType,
};
pub use generation::{
    GENERATION_LIFE, GenerationAsset, GenerationFinding, GenerationFindingKind, GenerationSummary,
    PolicyGeneration,
};
pub use iam::{
    AccessKey, AccessKeyStatus, AccessKeyUse, Group, Holder, ManagedPolicy, OidcProvider, PolicyVersion,
    Role, User,
};
pub use identifiers::{
    AccessKeyId, AgentRuntimeId, ClientId, EventId, GatewayId, PolicyEngineId, PolicyGenerationId, PolicyId,
    RequestId, TargetId, UserPoolId, uuid,
};
pub use kept_secret::{CURRENT, KeptSecret, PREVIOUS, SecretVersion};
pub use kms_key::{KmsKey, KmsKeyState, TokenVault};
pub use object::{Attributes, Bucket, Checksum, Object, Segment, Upload, UploadPart};
pub use on_behalf_of::{ActorToken, OnBehalfOf, OnBehalfOfClient, OnBehalfOfGrant};
pub use origin::SecureTransport;
pub use outbound::{
    ApiKeyLocation, ApiKeyOutbound, OAuthGrant, OAuthOutbound, Outbound, Propagation, Signing,
};
pub use policy::{Policy, PolicyEnforcement, PolicyEngine, PolicySummary, PolicyValidation};
pub use pool::{PoolClient, PoolDomain, ResourceServer, ResourceServerScope, SigningKey, UserPool};
pub use pool_trigger::{PreTokenTrigger, TriggerVersion};
pub use pool_user::{PoolGroup, PoolUser, PoolUserStatus, Ticket, TicketKind, UserAttribute};
pub use random::{FixedRandom, Random, SystemRandom};
pub use rate_lease::{Pace, Taken};
pub use rate_limit::{LimitEntry, Period, Rate, RateLimit};
pub use recording::{LONGEST_RECORDING, Recording};
pub use runtime::{
    AgentArtifact, AgentCode, AgentProtocol, AgentRuntime, AgentRuntimeEndpoint, AgentRuntimeVersion,
    DEFAULT_ENDPOINT, LAST_VERSION, SessionLife,
};
pub use secret::Secret;
pub use state::{
    AgentRuntimeStatus, GatewayStatus, GenerationStatus, IllegalTransition, PolicyStatus, Settled,
    TargetStatus,
};
pub use target::{
    Document, Held, HttpService, Listing, McpServer, NO_INPUT, Offer, Offers, Target, Tool, Upstream,
    split_tool_name, tool_name,
};
pub use third_party::{ClientOrigin, DocumentHosts, ThirdParties};
pub use vendor::{RefreshHint, TokenAnswer, Vendor, VendorFacts, VendorServer};
pub use web_identity::WebIdentityIssuer;
pub use workload::{WorkloadIdentity, WorkloadUser};
