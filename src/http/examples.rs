//! The description as it is served: every operation with an example of what it takes and of what it answers, made of those that
//! stand at the shapes; and the body of a problem named once instead of a thousand times.

use serde_json::{Map, Value, json};

use super::problem::PROBLEM_JSON;

/// No shape contains itself; a description that says so is not followed for ever.
const DEPTH_MAX: u32 = 16;

/// Completes the description.
pub(super) fn complete(mut api: Value) -> Value {
    let schemas = api["components"]["schemas"].clone();
    let operations = api["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in operations.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Some(request) = operation.get_mut("requestBody") {
            exemplify(request, &schemas);
        }
        let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, answer) in answers.into_iter().flatten() {
            if let Some(problem) = answer.pointer_mut("/content").and_then(|content| content.get_mut(PROBLEM_JSON)) {
                *problem = json!({ "schema": { "$ref": "#/components/schemas/ProblemBody" } });
            }
            if status.starts_with('2') {
                exemplify(answer, &schemas);
            }
        }
    }
    api
}

/// Gives every content that has no example of its own the one that its shape has.
fn exemplify(carrier: &mut Value, schemas: &Value) {
    let contents = carrier.get_mut("content").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for content in contents.filter_map(Value::as_object_mut).filter(|content| !content.contains_key("example")) {
        let example = content.get("schema").and_then(|schema| example_of(schema, schemas, 0));
        if let Some(example) = example {
            content.insert("example".to_owned(), example);
        }
    }
}

/// The example of a shape: its own, that of what it refers to, of its parts put together, or a list of one.
fn example_of(schema: &Value, schemas: &Value, depth: u32) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    if let Some(own) = schema.get("example").or_else(|| schema.pointer("/examples/0")) {
        return Some(own.clone());
    }
    let of = |schema: &Value| example_of(schema, schemas, depth + 1);
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return of(schemas.get(reference.rsplit('/').next()?)?);
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let parts = parts.iter().map(of).collect::<Option<Vec<_>>>()?;
        return Some(Value::Object(parts.into_iter().filter_map(object).flatten().collect()));
    }
    let one_of = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    if let Some(one_of) = one_of {
        return one_of.iter().find(|one| one["type"] != "null").and_then(of);
    }
    let properties = schema.get("properties")?.as_object()?;
    // A page, and the rest of a shape whose other part is one of its own.
    let listed = properties.iter().filter(|(_, one)| one["type"] == "array");
    let lists =
        listed.map(|(name, list)| Some((name.clone(), json!([of(list.get("items")?)?])))).collect::<Option<_>>()?;
    Some(Value::Object(lists)).filter(|example| example.as_object().is_some_and(|fields| !fields.is_empty()))
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_references_and_parts_have_the_examples_of_what_they_are_made_of() {
        let api = json!({
            "components": { "schemas": {
                "One": { "type": "object", "example": { "id": 1 } },
                "Page": { "properties": { "items": { "type": "array", "items": { "$ref": "#/components/schemas/One" } } } },
                "Whole": { "allOf": [
                    { "$ref": "#/components/schemas/One" },
                    { "properties": { "events": { "type": "array", "items": { "$ref": "#/components/schemas/One" } } } }
                ] },
                "Bare": { "properties": { "text": { "type": "string" } } },
                "Endless": { "$ref": "#/components/schemas/Endless" }
            } },
            "paths": { "/x": { "post": {
                "requestBody": { "content": { "application/json": {
                    "schema": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/One" }] }
                } } },
                "responses": {
                    "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Page" } } } },
                    "201": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Whole" } } } },
                    "202": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Bare" } } } },
                    "203": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Endless" } } } },
                    "409": { "content": { "application/problem+json": { "schema": { "type": "object" } } } }
                }
            } } }
        });
        let served = complete(api);
        let post = &served["paths"]["/x"]["post"];
        let example = |status: &str| post["responses"][status]["content"]["application/json"].get("example").cloned();
        assert_eq!(post["requestBody"]["content"]["application/json"]["example"], json!({ "id": 1 }));
        assert_eq!(example("200"), Some(json!({ "items": [{ "id": 1 }] })));
        assert_eq!(example("201"), Some(json!({ "id": 1, "events": [{ "id": 1 }] })));
        assert_eq!((example("202"), example("203")), (None, None));
        let problem = &post["responses"]["409"]["content"]["application/problem+json"]["schema"];
        assert_eq!(problem, &json!({ "$ref": "#/components/schemas/ProblemBody" }));
    }
}
