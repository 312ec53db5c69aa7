//! The AsyncAPI document.

use serde_json::Value;

use super::consumers;

/// BUS-111: the document is one of AsyncAPI 3.0, by AsyncAPI's own schema.
#[test]
fn the_document_fits_the_schema_of_asyncapi() {
    let schema = consumers("node/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let mut document = schemas::asyncapi::document();
    let faults: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    document["channels"]["work"]["addres"] = document["channels"]["work"]["address"].clone();
    assert!(!validator.is_valid(&document), "the schema finds what does not belong there");
}
