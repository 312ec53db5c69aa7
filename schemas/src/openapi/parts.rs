//! Parameters, headers and problem responses that the operations share.

use serde_json::{Map, Value, json};

use crate::problem::Code;

/// Introduction of the document.
pub(super) const DESCRIPTION: &str = "Commands change aggregates; queries are GraphQL, at `/graphql`. A command is answered when it is \
durable. Every command has a key (`Idempotency-Key`): sent again with the same key and body it has no second effect and \
gives the first answer, for ever. An answer of 504 `outcome_unknown` is resolved in the same way.";

/// Codes that only queries answer with.
const QUERY_CODES: [Code; 6] = [
    Code::InvalidCursor,
    Code::InvalidToken,
    Code::TokenNotReached,
    Code::QueryTooCostly,
    Code::InvalidQuery,
    Code::Unavailable,
];

/// Request headers and parameters of the operations.
pub(super) fn parameters() -> Value {
    serde_json::from_str(include_str!("parameters.json")).expect("a test reads the file")
}

/// Response headers.
pub(super) fn headers() -> Value {
    let rows = [
        ("ETag", "Version of the aggregate after the command, in quotes."),
        ("Location", "Address of the created aggregate."),
        ("IdempotencyKey", "Key of the command; with it the command can be sent again."),
        ("IdempotencyReplayed", "`true` when this is the stored answer of an earlier try."),
        ("PreferenceApplied", "The wait that was applied, when one was asked for."),
        ("CorrelationId", "Correlation id of the command."),
        ("CausationId", "Causation id of the command."),
        ("RequestId", "Id of the request."),
    ];
    let header = |(name, description): (&str, &str)| {
        (name.to_owned(), json!({ "description": description, "schema": { "type": "string" } }))
    };
    Value::Object(rows.into_iter().map(header).collect())
}

/// Problem responses, with the codes that each may carry.
pub(super) fn responses() -> Value {
    let groups: [(&str, &[u16], &str); 14] = [
        ("Malformed", &[400], "The request cannot be read."),
        ("Forbidden", &[403], "The tenant cannot be taken from a header here."),
        ("NotFound", &[404], "There is no such aggregate."),
        ("MethodNotAllowed", &[405], "The method is not allowed here."),
        ("NotAcceptable", &[406], "No offered media type is acceptable."),
        ("TooSlow", &[408], "The body comes too slowly."),
        ("Refused", &[409], "The aggregate's state does not allow the command."),
        ("PreconditionFailed", &[412], "The aggregate has another version."),
        ("TooLarge", &[413], "The body, commit or batch is too large."),
        ("UnsupportedMediaType", &[415], "The content type is not supported."),
        ("Invalid", &[422], "The body does not fit, or the key came before with another body."),
        ("Internal", &[500], "An unexpected error."),
        ("Unavailable", &[503], "Nothing happened; `Retry-After` says when to try again."),
        ("Unknown", &[504], "The outcome is not known in time; the same key tells."),
    ];
    let mut responses = Map::new();
    for (name, statuses, description) in groups {
        let codes: Vec<String> = Code::all()
            .filter(|code| statuses.contains(&code.status()) && !QUERY_CODES.contains(code))
            .map(|code| format!("`{}`", code.name()))
            .collect();
        let mut response = json!({
            "description": format!("{description} Codes: {}.", codes.join(", ")),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if statuses == [503] {
            response["headers"] = json!({ "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer" } } });
        }
        responses.insert(name.into(), response);
    }
    Value::Object(responses)
}

/// One line of a batch.
pub(super) fn batch_line() -> Value {
    json!({
        "type": "object",
        "required": ["command"],
        "additionalProperties": false,
        "description": "One command of a batch.",
        "properties": {
            "command": { "type": "string", "description": "Command type, for example `task.create`." },
            "id": { "type": "string", "format": "uuid", "description": "Id of the aggregate; absent for a creation or claim." },
            "key": { "type": "string", "minLength": 1, "maxLength": 128, "description": "Idempotency key; made by the server when absent." },
            "body": { "type": "object", "description": "The command's body; `{}` when absent." },
        },
    })
}

/// One line of a batch's answer.
pub(super) fn batch_answer() -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "description": "The answer to one line.",
        "properties": {
            "status": { "type": "integer", "description": "HTTP status that the command alone would have had." },
            "key": { "type": "string", "description": "Idempotency key of the command; absent when the line could not be read." },
            "replayed": { "type": "boolean", "description": "Whether this is the stored answer of an earlier try." },
            "answer": { "description": "The answer, when the command took effect.",
                "anyOf": [{ "$ref": "#/components/schemas/CommandAnswer" }, { "$ref": "#/components/schemas/ClaimAnswer" }] },
            "problem": { "description": "Why it did not.", "$ref": "#/components/schemas/Problem" },
        },
    })
}
