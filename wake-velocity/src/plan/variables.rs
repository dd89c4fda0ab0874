//! The variables available in templates.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Build, Planner};
use crate::catalog::Generation;
use crate::script::{Backend, Limits, quoted};
use crate::version::Release;

/// The variable whose value is known last.
pub(super) const IMAGE_ID: &str = "__image_id__";

/// The variables of an image; the last of several values counts.
///
/// In the first generation, built-in variables override those of the image; in the second, the image's override the
/// built-in ones.
pub(super) fn of(
    planner: &Planner<'_>,
    number: usize,
    base: Option<&Build>,
    template: &[u8],
) -> Vec<(String, String)> {
    let image = &planner.solution.images[number];
    let own = super::named(&image.variables);
    let setting = &planner.catalog.setting;
    let threads = threads(planner).to_string();
    let mut tool = vec![
        ("__name__", image.name.clone()),
        ("__backend__", setting.backend.clone()),
        ("__system__", setting.system.clone()),
        ("__distro__", setting.distro.clone()),
        ("__threads__", threads),
        ("__timestamp__", planner.surroundings.timestamp.clone()),
    ];
    tool.extend(base.map(|base| ("__base__", base.name.clone())));
    let mut variables = Vec::new();
    match planner.catalog.generation {
        Generation::First => {
            tool.push(("__tag__", image.version.clone()));
            tool.push(("__hash__", hash(template)));
            variables.extend(own);
            variables.extend(tool.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        Generation::Second => {
            tool.push((IMAGE_ID, String::new()));
            tool.push(("__backend_executable__", planner.backend.program().to_owned()));
            tool.push(("__arch__", planner.surroundings.arch.clone()));
            tool.extend(parts("__version", &image.version));
            if planner.backend == Backend::OpenShift {
                let Limits { cpu, memory } = &planner.surroundings.limits;
                tool.push(("__openshift_cpu_limit__", cpu.clone()));
                tool.push(("__openshift_memory_limit__", memory.clone()));
            }
            variables.extend(tool.into_iter().map(|(name, value)| (name.to_owned(), value)));
            for other in &planner.solution.images {
                let parts = parts("version", &other.version).into_iter();
                let named = |(part, value)| (format!("__{}__{part}", other.name), value);
                variables.extend(parts.map(named));
            }
            variables.extend(own);
        }
    }
    variables
}

/// A version and its parts as variables; an absent part is `None`, as in Velocity.
fn parts(begin: &'static str, version: &str) -> [(&'static str, String); 5] {
    let release = Release::new(version);
    let [major, minor, patch, suffix] =
        release.parts().map(|part| part.unwrap_or("None").to_owned());
    let names = match begin {
        "version" => [
            "version__",
            "version_major__",
            "version_minor__",
            "version_patch__",
            "version_suffix__",
        ],
        _ => [
            "__version__",
            "__version_major__",
            "__version_minor__",
            "__version_patch__",
            "__version_suffix__",
        ],
    };
    let [whole, a, b, c, d] = names;
    [(whole, version.to_owned()), (a, major), (b, minor), (c, patch), (d, suffix)]
}

/// Respects the CPU limit of a cluster.
fn threads(planner: &Planner<'_>) -> usize {
    let threads = planner.surroundings.threads.max(1);
    if planner.backend != Backend::OpenShift {
        return threads;
    }
    let cpu = &planner.surroundings.limits.cpu;
    let digits: String = cpu.chars().filter(char::is_ascii_digit).collect();
    let processors = digits.parse::<usize>().unwrap_or(1000) / 1000;
    threads.min(processors.max(1))
}

/// SHA-256 of a template's text, with lines ending in `\n`.
fn hash(template: &[u8]) -> String {
    let text = String::from_utf8_lossy(template).replace("\r\n", "\n");
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(super) fn set_id(variables: &mut [(String, String)], id: &str) {
    for (_, value) in variables.iter_mut().filter(|(name, _)| name == IMAGE_ID) {
        id.clone_into(value);
    }
}

/// A file that sets the variables in a shell, if a shell allows their names. Absent parts are empty.
pub(super) fn exported(variables: &[(String, String)]) -> String {
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let export = |(name, value): &(String, String)| {
        let value = if value == "None" { "" } else { value };
        let value = if value.is_empty() { "''".to_owned() } else { quoted(value) };
        format!("export {name}={value}\n")
    };
    variables.iter().filter(|(name, _)| is_name(name)).map(export).collect()
}

#[cfg(test)]
mod tests {
    use super::exported;

    #[test]
    fn a_value_stays_one_value_in_a_shell() {
        let variables = [
            ("a", "1"),
            ("b", "x y; rm -rf /"),
            ("c", "it's"),
            ("__my-image__version__", "1"),
            ("d", "None"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            exported(&variables),
            "export a=1\nexport b='x y; rm -rf /'\nexport c='it'\\''s'\nexport d=''\n"
        );
    }
}
