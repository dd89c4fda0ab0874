//! `wake recipe check`, `add`, `remove`, `list` and `show`

use std::io::Write;
use std::path::PathBuf;

use wake_asset::{AssetError, Catalog, DocumentKind, Existing, NewDocument, Registry};
use wake_recipe::error::{Warning, of_document, warning};
use wake_recipe::plan::Documents;
use wake_recipe::recipe::Generation;
use wake_recipe::{AssetClass, Recipe};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::RecipeRemoveArgs;
use crate::assets;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::recipes::{Document, Library, read_document};
use crate::report;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

fn tell(warnings: &[Warning], settings: &Settings) {
    for one in warnings {
        report::diagnostic::tell(&warning(one), settings.manner);
    }
}

fn say_of(
    verb: &str,
    text: &str,
    settings: &Settings,
    say: &mut impl Write,
) -> std::io::Result<()> {
    match settings.manner.verbosity > Verbosity::Quiet {
        true => {
            let line = settings.manner.style.verb(Role::Good, verb, escape::line(text));
            writeln!(say, "{line}")
        }
        false => Ok(()),
    }
}

/// Checks documents.
pub(super) fn check(files: &[PathBuf], settings: &Settings, say: &mut impl Write) -> Outcome {
    for file in files {
        let (what, warnings) = match read_document(&settings.cwd.join(file), settings)? {
            Document::Recipe(recipe) => {
                (format!("recipe `{}`", recipe.name), recipe.warnings.clone())
            }
            Document::Class(class) => {
                (format!("asset class `{}`", class.name), class.warnings.clone())
            }
        };
        tell(&warnings, settings);
        say_of("Checked", &format!("{}: {what}", file.display()), settings, say)?;
    }
    Ok(Exit::SUCCESS)
}

/// Adds documents to the registry, with the parent classes that are in the same directory.
pub(super) fn add(
    files: &[PathBuf],
    force: bool,
    registry: &Registry,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let existing = if force { Existing::Replace } else { Existing::Refuse };
    for file in files {
        let path = settings.cwd.join(file);
        match read_document(&path, settings)? {
            Document::Recipe(recipe) => {
                tell(&recipe.warnings, settings);
                if recipe.generation != Generation::Current {
                    let message = format!(
                        "`{}` is a recipe in the {} form, but registries accept only the current form",
                        file.display(),
                        recipe.generation
                    );
                    return Err(Diagnostic::error(Class::Usage, message)
                        .help("use the file directly with `--recipe FILE` or `--documents DIR`")
                        .into());
                }
                put(registry, &new_recipe(&recipe), existing, settings)?;
                say_of("Added", &format!("recipe `{}`", recipe.name), settings, say)?;
            }
            Document::Class(class) => {
                tell(&class.warnings, settings);
                let catalog = registry.read().map_err(|error| assets::failure(&error, settings))?;
                let library = Library { catalog: Some(&catalog), dirs: Vec::new(), settings };
                for parent in &class.parents {
                    let Some(found) = library.class(parent.name(), Some(&path))? else {
                        let message = format!(
                            "class `{}` inherits from `{}`, which is not a class",
                            class.name,
                            parent.name()
                        );
                        return Err(of_document(&parent.error(message))
                            .help("add the parent class first")
                            .into());
                    };
                    let is_kept =
                        catalog.classes().iter().any(|entry| entry.name == found.name.as_str());
                    if !is_kept {
                        put(registry, &new_class(&found), existing, settings)?;
                        say_of("Added", &format!("asset class `{}`", found.name), settings, say)?;
                    }
                }
                put(registry, &new_class(&class), existing, settings)?;
                say_of("Added", &format!("asset class `{}`", class.name), settings, say)?;
            }
        }
    }
    Ok(Exit::SUCCESS)
}

fn put(
    registry: &Registry,
    document: &NewDocument,
    existing: Existing,
    settings: &Settings,
) -> Result<(), Stop> {
    registry.put_document(document, existing).map_err(|error| match error {
        AssetError::Exists { asset } => {
            let message = format!("the registry already has a different document `{asset}`");
            Diagnostic::error(Class::Resolution, message).help("use `--force` to replace it").into()
        }
        error => assets::failure(&error, settings).into(),
    })
}

fn new_recipe(recipe: &Recipe) -> NewDocument {
    NewDocument {
        kind: DocumentKind::Recipe,
        name: recipe.name.to_string(),
        text: recipe.text.clone(),
        version: recipe.version.clone(),
        description: recipe.description.clone(),
        source: "self-added".to_owned(),
        output_class: recipe.class_name().parse().ok(),
    }
}

fn new_class(class: &AssetClass) -> NewDocument {
    NewDocument {
        kind: DocumentKind::Class,
        name: class.name.to_string(),
        text: class.text.clone(),
        version: class.version.clone(),
        description: class.description.clone(),
        source: "self-added".to_owned(),
        output_class: None,
    }
}

/// Removes documents from the registry.
pub(super) fn remove(
    args: &RecipeRemoveArgs,
    registry: &Registry,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let (kind, what) = match args.asset_class {
        false => (DocumentKind::Recipe, "recipe"),
        true => (DocumentKind::Class, "asset class"),
    };
    for name in &args.names {
        if args.asset_class && !args.force {
            let catalog = registry.read().map_err(|error| assets::failure(&error, settings))?;
            let users = users_of_class(name, &catalog, settings);
            if !users.is_empty() {
                let message = format!("asset class `{name}` is used by `{}`", users.join("`, `"));
                return Err(Diagnostic::error(Class::Resolution, message)
                    .help("use `--force` to remove it anyway")
                    .into());
            }
        }
        registry.remove_document(kind, name).map_err(|error| assets::failure(&error, settings))?;
        say_of("Removed", &format!("{what} `{name}`"), settings, say)?;
    }
    Ok(Exit::SUCCESS)
}

/// Returns the recipes, asset classes and assets in the registry that use an asset class.
fn users_of_class(name: &str, catalog: &Catalog, settings: &Settings) -> Vec<String> {
    let library = Library { catalog: Some(catalog), dirs: Vec::new(), settings };
    let is_it = |class: &Option<wake_asset::ClassName>| {
        class.as_ref().is_some_and(|class| class.as_str() == name)
    };
    let recipes = catalog.recipes().iter().filter(|entry| is_it(&entry.output_class));
    let mut users: Vec<String> = recipes.map(|entry| entry.name.clone()).collect();
    for entry in catalog.classes() {
        // A document that cannot be read inherits from nothing.
        if let Ok(Some(class)) = library.class(&entry.name, None)
            && class.parents.iter().any(|parent| parent.name() == name)
        {
            users.push(entry.name.clone());
        }
    }
    for genome in catalog.genomes() {
        let assets = genome.assets.iter().filter(|asset| is_it(&asset.class));
        users.extend(assets.map(|asset| format!("{}/{}", genome.title(), asset.name)));
    }
    users
}

/// Lists the documents in the registry.
pub(super) fn list(registry: &Registry, settings: &Settings, out: &mut impl Write) -> Outcome {
    let catalog = registry.read().map_err(|error| assets::failure(&error, settings))?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let recipes = catalog.recipes().iter().map(|entry| {
        let class = entry.output_class.as_ref().map(ToString::to_string).unwrap_or_default();
        let (version, description) = (text(&entry.version), text(&entry.description));
        format!("recipe\t{}\t{version}\t{class}\t{description}", entry.name)
    });
    let classes = catalog.classes().iter().map(|entry| {
        let (version, description) = (text(&entry.version), text(&entry.description));
        format!("class\t{}\t{version}\t\t{description}", entry.name)
    });
    let lines: Vec<String> = recipes.chain(classes).collect();
    print::lines(lines.iter().map(|line| escape::line(line)), out)
}

/// Prints the inputs and the output of a recipe.
pub(super) fn show(
    name: &str,
    registry: Option<Registry>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let catalog = registry.map(|registry| registry.read()).transpose();
    let catalog = catalog.map_err(|error| assets::failure(&error, settings))?;
    let library = Library { catalog: catalog.as_ref(), dirs: Vec::new(), settings };
    let recipe = library.named(name)?.recipe;
    tell(&recipe.warnings, settings);
    print::lines(described(&recipe).iter().map(|line| escape::line(line)), out)
}

fn described(recipe: &Recipe) -> Vec<String> {
    let mut lines = vec![
        format!("recipe      {} {}", recipe.name, recipe.version),
        format!("description {}", recipe.description),
        format!("makes       an asset of class {}", recipe.class_name()),
    ];
    lines.extend(recipe.container.iter().map(|container| format!("container   {container}")));
    for input in &recipe.inputs.files {
        lines.push(format!("--files     {}=FILE  {}", input.name, input.description));
    }
    for input in &recipe.inputs.params {
        let default = input.default.as_ref().map(|value| format!(" [default: {value}]"));
        let default = default.unwrap_or_default();
        lines.push(format!("--params    {}=VALUE  {}{default}", input.name, input.description));
    }
    for input in &recipe.inputs.assets {
        let default = input.default.as_ref();
        let default = default.map(|default| format!(" [default: {}]", default.path));
        let (default, class) = (default.unwrap_or_default(), &input.class);
        let text = format!("{} (class {class}){default}", input.description);
        lines.push(format!("--assets    {}=ASSET  {text}", input.name));
    }
    lines
}
