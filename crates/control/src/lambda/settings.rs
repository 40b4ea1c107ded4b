//! What `CreateFunction` and its kin may ask for. What is refused here is what Lambda refuses, in its words, and what this machine
//! cannot run.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use aws::{Fault, FieldFault};
use aws_shapes::lambda::{
    Architecture, CreateFunctionRequest, Runtime, SERVICE, UpdateFunctionConfigurationRequest,
};
use bytes::Bytes;
use compute::Digest;
use compute::package::{self, MAX_UNPACKED_BYTES, PackageError};
use domain::{Arn, FunctionRuntime, Secret};

use super::code::Source;
use super::invalid;
use crate::fault::Failure;

/// The most that an environment may measure as JSON, in bytes: 4 KiB ("Lambda quotas").
const MAX_ENVIRONMENT_BYTES: usize = 4 * 1024;
/// How long an invocation may take, in seconds, and how long when nobody says.
const TIMEOUT: (RangeInclusive<u32>, u32) = (1..=900, 3);
/// How much memory an instance may use, in MiB, and how much when nobody says.
const MEMORY: (RangeInclusive<u32>, u32) = (128..=10_240, 128);

/// A function as it was asked for.
pub(super) struct Settings {
    pub(super) runtime: FunctionRuntime,
    pub(super) handler: String,
    pub(super) role: Arn,
    pub(super) description: String,
    pub(super) timeout_seconds: u32,
    pub(super) memory_mib: u32,
    pub(super) environment: BTreeMap<String, Secret>,
    pub(super) code: Source,
}

impl Settings {
    pub(super) fn read(input: CreateFunctionRequest) -> Result<Self, Failure> {
        let (Some(runtime), Some(handler)) = (input.runtime, input.handler) else {
            return Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        };
        let runtime = read_runtime(runtime)?;
        check_architectures(&input.architectures.unwrap_or_default())?;
        let mut faults = Vec::new();
        let timeout_seconds = bounded("Timeout", input.timeout, &TIMEOUT, &mut faults);
        let memory_mib = bounded("MemorySize", input.memory_size, &MEMORY, &mut faults);
        if !faults.is_empty() {
            return Err(Fault::validation(&SERVICE, faults).into());
        }
        let variables = input.environment.and_then(|given| given.variables).unwrap_or_default();
        Ok(Self {
            runtime,
            handler,
            role: read_role(&input.role)?,
            description: input.description.unwrap_or_default(),
            timeout_seconds,
            memory_mib,
            environment: read_environment(variables)?,
            code: Source::read(input.code.zip_file, input.code.s3_bucket, input.code.s3_key)?,
        })
    }
}

/// What `UpdateFunctionConfiguration` asks for: what is not named stays as it is.
pub(super) struct Changes {
    pub(super) runtime: Option<FunctionRuntime>,
    pub(super) handler: Option<String>,
    pub(super) role: Option<Arn>,
    pub(super) description: Option<String>,
    pub(super) timeout_seconds: Option<u32>,
    pub(super) memory_mib: Option<u32>,
    pub(super) environment: Option<BTreeMap<String, Secret>>,
}

impl Changes {
    pub(super) fn read(input: UpdateFunctionConfigurationRequest) -> Result<Self, Failure> {
        let mut faults = Vec::new();
        let mut number = |field, given: Option<i64>, bounds| {
            given.map(|given| bounded(field, Some(given), bounds, &mut faults))
        };
        let timeout_seconds = number("Timeout", input.timeout, &TIMEOUT);
        let memory_mib = number("MemorySize", input.memory_size, &MEMORY);
        if !faults.is_empty() {
            return Err(Fault::validation(&SERVICE, faults).into());
        }
        let variables = input.environment.map(|given| given.variables.unwrap_or_default());
        Ok(Self {
            runtime: input.runtime.map(read_runtime).transpose()?,
            handler: input.handler,
            role: input.role.as_deref().map(read_role).transpose()?,
            description: input.description,
            timeout_seconds,
            memory_mib,
            environment: variables.map(read_environment).transpose()?,
        })
    }
}

fn read_runtime(runtime: Runtime) -> Result<FunctionRuntime, Failure> {
    FunctionRuntime::parse(runtime.as_str())
        .ok_or_else(|| invalid(format!("Portcullis does not run {}.", runtime.as_str())))
}

fn read_role(role: &str) -> Result<Arn, Failure> {
    Arn::parse(role).map_err(|error| invalid(format!("Role: {error}")))
}

/// The architecture of this machine, as Lambda names it.
pub(super) fn architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X8664),
        "aarch64" => Some(Architecture::Arm64),
        _ => None,
    }
}

/// Reads an archive through, and gives its digest.
pub(super) async fn inspect(archive: Bytes) -> Result<Digest, Failure> {
    let reading = tokio::task::spawn_blocking(move || {
        package::check(&archive)?;
        Ok(Digest::of(&archive))
    });
    reading.await.map_err(|error| Failure::internal(&error))?.map_err(|error: PackageError| match error {
        PackageError::TooLarge { .. } => {
            invalid(format!("Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes"))
        }
        error => invalid(format!(
            "Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        )),
    })
}

/// Functions run on the machine itself, so there is one architecture to choose from.
pub(super) fn check_architectures(asked: &[Architecture]) -> Result<(), Failure> {
    let own = architecture();
    if asked.iter().all(|asked| Some(*asked) == own) {
        return Ok(());
    }
    let own = own.map_or(std::env::consts::ARCH, Architecture::as_str);
    Err(invalid(format!(
        "Portcullis runs functions on its own machine, which is {own}: leave Architectures out, or ask for {own}."
    )))
}

/// A number within its bounds, in the words of `aws::check`: the model's own bounds are wider than Lambda's.
fn bounded(
    field: &str,
    given: Option<i64>,
    (bounds, otherwise): &(RangeInclusive<u32>, u32),
    faults: &mut Vec<FieldFault>,
) -> u32 {
    let Some(given) = given else { return *otherwise };
    let number = u32::try_from(given).ok().filter(|number| bounds.contains(number));
    number.unwrap_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        let message = format!(
            "Value at '/{field}' failed to satisfy constraint: Member must be between {least} and {most}, inclusive"
        );
        faults.push(FieldFault { name: format!("/{field}"), message });
        *otherwise
    })
}

fn read_environment(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, Secret>, Failure> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment \
                          variables you have provided";
    let reserved: Vec<_> =
        variables.keys().filter(|name| compute::is_reserved_variable(name)).map(String::as_str).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(&variables).map_err(|error| Failure::internal(&error))?.len();
    if !variables.is_empty() && measured > MAX_ENVIRONMENT_BYTES {
        // Lambda repeats the variables here; they may be secrets.
        return Err(invalid(format!("{UNABLE} exceeded the 4KB limit. Bytes measured: {measured}")));
    }
    Ok(variables.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
}
