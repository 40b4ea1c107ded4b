//! The status machines of resources: a transition that is not drawn here cannot be made.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the work behind a transitional status ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The work is done.
    Well,
    /// The work failed; the status reasons say why.
    Badly,
}

/// A transition that the machine does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {status}, and cannot {attempt} until that has ended")]
pub struct IllegalTransition {
    /// The status that forbids it.
    pub status: &'static str,
    /// What was attempted: `be updated`, `be deleted`, `settle`.
    pub attempt: &'static str,
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// The status as the API writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The status that the API writes so.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            fn refuse<T>(self, attempt: &'static str) -> Result<T, IllegalTransition> {
                Err(IllegalTransition { status: self.as_str(), attempt })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

machine! {
    /// A gateway's status (API type `GatewayStatus`).
    GatewayStatus {
        /// Being made.
        Creating = "CREATING",
        /// In service.
        Ready = "READY",
        /// Could not be made.
        Failed = "FAILED",
        /// Being changed; the former configuration serves meanwhile.
        Updating = "UPDATING",
        /// Could not be changed; the former configuration serves.
        UpdateUnsuccessful = "UPDATE_UNSUCCESSFUL",
        /// Being taken down.
        Deleting = "DELETING",
    }
}

machine! {
    /// A gateway target's status (API type `TargetStatus`, as far as it is reached).
    TargetStatus {
        /// Being made.
        Creating = "CREATING",
        /// In service.
        Ready = "READY",
        /// Could not be made.
        Failed = "FAILED",
        /// Being changed.
        Updating = "UPDATING",
        /// Could not be changed.
        UpdateUnsuccessful = "UPDATE_UNSUCCESSFUL",
        /// Its lists are being read again.
        Synchronizing = "SYNCHRONIZING",
        /// Its lists could not be read again; those that were read before serve.
        SynchronizeUnsuccessful = "SYNCHRONIZE_UNSUCCESSFUL",
        /// Being taken down.
        Deleting = "DELETING",
    }
}

machine! {
    /// The status of an agent runtime, of one of its versions, or of an endpoint (API types `AgentRuntimeStatus` and
    /// `AgentRuntimeEndpointStatus`, as far as they are reached).
    AgentRuntimeStatus {
        /// Being made.
        Creating = "CREATING",
        /// Could not be made; the failure reason says why.
        CreateFailed = "CREATE_FAILED",
        /// Being changed; the version before serves meanwhile.
        Updating = "UPDATING",
        /// Could not be changed; the version before serves.
        UpdateFailed = "UPDATE_FAILED",
        /// In service.
        Ready = "READY",
        /// Being taken down.
        Deleting = "DELETING",
    }
}

machine! {
    /// A policy engine's or a policy's status (API types `PolicyEngineStatus` and `PolicyStatus`).
    PolicyStatus {
        /// Being made.
        Creating = "CREATING",
        /// In force.
        Active = "ACTIVE",
        /// Being changed.
        Updating = "UPDATING",
        /// Being taken down.
        Deleting = "DELETING",
        /// Could not be made: the policy is kept, with its reasons, and is not in force.
        CreateFailed = "CREATE_FAILED",
        /// Could not be changed: the former policy is in force.
        UpdateFailed = "UPDATE_FAILED",
    }
}

machine! {
    /// A policy generation's status (API type `PolicyGenerationStatus`, as far as it is reached).
    GenerationStatus {
        /// The text is being translated.
        Generating = "GENERATING",
        /// It was translated, as far as it was understood.
        Generated = "GENERATED",
        /// It could not be translated; the reasons say why.
        GenerateFailed = "GENERATE_FAILED",
    }
}

impl GenerationStatus {
    /// The status after the translation.
    ///
    /// # Errors
    /// [`IllegalTransition`] when none was under way.
    pub fn settle(self, how: Settled) -> Result<Self, IllegalTransition> {
        match (self, how) {
            (Self::Generating, Settled::Well) => Ok(Self::Generated),
            (Self::Generating, Settled::Badly) => Ok(Self::GenerateFailed),
            _ => self.refuse("settle"),
        }
    }
}

macro_rules! service_transitions {
    ($name:ident $(, $busy:ident => $failed:ident)*) => {
        impl $name {
            /// Whether work is under way.
            #[must_use]
            pub fn is_transitional(self) -> bool {
                matches!(self, Self::Creating | Self::Updating | Self::Deleting $(| Self::$busy)*)
            }

            /// The status while an update is made.
            ///
            /// # Errors
            /// [`IllegalTransition`] while other work is under way.
            pub fn begin_update(self) -> Result<Self, IllegalTransition> {
                if self.is_transitional() { self.refuse("be updated") } else { Ok(Self::Updating) }
            }

            /// The status while the resource is taken down.
            ///
            /// # Errors
            /// [`IllegalTransition`] while other work is under way.
            pub fn begin_delete(self) -> Result<Self, IllegalTransition> {
                if self.is_transitional() { self.refuse("be deleted") } else { Ok(Self::Deleting) }
            }

            /// The status after the work of a creation or an update.
            ///
            /// # Errors
            /// [`IllegalTransition`] when no such work was under way.
            pub fn settle(self, how: Settled) -> Result<Self, IllegalTransition> {
                match (self, how) {
                    (Self::Creating | Self::Updating $(| Self::$busy)*, Settled::Well) => Ok(Self::SETTLED),
                    (Self::Creating, Settled::Badly) => Ok(Self::NOT_CREATED),
                    (Self::Updating, Settled::Badly) => Ok(Self::NOT_UPDATED),
                    $((Self::$busy, Settled::Badly) => Ok(Self::$failed),)*
                    _ => self.refuse("settle"),
                }
            }
        }
    };
}

impl GatewayStatus {
    const SETTLED: Self = Self::Ready;
    const NOT_CREATED: Self = Self::Failed;
    const NOT_UPDATED: Self = Self::UpdateUnsuccessful;

    /// Whether the data plane serves a gateway in this status.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Updating | Self::UpdateUnsuccessful)
    }
}

impl AgentRuntimeStatus {
    const SETTLED: Self = Self::Ready;
    const NOT_CREATED: Self = Self::CreateFailed;
    const NOT_UPDATED: Self = Self::UpdateFailed;
}

impl TargetStatus {
    const SETTLED: Self = Self::Ready;
    const NOT_CREATED: Self = Self::Failed;
    const NOT_UPDATED: Self = Self::UpdateUnsuccessful;

    /// Whether the tools of a target in this status are offered.
    #[must_use]
    pub fn serves(self) -> bool {
        !matches!(self, Self::Creating | Self::Failed | Self::Deleting)
    }

    /// The status while the lists of an upstream are read again.
    ///
    /// # Errors
    /// [`IllegalTransition`] while other work is under way, and for a target that was never made.
    pub fn begin_synchronize(self) -> Result<Self, IllegalTransition> {
        if self.is_transitional() || self == Self::Failed {
            self.refuse("be synchronized")
        } else {
            Ok(Self::Synchronizing)
        }
    }
}

impl PolicyStatus {
    const SETTLED: Self = Self::Active;
    const NOT_CREATED: Self = Self::CreateFailed;
    const NOT_UPDATED: Self = Self::UpdateFailed;

    /// Whether a policy in this status takes part in decisions.
    #[must_use]
    pub fn decides(self) -> bool {
        matches!(self, Self::Active | Self::Updating | Self::UpdateFailed)
    }
}

service_transitions!(GatewayStatus);
service_transitions!(AgentRuntimeStatus);
service_transitions!(TargetStatus, Synchronizing => SynchronizeUnsuccessful);
service_transitions!(PolicyStatus);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_made_changed_and_taken_down() {
        let made = GatewayStatus::Creating.settle(Settled::Well).unwrap();
        assert_eq!(made, GatewayStatus::Ready);
        let changed = made.begin_update().unwrap().settle(Settled::Badly).unwrap();
        assert_eq!(changed, GatewayStatus::UpdateUnsuccessful);
        assert!(changed.serves());
        assert_eq!(changed.begin_delete().unwrap(), GatewayStatus::Deleting);
    }

    #[test]
    fn work_under_way_forbids_more_work() {
        for busy in [TargetStatus::Creating, TargetStatus::Updating, TargetStatus::Deleting] {
            assert!(busy.begin_update().is_err());
            assert!(busy.begin_delete().is_err());
        }
        assert!(TargetStatus::Ready.settle(Settled::Well).is_err());
        assert!(TargetStatus::Deleting.settle(Settled::Well).is_err());
    }

    #[test]
    fn a_target_is_read_again() {
        let reading = TargetStatus::Ready.begin_synchronize().unwrap();
        assert!(reading.serves() && reading.begin_update().is_err());
        let failed = reading.settle(Settled::Badly).unwrap();
        assert_eq!(failed, TargetStatus::SynchronizeUnsuccessful);
        assert_eq!(failed.begin_synchronize().unwrap().settle(Settled::Well).unwrap(), TargetStatus::Ready);
        assert!(TargetStatus::Failed.begin_synchronize().is_err());
    }

    #[test]
    fn names_round_trip() {
        for status in [PolicyStatus::Creating, PolicyStatus::CreateFailed, PolicyStatus::Active] {
            assert_eq!(PolicyStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(PolicyStatus::parse("active"), None);
    }
}
