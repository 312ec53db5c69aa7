//! One operation for each address.

use serde_json::{Map, Value, json};

use super::{component, example};
use crate::contract::Address;
use crate::endpoint::{BATCH_PATH, Endpoint, Method, endpoints};

/// Documents: path, operation, what they say, what they are.
const DOCUMENTS: &[(&str, &str, &str, &str)] = &[
    ("/openapi.json", "getOpenApi", "This document.", "OpenAPI 3.1."),
    ("/asyncapi.json", "getAsyncApi", "The public topics and their events.", "AsyncAPI 3.0."),
];

/// Every path with its operations.
pub(super) fn paths() -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints() {
        let path = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        path[method(endpoint.method)] = operation(&endpoint);
    }
    paths.insert(BATCH_PATH.into(), json!({ "post": batch() }));
    for (path, id, summary, description) in DOCUMENTS {
        paths.insert((*path).into(), json!({ "get": document(id, summary, description) }));
    }
    Value::Object(paths)
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Post => "post",
        Method::Put => "put",
        Method::Delete => "delete",
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn operation(endpoint: &Endpoint) -> Value {
    let command = endpoint.command;
    let mut id = component(command.name);
    id[..1].make_ascii_lowercase();
    if endpoint.method != Method::Post {
        id = format!("{id}By{}", if endpoint.method == Method::Put { "Put" } else { "Delete" });
    }
    json!({
        "operationId": id,
        "tags": [command.collection],
        "summary": command.summary,
        "description": format!("Command `{}`.", command.name),
        "parameters": parameters(command.address),
        "requestBody": {
            "required": !matches!(endpoint.method, Method::Delete),
            "content": { "application/json": {
                "schema": reference("schemas", &component(command.name)),
                "example": example(command.name),
            } },
        },
        "responses": responses(command.address),
    })
}

fn parameters(address: Address) -> Value {
    let mut names = vec![
        "IdempotencyKey",
        "Prefer",
        "DryRun",
        "CorrelationId",
        "CausationId",
        "RequestId",
        "Traceparent",
        "Tenant",
        "Actor",
    ];
    match address {
        Address::Create => names.push("IfNoneMatch"),
        Address::Act(_) => names.extend(["Id", "IfMatch"]),
        Address::Collection(_) | Address::Internal => {}
    }
    names.iter().map(|name| reference("parameters", name)).collect()
}

fn responses(address: Address) -> Value {
    let (status, body, description) = match address {
        Address::Create => ("201", "CommandAnswer", "Created, durably."),
        Address::Collection(_) => ("200", "ClaimAnswer", "What was leased, durably."),
        Address::Act(_) | Address::Internal => ("200", "CommandAnswer", "Done, durably."),
    };
    let mut names = vec![
        "ETag",
        "IdempotencyKey",
        "IdempotencyReplayed",
        "PreferenceApplied",
        "CorrelationId",
        "CausationId",
        "RequestId",
    ];
    match address {
        Address::Create => names.push("Location"),
        Address::Collection(_) => names.retain(|name| *name != "ETag"),
        Address::Act(_) | Address::Internal => {}
    }
    let headers: Map<String, Value> =
        names.iter().map(|name| (header_name(name).to_owned(), reference("headers", name))).collect();
    let mut responses = json!({
        status: {
            "description": description,
            "headers": headers,
            "content": { "application/json": { "schema": reference("schemas", body) } },
        },
        "400": reference("responses", "Malformed"),
        "403": reference("responses", "Forbidden"),
        "406": reference("responses", "NotAcceptable"),
        "408": reference("responses", "TooSlow"),
        "409": reference("responses", "Refused"),
        "412": reference("responses", "PreconditionFailed"),
        "413": reference("responses", "TooLarge"),
        "415": reference("responses", "UnsupportedMediaType"),
        "422": reference("responses", "Invalid"),
        "500": reference("responses", "Internal"),
        "503": reference("responses", "Unavailable"),
        "504": reference("responses", "Unknown"),
    });
    if matches!(address, Address::Act(_)) {
        responses["404"] = reference("responses", "NotFound");
    }
    responses
}

/// The header that a component stands for.
fn header_name(component: &str) -> &'static str {
    match component {
        "ETag" => "ETag",
        "IdempotencyKey" => "Idempotency-Key",
        "IdempotencyReplayed" => "Idempotency-Replayed",
        "PreferenceApplied" => "Preference-Applied",
        "CorrelationId" => "X-Correlation-Id",
        "CausationId" => "X-Causation-Id",
        "RequestId" => "X-Request-Id",
        "Location" => "Location",
        _ => unreachable!("a header without a name"),
    }
}

fn batch() -> Value {
    let names =
        ["Prefer", "DryRun", "CorrelationId", "CausationId", "RequestId", "Traceparent", "Tenant", "Actor"];
    let parameters = names.map(|name| reference("parameters", name));
    json!({
        "operationId": "sendBatch",
        "tags": ["batch"],
        "summary": "Sends up to 1,000 commands, one JSON object per line.",
        "description": "Each line is a command of its own: it succeeds or fails alone. Lines on one aggregate take effect in their order; \
                        the answers come in the order of the lines.",
        "parameters": parameters,
        "requestBody": { "required": true, "content": { "application/x-ndjson": {
            "schema": reference("schemas", "BatchLine"),
            "example": {
                "command": "task.renew",
                "id": "8e88a6c9-40b0-87c7-a154-418b24b15ccd",
                "body": { "fencingToken": 1 },
            },
        } } },
        "responses": {
            "200": {
                "description": "One answer per line, each with its own status.",
                "content": { "application/x-ndjson": { "schema": reference("schemas", "BatchAnswer") } },
            },
            "400": reference("responses", "Malformed"),
            "403": reference("responses", "Forbidden"),
            "406": reference("responses", "NotAcceptable"),
            "408": reference("responses", "TooSlow"),
            "413": reference("responses", "TooLarge"),
            "415": reference("responses", "UnsupportedMediaType"),
        },
    })
}

fn document(id: &str, summary: &str, description: &str) -> Value {
    json!({
        "operationId": id,
        "tags": ["documents"],
        "summary": summary,
        "responses": {
            "200": { "description": description, "content": { "application/json": { "schema": { "type": "object" } } } },
            "405": reference("responses", "MethodNotAllowed"),
        },
    })
}
