//! Which crates a crate may depend on.

use crate::workspace::Package;

/// The crates of one layer, and what each of them may depend on in the workspace. No crate depends on another of its layer.
struct Layer {
    crates: &'static [&'static str],
    may_use: &'static [&'static str],
}

/// The crates from the bottom up. A new crate must be added here.
const LAYERS: &[Layer] = &[
    Layer { crates: &["wake-model"], may_use: &[] },
    Layer {
        crates: &["wake-yaml", "wake-solve", "wake-eval", "wake-exec", "wake-store", "wake-slurm"],
        may_use: &["wake-model"],
    },
    Layer { crates: &["wake-velocity", "wake-codespec"], may_use: &["wake-model", "wake-yaml"] },
    Layer { crates: &["wake-kubernetes"], may_use: &["wake-model", "wake-codespec"] },
    Layer { crates: &["wake-buffer"], may_use: &["wake-model", "wake-store"] },
    Layer { crates: &["wake-registry"], may_use: &["wake-model", "wake-store"] },
    Layer { crates: &["wake-image"], may_use: &["wake-model", "wake-store", "wake-registry"] },
    Layer {
        crates: &["wake-asset"],
        may_use: &["wake-model", "wake-yaml", "wake-store", "wake-registry"],
    },
    Layer {
        crates: &["wake-steps"],
        may_use: &["wake-model", "wake-exec", "wake-store", "wake-image"],
    },
    // The fronts: each reads one kind of document, and does not depend on another.
    Layer {
        crates: &["wake-build"],
        may_use: &[
            "wake-model",
            "wake-solve",
            "wake-eval",
            "wake-exec",
            "wake-store",
            "wake-registry",
            "wake-image",
            "wake-steps",
        ],
    },
    Layer {
        crates: &["wake-formula"],
        may_use: &["wake-model", "wake-exec", "wake-store", "wake-steps"],
    },
    Layer {
        crates: &["wake-job"],
        may_use: &[
            "wake-model",
            "wake-exec",
            "wake-store",
            "wake-image",
            "wake-steps",
            "wake-codespec",
            "wake-buffer",
        ],
    },
    Layer {
        crates: &["wake-image-build"],
        may_use: &[
            "wake-model",
            "wake-exec",
            "wake-store",
            "wake-image",
            "wake-steps",
            "wake-velocity",
        ],
    },
    Layer {
        crates: &["wake-recipe"],
        may_use: &[
            "wake-model",
            "wake-yaml",
            "wake-exec",
            "wake-store",
            "wake-asset",
            "wake-steps",
        ],
    },
    Layer {
        crates: &["wake-cli"],
        may_use: &[
            "wake-model",
            "wake-eval",
            "wake-exec",
            "wake-store",
            "wake-steps",
            "wake-build",
            "wake-formula",
            "wake-recipe",
            "wake-velocity",
            "wake-image",
            "wake-image-build",
            "wake-asset",
            "wake-codespec",
            "wake-buffer",
            "wake-job",
            "wake-slurm",
            "wake-kubernetes",
        ],
    },
    // Runs the program as a user does, and uses none of its types.
    Layer { crates: &["wake-tests"], may_use: &[] },
    // Measures parts of the other crates separately.
    Layer { crates: &["wake-benches"], may_use: &["wake-model", "wake-eval"] },
];

/// The forbidden dependencies of the crates on each other.
pub(crate) fn faults(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| faults_of(package, packages)).collect()
}

fn faults_of(package: &Package, packages: &[Package]) -> Vec<String> {
    let (name, manifest) = (&package.name, package.manifest());
    let is_here = |layer: &&Layer| layer.crates.contains(&name.as_str());
    let Some(layer) = LAYERS.iter().find(is_here) else {
        return vec![format!(
            "{manifest}: `{name}` is in no layer: add it to `LAYERS` in {}",
            file!()
        )];
    };
    let ours = packages.iter().filter(|other| package.depends_on.contains(&other.name));
    ours.filter(|other| !layer.may_use.contains(&other.name.as_str()))
        .map(|other| {
            let may_use = match layer.may_use {
                [] => "no other crate of the workspace".to_owned(),
                some => format!("only {}", some.join(", ")),
            };
            format!("{manifest}: `{name}` depends on `{}`, but may use {may_use}", other.name)
        })
        .collect()
}

#[test]
fn a_crate_depends_only_on_crates_that_its_layer_may_use() {
    let manifest = |name: &str, dependencies: &str| {
        format!(
            "[package]\nname = \"{name}\"\n{dependencies}\n[dev-dependencies]\nwake-cli = {{}}\n"
        )
    };
    let sources = std::collections::BTreeMap::from([
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"m\", \"e\", \"b\", \"f\", \"n\", \"c\"]".to_owned(),
        ),
        ("m/Cargo.toml", manifest("wake-model", "[dependencies]\nserde = \"1\"")),
        ("e/Cargo.toml", manifest("wake-eval", "[dependencies]\nwake-model.workspace = true")),
        ("b/Cargo.toml", manifest("wake-build", "[dependencies]\nwake-eval = { path = \"../e\" }")),
        (
            "f/Cargo.toml",
            manifest("wake-formula", "[dependencies]\nbuild = { package = \"wake-build\" }"),
        ),
        ("n/Cargo.toml", manifest("wake-new", "")),
        ("c/Cargo.toml", manifest("wake-cli", "[target.'cfg(unix)'.dependencies]\nwake-new = {}")),
    ]);
    let sources: std::collections::BTreeMap<_, _> =
        sources.iter().map(|(&path, text)| (path, text.as_str())).collect();
    let packages = crate::workspace::packages(&sources).unwrap();
    let front = "wake-model, wake-exec, wake-store, wake-steps";
    let cli = "wake-model, wake-eval, wake-exec, wake-store, wake-steps, wake-build, wake-formula, wake-recipe, wake-velocity, wake-image, wake-image-build, wake-asset, wake-codespec, wake-buffer, wake-job, wake-slurm, wake-kubernetes";
    assert_eq!(
        faults(&packages),
        [
            format!(
                "f/Cargo.toml: `wake-formula` depends on `wake-build`, but may use only {front}"
            ),
            format!("n/Cargo.toml: `wake-new` is in no layer: add it to `LAYERS` in {}", file!()),
            format!("c/Cargo.toml: `wake-cli` depends on `wake-new`, but may use only {cli}"),
        ]
    );
}
