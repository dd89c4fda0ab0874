//! Choosing versions of published packages: from nothing, and after one change.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;

use criterion::{BatchSize, Criterion};
use wake_model::{BlobDigest, Lock, Name, PkgName};
use wake_solve::{Chosen, Demand, Need, Release, Standing, Task, Universe, Update, solve};

/// Versions of each package: four majors of five minors.
const MAJORS: usize = 4;
const MINORS: usize = 5;

/// What exists, each answer given once: whoever asks has it made of an index, and so is not charged for a copy.
#[derive(Clone)]
struct Published(RefCell<HashMap<PkgName, Vec<Release>>>);

impl Universe for Published {
    type Error = Infallible;

    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, Infallible> {
        Ok(self.0.borrow_mut().remove(name))
    }

    fn names(&self, _: Option<&Name>) -> Result<Vec<Name>, Infallible> {
        Ok(Vec::new())
    }
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("solving");
    group.sample_size(10);
    for pkgs in [1000, 2000] {
        let (published, demands) = (published(pkgs), demands(pkgs));
        let nothing = Lock::default();
        let chosen = solved(&published, &demands, &nothing);
        let lock = lock(&chosen);
        let [ranges, changes] = [chosen.len(), changed(&chosen, &published, &demands, &lock)];
        // Said once, so that a figure can be told from one of an easier question.
        eprintln!(
            "solving/{pkgs}: {ranges} versions are chosen; after one bump {changes} of them change"
        );
        let mut measure = |name: String, demands: &[Demand], lock: &Lock| {
            group.bench_function(name, |bencher| {
                let setup = || published.clone();
                let run = |published: Published| solved(&published, demands, lock);
                bencher.iter_batched(setup, run, BatchSize::PerIteration);
            });
        };
        measure(format!("{pkgs} packages from nothing"), &demands, &nothing);
        measure(format!("{pkgs} packages as locked"), &demands, &lock);
        measure(format!("{pkgs} packages after one bump"), &bumped(&demands, &chosen), &lock);
    }
    group.finish();
}

fn solved(published: &Published, demands: &[Demand], lock: &Lock) -> Vec<Chosen> {
    let task = Task { demands, lock, update: Update::Nothing, exact: &[] };
    solve(&task, published).unwrap()
}

fn changed(chosen: &[Chosen], published: &Published, demands: &[Demand], lock: &Lock) -> usize {
    let after = solved(&published.clone(), &bumped(demands, chosen), lock);
    after.iter().filter(|one| !chosen.contains(one)).count()
}

fn name(number: usize) -> PkgName {
    format!("acme/p{number}").parse().unwrap()
}

/// Packages that each need up to five later ones, as they were when the version was published or a little earlier; one need in
/// forty allows a single minor.
fn published(pkgs: usize) -> Published {
    let mut random = 1u64;
    let mut below = |end: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % end
    };
    let mut published = HashMap::new();
    for number in 0..pkgs {
        let needed: Vec<usize> = (0..below(6).min(pkgs - number - 1))
            .map(|_| number + 1 + below((pkgs - number - 1).min(100)))
            .collect();
        let mut releases = Vec::new();
        for age in 0..MAJORS * MINORS {
            let need = |of: &usize| {
                let then = age - below(3).min(age);
                let (major, minor) = (1 + then / MINORS, then % MINORS);
                let sign = if below(40) == 0 { '~' } else { '^' };
                let requirement = format!("{sign}{major}.{minor}").parse().unwrap();
                Need { name: name(*of), requirement }
            };
            let needs = needed.iter().map(need).collect();
            let version = format!("{}.{}.0", 1 + age / MINORS, age % MINORS).parse().unwrap();
            releases.push(Release { version, needs, standing: Standing::Usable });
        }
        published.insert(name(number), releases);
    }
    Published(RefCell::new(published))
}

/// A workspace that requires each tenth package.
fn demands(pkgs: usize) -> Vec<Demand> {
    let demand = |number| Demand {
        by: format!("//app{number}"),
        at: None,
        name: name(number),
        requirement: ">=1.2".parse().unwrap(),
    };
    (0..pkgs).step_by(10).map(demand).collect()
}

/// The same, but one package in the middle is to be of an older major than was chosen.
fn bumped(demands: &[Demand], chosen: &[Chosen]) -> Vec<Demand> {
    let mut demands = demands.to_vec();
    let middle = demands.len() / 2;
    let demand = &mut demands[middle];
    let used = chosen.iter().rfind(|one| one.name == demand.name).unwrap();
    demand.requirement = format!("<{}", used.version).parse().unwrap();
    demands
}

fn lock(chosen: &[Chosen]) -> Lock {
    let mut text = "wake-lock 1\n".to_owned();
    for Chosen { name, version } in chosen {
        let content = BlobDigest::of(format!("{name} {version}").as_bytes());
        text += &format!("{name} {version} acme {content}\n");
    }
    Lock::parse(&text).unwrap()
}
