//! The schema language that the generated tables are written in: what Smithy's traits say about a service, an
//! operation and a shape, as far as the wire and the constraints need it.

/// A service of AWS.
#[derive(Debug)]
pub struct ServiceSpec {
    /// The model's name, such as `bedrock-agentcore-control`.
    pub name: &'static str,
    /// The service in a SigV4 credential scope, such as `bedrock-agentcore`.
    pub signing_name: &'static str,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The version of the API, such as `2010-05-08`: `Version` of the query protocol.
    pub api_version: &'static str,
    /// What stands before the dot of `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// The namespace of answers in XML.
    pub xml_namespace: Option<&'static str>,
    /// The operations that are promised.
    pub operations: &'static [&'static OperationSpec],
    /// The errors that those operations may answer.
    pub errors: &'static [ErrorSpec],
}

/// A wire protocol. Source: "AWS protocols" in the Smithy 2.0 documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// JSON bodies on REST paths.
    RestJson1,
    /// JSON bodies, the operation in `X-Amz-Target`.
    AwsJson11,
    /// Form-encoded requests, the operation in `Action`, answers in XML.
    AwsQuery,
}

/// An operation on the wire.
#[derive(Debug)]
pub struct OperationSpec {
    /// Its name.
    pub name: &'static str,
    /// The resource it belongs to in `models/surface.toml`.
    pub resource: &'static str,
    /// The IAM action that allows it, such as `bedrock-agentcore:CreateGateway`.
    pub action: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path, without its slashes.
    pub segments: &'static [Segment],
    /// The status of a success.
    pub status: u16,
    /// The schema of the request.
    pub input: Option<&'static Schema>,
    /// The schema of the answer.
    pub output: Option<&'static Schema>,
    /// The member that is the whole request body.
    pub input_payload: Option<&'static str>,
    /// The member that is the whole body of the answer.
    pub output_payload: Option<&'static str>,
    /// The element around the answer of the query protocol.
    pub result_wrapper: Option<&'static str>,
    /// Whether it only reads.
    pub reads: bool,
}

/// A segment of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(&'static str),
    /// The value of a member.
    Label(&'static str),
}

/// An error that an operation may answer.
#[derive(Debug)]
pub struct ErrorSpec {
    /// The shape's name: the error's name in the JSON protocols.
    pub shape: &'static str,
    /// The error's name in the query protocol.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// What a value must be.
#[derive(Debug)]
pub enum Schema {
    /// An object with these members; others are ignored, as AWS ignores them.
    Structure(&'static [Member]),
    /// An object with exactly one of these members.
    Union(&'static [Member]),
    /// An array.
    List {
        /// What each element must be.
        element: &'static Schema,
        /// What an element is called in the query protocol.
        wire: &'static str,
        /// The least number of elements.
        min: Option<u64>,
        /// The greatest number of elements.
        max: Option<u64>,
    },
    /// An object with free keys.
    Map {
        /// What each key must be.
        key: &'static Schema,
        /// What each value must be.
        value: &'static Schema,
        /// The least number of entries.
        min: Option<u64>,
        /// The greatest number of entries.
        max: Option<u64>,
    },
    /// A string.
    Text {
        /// The least length, in characters.
        min: Option<u64>,
        /// The greatest length, in characters.
        max: Option<u64>,
        /// A pattern for the whole string, without anchors.
        pattern: Option<&'static str>,
        /// Whether the value must not be repeated in an error.
        sensitive: bool,
    },
    /// One of these strings.
    Enumeration {
        /// The values that are honoured.
        values: &'static [&'static str],
        /// The values that AWS knows and that are not honoured yet.
        not_honoured: &'static [&'static str],
    },
    /// A whole number.
    Integer {
        /// The least value.
        min: Option<i64>,
        /// The greatest value.
        max: Option<i64>,
    },
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Bytes, as base64 in JSON.
    Blob {
        /// The greatest length, in bytes.
        max: Option<u64>,
    },
    /// A moment.
    Timestamp(TimestampFormat),
    /// A member that AWS knows and that is not honoured yet: a request that carries it is refused.
    NotHonoured,
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2026-11-21T09:30:00.000Z`.
    Iso8601,
    /// Seconds since the epoch, as a JSON number with a fraction.
    EpochSeconds,
}

/// A member of a structure or a union.
#[derive(Debug)]
pub struct Member {
    /// Its name, which is also its name in the tree of values.
    pub name: &'static str,
    /// Its name where it stands on the wire.
    pub wire: &'static str,
    /// Where it stands on the wire.
    pub location: Location,
    /// Whether a request must carry it.
    pub required: bool,
    /// Whether clients fill it in by themselves so that a retry is recognised.
    pub idempotency_token: bool,
    /// What it must be.
    pub schema: &'static Schema,
}

/// Where a member stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// In the path.
    Label,
    /// In the query string.
    Query,
    /// In a header.
    Header,
    /// The HTTP status.
    Status,
}

impl Member {
    /// Under another name on the wire.
    pub(crate) const fn on_wire(mut self, wire: &'static str) -> Self {
        self.wire = wire;
        self
    }

    /// Which a request must carry.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Which clients fill in by themselves.
    pub(crate) const fn token(mut self) -> Self {
        self.idempotency_token = true;
        self
    }
}

macro_rules! places {
    ($($place:ident = $location:ident),*) => {$(
        /// An optional member there; the generated tables say the rest in what follows.
        pub(crate) const fn $place(name: &'static str, schema: &'static Schema) -> Member {
            Member {
                name,
                wire: name,
                location: Location::$location,
                required: false,
                idempotency_token: false,
                schema,
            }
        }
    )*};
}

places!(body = Body, label = Label, query = Query, header = Header, status = Status);
