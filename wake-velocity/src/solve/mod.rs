//! Decides which version of each image is built, and in which order, or explains why that is impossible.
//!
//! Names are ranked: first those of the targets as given, then those they may need, round by round, in document
//! order, with those of higher versions first. Of all choices of one version for each name that satisfy the needs of
//! everything built, the first one is taken: higher versions come first, and names of higher rank are compared first.
//! Of this choice, everything below a target in the graph of all images is built. `spec/velocity.md` has the rules.

mod error;
mod graph;
mod target;
mod order;
mod search;
mod proof;

pub use error::{Fact, SolveError};

use crate::catalog::{Catalog, Context, Generation, Image, Prolog, Scope, What, Written};
use crate::spec::{Setting, Subject};
use crate::version::Release;

use graph::{Graph, Number};
use target::Target;

/// Maximum number of conflicts before the search is aborted.
const MOST_CONFLICTS: usize = 200_000;

/// The images to build, each after its dependencies.
#[derive(Debug)]
pub struct Solution {
    /// The images, with everything declared about them.
    pub images: Vec<Image>,
    /// For each image, the indices of its dependencies, in document order.
    pub needs: Vec<Vec<usize>>,
}

/// Decides what to build for targets.
pub fn solve(catalog: &Catalog, targets: &[String]) -> Result<Solution, SolveError> {
    let parsed = targets.iter().map(|target| Target::parse(target, catalog.generation));
    let targets: Vec<Target> = parsed.collect::<Result<_, _>>()?;
    check(catalog, &targets)?;
    let mut needs: Vec<Vec<Written>> =
        catalog.images.iter().map(|image| image.needs.clone()).collect();
    let mut build = Vec::new();
    if catalog.generation == Generation::Second {
        declare_first(catalog, &mut needs);
        let graph = Graph::new(catalog, &needs)?;
        build = choose(catalog, &graph, &targets)?;
        declare_along(catalog, &mut needs, &build);
    }
    let graph = Graph::new(catalog, &needs)?;
    let chosen = choose(catalog, &graph, &targets)?;
    for &image in &chosen {
        if let Some(need) = graph.needs[image].iter().find(|need| need.found.is_empty()) {
            return Err(graph::unmet(catalog, image, &need.written).into());
        }
    }
    let whole = |&number: &Number| whole(catalog, number, &needs, &build);
    let among = |&number: &Number| {
        let mut among: Vec<usize> = Vec::new();
        for found in graph.needs[number].iter().flat_map(|need| &need.found) {
            if let Some(at) = chosen.iter().position(|one| one == found)
                && !among.contains(&at)
            {
                among.push(at);
            }
        }
        among
    };
    Ok(Solution {
        images: chosen.iter().map(whole).collect(),
        needs: chosen.iter().map(among).collect(),
    })
}

/// Checks the dependencies of all images, as every command does first.
pub fn check_needs(catalog: &Catalog) -> Result<(), SolveError> {
    let mut needs: Vec<Vec<Written>> =
        catalog.images.iter().map(|image| image.needs.clone()).collect();
    if catalog.generation == Generation::Second {
        declare_first(catalog, &mut needs);
    }
    Graph::new(catalog, &needs)?;
    Ok(())
}

/// The versions of each name in the catalog, ascending.
pub fn available(catalog: &Catalog) -> Vec<(&str, Vec<&Image>)> {
    let mut names: Vec<(&str, Vec<&Image>)> = Vec::new();
    for (name, numbers) in order::by_name(catalog) {
        let images = numbers.iter().rev().map(|&number| &catalog.images[number]).collect();
        names.push((name, images));
    }
    names
}

fn check(catalog: &Catalog, targets: &[Target]) -> Result<(), SolveError> {
    if targets.is_empty() {
        return Err(SolveError::NoTarget);
    }
    for target in targets {
        if catalog.images.iter().all(|image| image.name != target.name) {
            let Setting { system, backend, distro } = &catalog.setting;
            return Err(SolveError::NoImage {
                name: target.name.clone(),
                setting: format!("system `{system}`, backend `{backend}`, distro `{distro}`"),
                help: target::help(catalog, &target.name),
            });
        }
    }
    for target in targets {
        let same: Vec<&Target> = targets.iter().filter(|one| one.name == target.name).collect();
        let taken = |image: &&Image| same.iter().all(|target| target.takes(image));
        let mut images = catalog.images.iter().filter(|image| image.name == target.name);
        if !images.any(|image| taken(&image)) {
            let targets: Vec<String> =
                same.iter().map(|target| format!("`{}`", target.written)).collect();
            return Err(SolveError::NoVersion {
                name: target.name.clone(),
                targets: targets.join(" and "),
                help: existing(catalog, &target.name).unwrap_or_default(),
            });
        }
    }
    Ok(())
}

/// The available versions of the image that a spec names.
fn existing(catalog: &Catalog, spec: &str) -> Option<String> {
    let name = spec.split('@').next().unwrap_or(spec);
    let names = order::by_name(catalog);
    match names.iter().find(|&(&known, _)| known == name) {
        Some((_, numbers)) => {
            let versions = numbers.iter().map(|&number| catalog.images[number].version.as_str());
            Some(format!("the available versions are {}", versions.collect::<Vec<_>>().join(", ")))
        }
        None => target::help(catalog, name),
    }
}

/// `gcc@=11.5.0` or, in the second generation, `gcc@11.5.0`.
fn label(catalog: &Catalog, number: Number) -> String {
    let image = &catalog.images[number];
    image.label(catalog.generation)
}

impl Image {
    /// Its name with its version: `gcc@=11.5.0` or, in the second generation, `gcc@11.5.0`.
    pub fn label(&self, generation: Generation) -> String {
        let at = match generation {
            Generation::First => "@=",
            Generation::Second => "@",
        };
        format!("{}{at}{}", self.name, self.version)
    }
}

/// Adds the dependencies whose conditions hold for the images themselves.
fn declare_first(catalog: &Catalog, needs: &mut [Vec<Written>]) {
    for declaration in &catalog.declared {
        let What::Need(need) = &declaration.what else { continue };
        for number in 0..catalog.images.len() {
            let is_meant = declaration.image.as_ref() == Some(&catalog.images[number].name);
            if is_meant && holds(catalog, declaration, number, needs) {
                add(&mut needs[number], need);
            }
        }
    }
}

/// Adds the dependencies whose conditions hold for images that are built along, until nothing changes.
fn declare_along(catalog: &Catalog, needs: &mut [Vec<Written>], build: &[Number]) {
    loop {
        let mut changed = false;
        for declaration in &catalog.declared {
            let What::Need(need) = &declaration.what else { continue };
            for number in 0..catalog.images.len() {
                if declaration.image.as_ref() != Some(&catalog.images[number].name) {
                    continue;
                }
                let holds = match declaration.scope {
                    Scope::Image => holds(catalog, declaration, number, needs),
                    Scope::Build => {
                        build.iter().any(|&along| self::holds(catalog, declaration, along, needs))
                    }
                };
                changed |= holds && add(&mut needs[number], need);
            }
        }
        if !changed {
            return;
        }
    }
}

fn add(needs: &mut Vec<Written>, need: &Written) -> bool {
    let is_new = needs.iter().all(|known| known.text != need.text);
    if is_new {
        needs.push(need.clone());
    }
    is_new
}

fn holds(
    catalog: &Catalog,
    declaration: &crate::catalog::Declaration,
    number: Number,
    needs: &[Vec<Written>],
) -> bool {
    let image = &catalog.images[number];
    let needs: Vec<&str> = needs[number].iter().map(|need| need.text.as_str()).collect();
    let version = Release::new(&image.version);
    let setting = &catalog.setting;
    declaration.when.holds(&Subject {
        name: &image.name,
        version: &version,
        needs: &needs,
        setting,
    })
}

/// An image with everything that is declared about it in this build.
fn whole(catalog: &Catalog, number: Number, needs: &[Vec<Written>], build: &[Number]) -> Image {
    let mut image = catalog.images[number].clone();
    image.needs.clone_from(&needs[number]);
    for declaration in &catalog.declared {
        if declaration.image.as_ref().is_some_and(|name| *name != image.name) {
            continue;
        }
        let own = holds(catalog, declaration, number, needs);
        let along = declaration.scope == Scope::Build
            && build.iter().any(|&along| holds(catalog, declaration, along, needs));
        if own || along {
            declare(&mut image, &declaration.what, declaration.yields);
        }
    }
    image
}

/// Applies a declaration. The last one counts for the template, the prolog, and each variable.
fn declare(image: &mut Image, what: &What, yields: bool) {
    let add = |texts: &mut Vec<Written>, text: &Written| {
        if texts.iter().all(|known| known.text != text.text) {
            texts.push(text.clone());
        }
    };
    match what {
        What::Need(_) => {}
        What::Template(template) => image.template = template.clone(),
        What::Argument(argument) => add(&mut image.arguments, argument),
        What::Variable(variable) => {
            if yields && image.variables.iter().any(|one| one.name == variable.name) {
                return;
            }
            image.variables.retain(|one| one.name != variable.name);
            image.variables.push(variable.clone());
        }
        What::File(file) => {
            if let Context::Named(files) = &mut image.context {
                add(files, file);
            }
        }
        What::Prolog(script) => image.prolog = Some(Prolog::Script(script.clone())),
    }
}

/// The images to build, in order.
fn choose(catalog: &Catalog, graph: &Graph, targets: &[Target]) -> Result<Vec<Number>, SolveError> {
    let problem = proof::Problem::new(catalog, graph, targets);
    let chosen = problem.solve()?;
    Ok(order::build(catalog, graph, &chosen))
}
