//! Generations of policies between AWS's shapes, the domain and the generator's own words.

use aws_shapes::bedrock_agentcore_control::{
    CedarPolicy, Finding, FindingType, PolicyDefinition, PolicyGeneration as WireGeneration,
    PolicyGenerationAsset, PolicyGenerationStatus, PolicyGenerationSummary, Resource,
};
use domain::{
    Arn, GenerationAsset, GenerationFinding, GenerationFindingKind, GenerationStatus, GenerationSummary,
    PolicyGeneration, PolicyGenerationId, Random,
};
use generation::{Asset, FindingKind};

pub(super) fn describe(generation: &PolicyGeneration) -> WireGeneration {
    let PolicyGenerationSummary {
        policy_engine_id,
        policy_generation_id,
        name,
        policy_generation_arn,
        resource,
        created_at,
        updated_at,
        status,
        findings,
    } = summarise(&generation.summary());
    WireGeneration {
        policy_engine_id,
        policy_generation_id,
        name,
        policy_generation_arn,
        resource,
        created_at,
        updated_at,
        status,
        findings,
        status_reasons: generation.status_reasons.clone(),
    }
}

pub(super) fn summarise(generation: &GenerationSummary) -> PolicyGenerationSummary {
    PolicyGenerationSummary {
        policy_engine_id: generation.engine.to_string(),
        policy_generation_id: generation.id.to_string(),
        name: generation.name.clone(),
        policy_generation_arn: Arn::policy_generation(&generation.scope, &generation.engine, &generation.id)
            .to_string(),
        resource: Resource::Arn(generation.gateway.to_string()),
        created_at: generation.created_at,
        updated_at: generation.updated_at,
        status: match generation.status {
            GenerationStatus::Generating => PolicyGenerationStatus::Generating,
            GenerationStatus::Generated => PolicyGenerationStatus::Generated,
            GenerationStatus::GenerateFailed => PolicyGenerationStatus::GenerateFailed,
        },
        findings: generation.findings.clone(),
    }
}

pub(super) fn describe_asset(asset: &GenerationAsset) -> PolicyGenerationAsset {
    let definition =
        asset.statement.clone().map(|statement| PolicyDefinition::Cedar(CedarPolicy { statement }));
    let findings = asset.findings.iter().map(|finding| Finding {
        r#type: Some(wire_kind(finding.kind)),
        description: Some(finding.description.clone()),
    });
    PolicyGenerationAsset {
        policy_generation_asset_id: asset.id.clone(),
        definition,
        raw_text_fragment: asset.fragment.clone(),
        findings: findings.collect(),
    }
}

/// What a generator made, as it is kept.
pub(super) fn kept(asset: Asset, random: &dyn Random) -> GenerationAsset {
    let findings = asset
        .findings
        .into_iter()
        .map(|finding| GenerationFinding { kind: kept_kind(finding.kind), description: finding.description });
    GenerationAsset {
        id: PolicyGenerationId::mint_asset(random),
        fragment: asset.fragment,
        statement: asset.statement,
        findings: findings.collect(),
    }
}

fn kept_kind(kind: FindingKind) -> GenerationFindingKind {
    match kind {
        FindingKind::Valid => GenerationFindingKind::Valid,
        FindingKind::Invalid => GenerationFindingKind::Invalid,
        FindingKind::NotTranslatable => GenerationFindingKind::NotTranslatable,
        FindingKind::AllowAll => GenerationFindingKind::AllowAll,
        FindingKind::AllowNone => GenerationFindingKind::AllowNone,
        FindingKind::DenyAll => GenerationFindingKind::DenyAll,
        FindingKind::DenyNone => GenerationFindingKind::DenyNone,
    }
}

fn wire_kind(kind: GenerationFindingKind) -> FindingType {
    match kind {
        GenerationFindingKind::Valid => FindingType::Valid,
        GenerationFindingKind::Invalid => FindingType::Invalid,
        GenerationFindingKind::NotTranslatable => FindingType::NotTranslatable,
        GenerationFindingKind::AllowAll => FindingType::AllowAll,
        GenerationFindingKind::AllowNone => FindingType::AllowNone,
        GenerationFindingKind::DenyAll => FindingType::DenyAll,
        GenerationFindingKind::DenyNone => FindingType::DenyNone,
    }
}
