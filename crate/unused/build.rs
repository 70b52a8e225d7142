//! Says to the sources, which are those of other packages, that they are compiled as one program.

fn main() {
    println!("cargo::rustc-cfg=as_program");
    println!("cargo::rerun-if-changed=build.rs");
}
