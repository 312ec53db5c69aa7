//! The commands' schemas, compiled once.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use schemas::answer::FieldError;
use schemas::contract::CommandType;
use schemas::json::escaped;
use schemas::json_schema::command_schema;
use schemas::problem::Code;
use schemas::registry::command_types;
use serde_json::Value;

use super::rejection::Rejection;
use crate::command::AnyCommand;

/// Most faults that one answer lists.
const MAX_ERRORS: usize = 20;
/// Longest message of a fault, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

static VALIDATORS: LazyLock<HashMap<&'static str, Validator>> = LazyLock::new(|| {
    let compiled = command_types().map(|command| {
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = options.build(&command_schema(command)).expect("a test compiles every schema");
        (command.name, validator)
    });
    compiled.collect()
});

/// Compiles now what would else be compiled by the first request.
pub(super) fn compile() {
    LazyLock::force(&VALIDATORS);
}

/// Checks a body against its command's schema.
///
/// # Errors
/// 422 with up to 20 faults.
pub(super) fn validate(command: &CommandType, body: &Value) -> Result<(), Rejection> {
    let validator = &VALIDATORS[command.name];
    if validator.is_valid(body) {
        return Ok(());
    }
    let errors: Vec<FieldError> = validator.iter_errors(body).flat_map(faults).take(MAX_ERRORS).collect();
    let first =
        errors.first().map(|error| format!(": {} {}", error.pointer, error.message)).unwrap_or_default();
    let mut rejection = Rejection::new(Code::SchemaViolation, format!("the body of {}{first}", command.name));
    rejection.0.errors = errors;
    Err(rejection)
}

/// What one error says, at the field that it is about. Values are not repeated: they may be long or secret.
fn faults(error: jsonschema::ValidationError<'_>) -> Vec<FieldError> {
    let object = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let fault = |name: &String| FieldError {
                pointer: format!("{object}/{}", escaped(name)),
                message: "this field is unknown".into(),
            };
            unexpected.iter().map(fault).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError {
                pointer: format!("{object}/{}", escaped(name)),
                message: "this field is required".into(),
            }]
        }
        _ => {
            let message = error.masked().to_string().chars().take(MAX_MESSAGE_CHARS).collect();
            vec![FieldError { pointer: object, message }]
        }
    }
}

/// Reads a body that fits its schema.
///
/// # Errors
/// 422 where the type is stricter than the schema can say.
pub(super) fn decode(command: &CommandType, body: &str) -> Result<AnyCommand, Rejection> {
    let read = AnyCommand::decode(command.name, body).expect("the registry is made of the same tables");
    read.map_err(|error| Rejection::at(Code::SchemaViolation, "", error.to_string()))
}
