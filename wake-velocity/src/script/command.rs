//! Commands that build and finish images.

use super::Backend;

/// Resource limits of a build on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The CPU limit, such as `1000m`.
    pub cpu: String,
    /// The memory limit, such as `2Gi`.
    pub memory: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu: "1000m".to_owned(), memory: "2Gi".to_owned() }
    }
}

impl Backend {
    /// Returns the shell commands that build the image `name` from the file `script`, to be run in the directory of
    /// the script.
    pub fn build_command(
        self,
        script: &str,
        name: &str,
        arguments: &[&str],
        limits: &Limits,
    ) -> Vec<String> {
        if self == Backend::OpenShift {
            return in_cluster(script, name, arguments, limits);
        }
        if self == Backend::Wake {
            return vec!["# wake builds it from the template".to_owned()];
        }
        let mut words = vec![format!("{} build", self.program())];
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let (script, name) = (quoted(script), quoted(name));
        if self.reads_definitions() {
            words.extend([name, script]);
        } else {
            words.extend([format!("-f {script}"), format!("-t {name}"), ".".to_owned()]);
        }
        vec![words.join(" ") + ";"]
    }

    /// The full name of an image that was requested as `tag`; files are in `dir`.
    pub fn image_name(self, dir: &str, tag: &str) -> String {
        match self {
            Backend::Apptainer | Backend::Singularity => {
                let end = if tag.contains(".sif") { "" } else { ".sif" };
                let path =
                    if tag.starts_with('/') { tag.to_owned() } else { format!("{dir}/{tag}") };
                path + end
            }
            Backend::OpenShift if tag.contains(':') => tag.to_owned(),
            Backend::OpenShift => format!("v-{tag}:latest"),
            _ => {
                let begin = if tag.contains('/') { "" } else { "localhost/" };
                let end = if tag.contains(':') { "" } else { ":latest" };
                format!("{begin}{tag}{end}")
            }
        }
    }

    /// The command that gives a built image another name.
    pub fn name_command(self, from: &str, to: &str) -> String {
        let (from, to) = (quoted(from), quoted(to));
        match self {
            Backend::Apptainer | Backend::Singularity => format!("cp {from} {to}"),
            backend => format!("{} tag {from} {to}", backend.program()),
        }
    }

    /// The command that removes a name that is no longer needed, if anything must be removed.
    pub fn forget_command(self, name: &str) -> Option<String> {
        let program = self.program();
        match self {
            Backend::Apptainer | Backend::Singularity | Backend::Wake => None,
            Backend::Podman => Some(format!("{program} untag {}", quoted(name))),
            Backend::Docker | Backend::Buildah => Some(format!("{program} rmi {}", quoted(name))),
            Backend::OpenShift => {
                let name = quoted(without_tag(name));
                Some(format!(
                    "{program} delete buildconfigs {name}; {program} delete imagestream {name};"
                ))
            }
        }
    }
}

fn without_tag(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// Starts a build on a cluster and waits for it.
fn in_cluster(script: &str, name: &str, arguments: &[&str], limits: &Limits) -> Vec<String> {
    let build = quoted(without_tag(name));
    let dir = script.strip_suffix("/script").unwrap_or(script);
    let dockerfile = quoted(&format!("{dir}/Dockerfile"));
    let (dir, name, script) = (quoted(dir), quoted(name), quoted(script));
    let arguments: String = arguments.iter().map(|argument| format!(" {argument}")).collect();
    let Limits { cpu, memory } = limits;
    let patch =
        format!(r#"{{"spec":{{"resources":{{"limits":{{"cpu":"{cpu}","memory":"{memory}"}}}}}}}}"#);
    vec![
        format!("cp {script} {dockerfile};"),
        format!("if ! oc get buildconfigs {build}; then"),
        format!(
            "    oc new-build {dir} --name={build} --to={name} --allow-missing-imagestream-tags=true;"
        ),
        "fi;".to_owned(),
        format!("oc patch buildconfig/{build} --patch '{patch}';"),
        format!("oc start-build {build} --from-dir={dir}{arguments};"),
        "while : ; do".to_owned(),
        format!(
            "    status=$(oc describe build {build} 2>/dev/null | awk '$1 == \"Status:\" {{print $2}}');"
        ),
        r#"    if echo "$status" | grep -iP "complete" > /dev/null; then"#.to_owned(),
        r#"        echo "Build complete."; exit 0;"#.to_owned(),
        r#"    elif echo "$status" | grep -iP "new|pending|running" > /dev/null; then"#.to_owned(),
        r#"        echo "Waiting for build to complete ($(date)) ..."; sleep 30;"#.to_owned(),
        "    else".to_owned(),
        r#"        echo "Build failed with state '${status}'!" >&2; exit 1;"#.to_owned(),
        "    fi;".to_owned(),
        "done;".to_owned(),
    ]
}

/// Quotes a text as one shell word, if necessary.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@=+,%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn build(backend: Backend, arguments: &[&str]) -> String {
        let name = backend.image_name("/b/x", "id");
        backend.build_command("/b/x/script", &name, arguments, &Limits::default()).join("\n")
    }

    #[test]
    fn each_backend_has_its_own_command() {
        assert_eq!(build(Backend::Apptainer, &[]), "apptainer build /b/x/id.sif /b/x/script;");
        assert_eq!(
            build(Backend::Singularity, &["--fakeroot", "-F"]),
            "singularity build --fakeroot -F /b/x/id.sif /b/x/script;"
        );
        for backend in ["podman", "docker", "buildah"] {
            assert_eq!(
                build(backend.parse().unwrap(), &["--build-arg X=1"]),
                format!("{backend} build --build-arg X=1 -f /b/x/script -t localhost/id:latest .;")
            );
        }
    }

    #[test]
    fn a_cluster_is_asked_and_waited_for() {
        let lines = build(Backend::OpenShift, &["--no-cache"]);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "cp /b/x/script /b/x/Dockerfile;",
                "if ! oc get buildconfigs v-id; then",
                "    oc new-build /b/x --name=v-id --to=v-id:latest --allow-missing-imagestream-tags=true;",
                "fi;",
                r#"oc patch buildconfig/v-id --patch '{"spec":{"resources":{"limits":{"cpu":"1000m","memory":"2Gi"}}}}';"#,
                "oc start-build v-id --from-dir=/b/x --no-cache;",
            ]
        );
        assert_eq!(lines.last(), Some(&"done;"));
    }

    #[test]
    fn paths_with_spaces_stay_one_word() {
        let command = Backend::Podman.build_command("/a b/script", "n", &[], &Limits::default());
        assert_eq!(command, ["podman build -f '/a b/script' -t n .;"]);
    }

    #[test]
    fn image_names_are_formed_for_each_backend() {
        assert_eq!(Backend::Podman.image_name("/d", "r.example/x:1"), "r.example/x:1");
        assert_eq!(Backend::Apptainer.image_name("/d", "x.sif"), "/d/x.sif");
        assert_eq!(Backend::Apptainer.image_name("/d", "/e/x"), "/e/x.sif");
        assert_eq!(Backend::OpenShift.image_name("/d", "x:2"), "x:2");
    }
}
