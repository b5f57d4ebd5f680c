//! The contract in `proto/` may grow; what stands in it stays.

use std::{collections::BTreeSet, path::Path};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::Label,
};

const CONTRACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.binpb"));
const BASELINE: &str = include_str!("../../../../proto/baseline.txt");

#[test]
fn nothing_in_the_contract_has_changed_its_meaning() {
    let contract = contract_lines();
    let built: BTreeSet<_> = contract.iter().map(String::as_str).collect();
    let baseline: BTreeSet<_> = BASELINE.lines().filter(|line| !line.starts_with('#')).collect();
    let broken: Vec<_> = baseline.difference(&built).collect();
    let added: Vec<_> = built.difference(&baseline).collect();
    if broken.is_empty() && added.is_empty() {
        return;
    }
    let proposal = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.txt");
    let comments = BASELINE.lines().filter(|line| line.starts_with('#'));
    let lines: Vec<_> = comments.chain(contract.iter().map(String::as_str)).collect();
    std::fs::write(&proposal, lines.join("\n") + "\n").unwrap();
    panic!(
        "The contract is not that of proto/baseline.txt.\n\
         Gone or changed, which breaks relays and systems of other versions: {broken:#?}\n\
         New, which others skip (but refuse in signed bytes): {added:#?}\n\
         If something is gone or changed, put it back, or raise the version in the ALPN names. \
         If things are only new, or a break is meant, replace proto/baseline.txt by {}.",
        proposal.display()
    );
}

/// One line for each field and value, in the order of the files.
fn contract_lines() -> Vec<String> {
    let contract = FileDescriptorSet::decode(CONTRACT).unwrap();
    let mut lines = Vec::new();
    for file in &contract.file {
        assert_eq!(file.package(), "kuriiri.v2");
        lines.extend(file.message_type.iter().flat_map(message_lines));
        lines.extend(file.enum_type.iter().flat_map(enum_lines));
    }
    lines
}

fn message_lines(message: &DescriptorProto) -> Vec<String> {
    assert!(message.nested_type.is_empty() && message.enum_type.is_empty());
    let line = |field: &FieldDescriptorProto| {
        let name = message.name();
        let (number, field_name) = (field.number(), field.name());
        let (kind, label) = (type_name(field), label(message, field));
        format!("message {name} {number} {field_name} {kind} {label}")
    };
    message.field.iter().map(line).collect()
}

fn enum_lines(values: &EnumDescriptorProto) -> Vec<String> {
    let line = |value: &prost_types::EnumValueDescriptorProto| {
        format!("enum {} {} {}", values.name(), value.number(), value.name())
    };
    values.value.iter().map(line).collect()
}

fn type_name(field: &FieldDescriptorProto) -> String {
    let declared = field.type_name().trim_start_matches(".kuriiri.v2.");
    let scalar = field.r#type().as_str_name().trim_start_matches("TYPE_");
    match declared {
        "" => scalar.to_lowercase(),
        declared => declared.into(),
    }
}

fn label(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    match (field.label(), field.oneof_index) {
        (Label::Repeated, _) => "repeated".into(),
        (_, Some(_)) if field.proto3_optional() => "optional".into(),
        (_, Some(index)) => format!("oneof:{}", message.oneof_decl[index as usize].name()),
        (_, None) => "singular".into(),
    }
}
