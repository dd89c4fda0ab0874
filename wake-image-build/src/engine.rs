//! Build tools on this machine, and the scripts that run them.

use std::collections::BTreeMap;

use wake_velocity::script::{Backend, Limits};

/// A build tool on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Which one.
    pub backend: Backend,
    /// The version it reports; part of every cache key.
    pub version: String,
    /// Global options, quoted for a shell.
    pub flags: Vec<String>,
    /// Environment variables needed to find the tool and its daemon.
    pub env: BTreeMap<String, String>,
}

/// What a tool produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// An image layout.
    Layout,
    /// The output of `docker save`.
    Archive,
    /// A file in the tool's own format.
    File,
    /// The cluster's description of an image that it stores.
    Reference,
}

/// What an engine is to build.
pub(crate) struct Job<'a> {
    /// Whether the base image is next to the script.
    pub(crate) has_base: bool,
    /// The temporary name of the image; on daemons it is visible to others.
    pub(crate) name: &'a str,
    /// The name of the base image.
    pub(crate) base: &'a str,
    /// Additional arguments from documents.
    pub(crate) arguments: &'a [&'a str],
    /// Whether commands have network access.
    pub(crate) network: bool,
    /// The resource limits of a build on a cluster.
    pub(crate) limits: &'a Limits,
}

/// The paths of script, context and base for an engine.
pub(crate) const SCRIPT: &str = "script";
pub(crate) const CONTEXT: &str = "context";
pub(crate) const BASE: &str = "base";
/// The prefix of the short paths that tools get for their runtime files.
const RUN_ROOTS: &str = "/tmp/wake.";
/// The prefix of links that protect a tag on a daemon while it is in use; the suffix of the tag follows.
const MARKS: &str = "/tmp/wake.docker-";
/// The prefix of tags on a daemon.
pub(crate) const TAGS: &str = "localhost/wake-";

impl Engine {
    /// What it produces.
    pub fn product(&self) -> Product {
        match self.backend {
            Backend::Docker => Product::Archive,
            Backend::Apptainer | Backend::Singularity => Product::File,
            Backend::OpenShift => Product::Reference,
            Backend::Wake | Backend::Podman | Backend::Buildah => Product::Layout,
        }
    }

    /// Whether it fetches base images itself, and therefore needs network access.
    pub(crate) fn fetches(&self) -> bool {
        self.product() != Product::Layout
    }

    /// Returns the shell script that builds the image. Script, context and base are in the working directory; the
    /// image is written to `out`.
    pub(crate) fn commands(&self, job: &Job<'_>, out: &str) -> String {
        let program = self.backend.program();
        let mut lines = vec!["set -e".to_owned(), format!("# {program} {}", self.version)];
        lines.extend(self.clearing().map(|script| script.trim_end().to_owned()));
        match self.backend {
            Backend::Podman | Backend::Buildah => self.in_own_storage(job, out, &mut lines),
            Backend::Docker => self.by_daemon(job, out, &mut lines),
            Backend::Apptainer | Backend::Singularity => {
                let words = [&[program.to_owned()], &*self.flags, &["build".to_owned()]].concat();
                let words = words.join(" ");
                let arguments = words_of(job.arguments);
                lines.push(format!("cd {CONTEXT}"));
                lines.push(format!("{words}{arguments} ../{out} ../{SCRIPT}"));
            }
            Backend::OpenShift => self.in_cluster(job, out, &mut lines),
            Backend::Wake => {}
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns the shell script that removes what aborted builds left behind, if anything: dangling links, and the
    /// daemon tags they protected.
    pub fn clearing(&self) -> Option<String> {
        match self.backend {
            Backend::Podman | Backend::Buildah => Some(format!(
                "for old in {RUN_ROOTS}??????; do if [ -L \"$old\" ] && [ ! -e \"$old\" ]; then rm -f \"$old\" || :; fi; done 2>/dev/null\n"
            )),
            // A link that cannot be removed belongs to another user.
            Backend::Docker => Some(format!(
                "{}for old in {MARKS}*; do if [ -L \"$old\" ] && [ ! -e \"$old\" ] && rm -f \"$old\"; then end=${{old#{MARKS}}}; forget \"${{end%.*}}\"; fi; done 2>/dev/null\n",
                self.forgetting()
            )),
            Backend::Wake | Backend::Apptainer | Backend::Singularity | Backend::OpenShift => None,
        }
    }

    /// Defines a shell function that removes the daemon tag with a suffix, unless a build is using it.
    fn forgetting(&self) -> String {
        let flags = words_of(&self.flags);
        format!(
            "forget() {{ for live in {MARKS}\"$1\".*; do [ ! -e \"$live\" ] || return 0; done; docker{flags} rmi --no-prune {TAGS}\"$1\":latest >/dev/null 2>&1 || :; }}\n"
        )
    }

    /// Uses a storage of its own: it leaves nothing behind and does not see other builds.
    fn in_own_storage(&self, job: &Job<'_>, out: &str, lines: &mut Vec<String>) {
        let (program, flags) = (self.backend.program(), words_of(&self.flags));
        let arguments = words_of(job.arguments);
        let network = if job.network { "host" } else { "none" };
        let (Job { name, base, .. }, epoch) = (job, wake_exec::SOURCE_DATE_EPOCH);
        lines.extend([
            "own=\"$PWD/.engine\"".to_owned(),
            "mkdir -p \"$own/run\" \"$own/tmp\"".to_owned(),
            // This path may have at most 50 characters; everything else is stored here.
            format!("run=$(mktemp -u {RUN_ROOTS}XXXXXX)"),
            format!(
                "trap 'rm -rf \"$own\" 2>/dev/null || {program} unshare rm -rf \"$own\"; rm -f \"$run\"' EXIT"
            ),
            "ln -sn \"$own/run\" \"$run\"".to_owned(),
            "TMPDIR=\"$own/tmp\"; export TMPDIR".to_owned(),
            format!(
                "engine() {{ {program} --root \"$own\" --runroot \"$run\" --storage-driver vfs{flags} \"$@\"; }}"
            ),
        ]);
        if job.has_base {
            lines.push(format!("id=$(engine pull -q oci:{BASE})"));
            lines.push(format!("engine tag \"$id\" {base}"));
        }
        // Timestamps of files and of the image are not part of the result.
        lines.push(format!(
            "engine build{arguments} --runtime-flag root=\"$own/runtime\" --pull=never --network {network} --timestamp {epoch} -f {SCRIPT} -t {name} {CONTEXT}"
        ));
        lines.push(match self.backend {
            Backend::Podman => format!("engine save -q --format oci-dir -o {out} {name}"),
            _ => format!("engine push -q {name} oci:{out}:latest"),
        });
    }

    fn by_daemon(&self, job: &Job<'_>, out: &str, lines: &mut Vec<String>) {
        let (flags, arguments) = (words_of(&self.flags), words_of(job.arguments));
        let network = if job.network { "host" } else { "none" };
        let Job { name, .. } = job;
        let end = name.trim_start_matches(TAGS).trim_end_matches(":latest");
        lines.extend([
            format!("mark=$(mktemp -u {MARKS}{end}.XXXXXX)"),
            format!("trap 'rm -f \"$mark\"; forget {end}' EXIT"),
            "ln -sn \"$PWD\" \"$mark\"".to_owned(),
        ]);
        if job.has_base {
            lines.push(format!("docker{flags} load -q -i {BASE}"));
        }
        lines.extend([
            format!(
                "docker{flags} build{arguments} --network {network} -f {SCRIPT} -t {name} {CONTEXT}"
            ),
            format!("docker{flags} save -o {out} {name}"),
        ]);
    }

    fn in_cluster(&self, job: &Job<'_>, out: &str, lines: &mut Vec<String>) {
        // These commands end their shell.
        lines.push(format!("cp {SCRIPT} {CONTEXT}/{SCRIPT}"));
        lines.push(format!("( cd {CONTEXT}"));
        let script = format!("./{SCRIPT}");
        lines.extend(Backend::OpenShift.build_command(
            &script,
            job.name,
            job.arguments,
            job.limits,
        ));
        lines.push(")".to_owned());
        lines.push(format!("oc get imagestreamtag {} -o json > {out}", job.name));
    }
}

/// Joins words, each preceded by a space.
fn words_of(words: &[impl AsRef<str>]) -> String {
    words.iter().map(|word| format!(" {}", word.as_ref())).collect()
}
