//! How much of everything one account may have.

/// What one account may have in a region (`AgentCore` quotas; Lambda and Cognito have theirs).
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Gateways.
    pub gateways: usize,
    /// Targets of one gateway.
    pub targets_per_gateway: usize,
    /// Tools of one target.
    pub tools_per_target: usize,
    /// Rate limits of one gateway.
    pub rate_limits_per_gateway: usize,
    /// Policy engines.
    pub policy_engines: usize,
    /// Policies of one engine.
    pub policies_per_engine: usize,
    /// Bytes of one policy's statement.
    pub policy_bytes: usize,
    /// Bytes of the statements of one engine that name the same gateway, and of those that name none.
    pub policy_bytes_per_resource: usize,
    /// Generations of policies of one engine, in the seven days that they are kept.
    pub policy_generations_per_engine: usize,
    /// API key credential providers, and as many for OAuth2.
    pub credential_providers_per_kind: usize,
    /// Workload identities.
    pub workload_identities: usize,
    /// Agent runtimes.
    pub agent_runtimes: usize,
    /// Versions of one agent runtime.
    pub versions_per_agent_runtime: usize,
    /// Endpoints of one agent runtime.
    pub endpoints_per_agent_runtime: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            gateways: 1_000,
            targets_per_gateway: 100,
            tools_per_target: 1_000,
            rate_limits_per_gateway: 100,
            policy_engines: 1_000,
            policies_per_engine: 1_000,
            policy_bytes: 10 * 1024,
            policy_bytes_per_resource: 200 * 1024,
            policy_generations_per_engine: 50_000,
            credential_providers_per_kind: 50,
            workload_identities: 11_000,
            agent_runtimes: 1_000,
            versions_per_agent_runtime: 1_000,
            endpoints_per_agent_runtime: 10,
        }
    }
}
