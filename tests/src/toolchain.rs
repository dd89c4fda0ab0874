//! The Rust compiler, for tests that build with it.

use std::path::Path;
use std::process::Command;

use crate::project::Project;

/// Whether commands see a Rust compiler in the system directories.
pub fn has_system_rust() -> bool {
    ["/usr/bin/rustc", "/bin/rustc"].iter().any(|path| Path::new(path).exists())
}

/// Makes `//DIR` of a project a package with a module `rust`: a copy of the tester's toolchain, made by the rules in `from`, an
/// argument of `getPkg()`. Returns false if there is no toolchain.
pub fn rust_toolchain_into(project: &Project, dir: &str, from: &str) -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() else {
        return false;
    };
    let root = String::from_utf8(output.stdout).unwrap();
    let script = "set -eu; mkdir -p \"$1/bin\" \"$1/lib/rustlib\"; cp -a \"$0/bin/rustc\" \"$1/bin\"; \
                  cp -a \"$0\"/lib/*.so* \"$1/lib\"; \
                  host=$(\"$0/bin/rustc\" -vV | sed -n 's/^host: //p'); cp -a \"$0/lib/rustlib/$host\" \"$1/lib/rustlib\"";
    let copied = Command::new("sh")
        .args(["-c", script, root.trim()])
        .arg(project.path(dir).join("rust"))
        .status()
        .unwrap();
    assert!(copied.success());
    project.write(
        &format!("{dir}/PKG.libsonnet"),
        format!(
            "local rust = import '@rust/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('tools', '1.0.0'),\n  \
             files=wake.dir(['rust/**']),\n  \
             pkgs={{ rust: wake.getPkg(wake.pkgInfo('rust', '^1', 'wake'){from}) }},\n  modules=rust.toolchain('rust'),\n)\n"
        ),
    );
    true
}
