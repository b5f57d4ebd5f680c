//! Compiles the contract in `proto/` to Rust, without protoc.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const PROTO: &str = "../../proto";
const FILES: [&str; 8] =
    ["header", "envelope", "receipt", "approval", "log", "relay", "client", "admin"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}/kuriiri");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new([PROTO])?;
    compiler.include_imports(true);
    compiler.open_files(FILES.map(|file| format!("kuriiri/v2/{file}.proto")))?;
    let contract = compiler.encode_file_descriptor_set();
    // Tests hold the contract against the committed baseline and against the code's limits.
    fs::write(out.join("contract.binpb"), &contract)?;
    prost_build::Config::new()
        .bytes(["."])
        .compile_fds(prost_types::FileDescriptorSet::decode(contract.as_slice())?)?;
    Ok(())
}
