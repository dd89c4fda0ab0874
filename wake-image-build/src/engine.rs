//! Tools of this machine that build images, and how each is told to.

use std::collections::BTreeMap;

use wake_velocity::script::{Backend, Limits};

/// A tool of this machine that builds images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Which one.
    pub backend: Backend,
    /// What it says that its version is: part of every key.
    pub version: String,
    /// What stands before its command, as a shell reads it.
    pub flags: Vec<String>,
    /// The variables that it is found and finds its daemon by.
    pub env: BTreeMap<String, String>,
}

/// What a tool leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// A layout of an image.
    Layout,
    /// What `docker save` writes.
    Archive,
    /// A file of its own, to be run by it.
    File,
    /// What a cluster says of an image that it has.
    Reference,
}

/// What an engine is to do.
pub(crate) struct Job<'a> {
    /// The image before, or of somebody else, that lies beside the script.
    pub(crate) has_base: bool,
    /// What the image is called meanwhile: of daemons that others use as well.
    pub(crate) name: &'a str,
    /// What the image is called that it begins from.
    pub(crate) base: &'a str,
    /// What documents add to the command.
    pub(crate) arguments: &'a [&'a str],
    /// Whether commands reach the network.
    pub(crate) network: bool,
    /// How much a build of a cluster may take.
    pub(crate) limits: &'a Limits,
}

/// Where it lies in which the script, the context and what is begun from lie for an engine.
pub(crate) const SCRIPT: &str = "script";
pub(crate) const CONTEXT: &str = "context";
pub(crate) const BASE: &str = "base";
/// What the short names begin with by which tools are told where they may keep what runs.
const RUN_ROOTS: &str = "/tmp/wake.";
/// What the names of links begin with that stand for tags of a daemon as long as somebody builds there, before the ends of these tags.
const MARKS: &str = "/tmp/wake.docker-";
/// What tags of a daemon are called, before their ends.
pub(crate) const TAGS: &str = "localhost/wake-";

impl Engine {
    /// What it leaves.
    pub fn product(&self) -> Product {
        match self.backend {
            Backend::Docker => Product::Archive,
            Backend::Apptainer | Backend::Singularity => Product::File,
            Backend::OpenShift => Product::Reference,
            Backend::Wake | Backend::Podman | Backend::Buildah => Product::Layout,
        }
    }

    /// Whether it fetches images of others itself, for which it must reach a network.
    pub(crate) fn fetches(&self) -> bool {
        self.product() != Product::Layout
    }

    /// The shell script that has it build: with the script, the context and what is begun from in the working directory, the image
    /// comes to lie at `out`.
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

    /// The shell script that takes away what builds have left that are gone, if it leaves anything: links to what is no more, and tags of
    /// a daemon for which these stand.
    pub fn clearing(&self) -> Option<String> {
        match self.backend {
            Backend::Podman | Backend::Buildah => Some(format!(
                "for old in {RUN_ROOTS}??????; do if [ -L \"$old\" ] && [ ! -e \"$old\" ]; then rm -f \"$old\" || :; fi; done 2>/dev/null\n"
            )),
            // Whose link cannot be removed is somebody else.
            Backend::Docker => Some(format!(
                "{}for old in {MARKS}*; do if [ -L \"$old\" ] && [ ! -e \"$old\" ] && rm -f \"$old\"; then end=${{old#{MARKS}}}; forget \"${{end%.*}}\"; fi; done 2>/dev/null\n",
                self.forgetting()
            )),
            Backend::Wake | Backend::Apptainer | Backend::Singularity | Backend::OpenShift => None,
        }
    }

    /// A function of the shell that has the daemon forget the tag with an end, if nobody builds it.
    fn forgetting(&self) -> String {
        let flags = words_of(&self.flags);
        format!(
            "forget() {{ for live in {MARKS}\"$1\".*; do [ ! -e \"$live\" ] || return 0; done; docker{flags} rmi --no-prune {TAGS}\"$1\":latest >/dev/null 2>&1 || :; }}\n"
        )
    }

    /// Nothing of it is left: neither is anything of other builds seen.
    fn in_own_storage(&self, job: &Job<'_>, out: &str, lines: &mut Vec<String>) {
        let (program, flags) = (self.backend.program(), words_of(&self.flags));
        let arguments = words_of(job.arguments);
        let network = if job.network { "host" } else { "none" };
        let (Job { name, base, .. }, epoch) = (job, wake_exec::SOURCE_DATE_EPOCH);
        lines.extend([
            "own=\"$PWD/.engine\"".to_owned(),
            "mkdir -p \"$own/run\" \"$own/tmp\"".to_owned(),
            // No longer path than of 50 characters will do, so all else of it lies here.
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
        // Times of files and of the image are no part of what was built.
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
        // They end the shell that they are in.
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

/// Words, each after a space.
fn words_of(words: &[impl AsRef<str>]) -> String {
    words.iter().map(|word| format!(" {}", word.as_ref())).collect()
}
