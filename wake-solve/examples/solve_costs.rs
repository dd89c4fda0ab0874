//! The cost of choosing versions: `cargo run --profile quick -p wake-solve --example solve_costs`.
//!
//! Random packages of twenty versions each, from a few seeds, are solved from nothing, with everything locked, with
//! one requirement lowered and raised again, with all raised (for 1,000 packages), and with two that cannot both be
//! met. Prints the median and the maximum over the seeds, in milliseconds of processor time; the number of versions
//! chosen in the median case; and the maximum number that were not locked. The cost of reading an index is not
//! included: answers are returned directly.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;

use wake_model::{BlobDigest, Lock, Name, PkgName};
use wake_solve::{
    Chosen, Demand, MOST_STEPS, Need, Release, Standing, Task, Universe, Unsolved, Update, solve,
};

const SEEDS: u64 = 9;

/// The versions of each package: four major versions of five minor versions.
const MAJORS: usize = 4;
const MINORS: usize = 5;

/// One in this many needs allows only one minor version.
const EASY: usize = 40;
/// The same for universes in which little fits together.
const HARD: [usize; 3] = [12, 8, 5];

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("hard") => hard(),
        Some("pigeons") => pigeons(),
        _ => usual(),
    }
}

/// The usual tasks.
fn usual() {
    println!("| packages | question | ms | most ms | versions | new, at most |");
    println!("|---:|---|---:|---:|---:|---:|");
    for pkgs in [1000, 2000] {
        let mut rows = [const { Vec::new() }; 6];
        for seed in 1..=SEEDS {
            let (published, demands) = (published(pkgs, seed, EASY), demands(pkgs));
            let mut ask = |row: usize, demands: &[Demand], before: &[Chosen]| {
                let (cost, after) = solved(&published, demands, &lock(before));
                let after = after.unwrap_or_default();
                let new = after.iter().filter(|one| before.binary_search(one).is_err()).count();
                rows[row].push((cost, after.len(), new));
                after
            };
            let chosen = ask(0, &demands, &[]);
            assert!(!chosen.is_empty());
            ask(1, &demands, &chosen);
            let middle = &demands[demands.len() / 2].name;
            let highest = &chosen.iter().rfind(|one| one.name == *middle).unwrap().version;
            let lower = with(&demands, middle, &[&format!("<{highest}")]);
            let lowered = ask(2, &lower, &chosen);
            ask(3, &with(&demands, middle, &[&format!(">={highest}")]), &lowered);
            if pkgs == 1000 {
                let mut past = published.clone();
                let was_there = |release: &Release| release.version < "4.3.0".parse().unwrap();
                past.values_mut().for_each(|releases| releases.retain(was_there));
                let older = solved(&past, &demands, &Lock::default()).1.unwrap();
                let above_it = |demand: &Demand| {
                    let was = older.iter().rfind(|one| one.name == demand.name).unwrap();
                    Demand {
                        requirement: format!(">{}", was.version).parse().unwrap(),
                        ..demand.clone()
                    }
                };
                let raised: Vec<Demand> = demands.iter().map(above_it).collect();
                ask(4, &raised, &older);
            }
            ask(5, &with(&demands, middle, &["~2.1", "~2.2"]), &chosen);
        }
        let questions = [
            "from nothing",
            "as locked",
            "one requirement lowered",
            "one requirement raised",
            "all requirements raised",
            "two that cannot both be met: proof and help",
        ];
        for (question, row) in questions.iter().zip(&mut rows) {
            row.sort_by(|one, other| one.0.total_cmp(&other.0));
            if row.is_empty() {
                continue;
            }
            let (median, versions, _) = row[row.len() / 2];
            let (most, ..) = row[row.len() - 1];
            let changed = row.iter().map(|(.., changed)| *changed).max().unwrap_or_default();
            println!("| {pkgs} | {question} | {median:.1} | {most:.1} | {versions} | {changed} |");
        }
    }
}

/// Packages of which few fit together: everything chosen a year ago is to be updated, or a tenth of it.
fn hard() {
    println!();
    println!(
        "| packages | one need in … is narrow | question | ms | most ms | fitted | not | given up |"
    );
    println!("|---:|---:|---|---:|---:|---:|---:|---:|");
    for (pkgs, one_in) in [500, 1000].into_iter().flat_map(|pkgs| HARD.map(|one| (pkgs, one))) {
        let questions = ["from nothing", "a tenth raised", "all raised"];
        let mut rows = [const { Vec::new() }; 3];
        for seed in 1..=SEEDS {
            let (published, demands) = (published(pkgs, seed, one_in), demands(pkgs));
            let mut past = published.clone();
            let was_there = |release: &Release| release.version < "4.3.0".parse().unwrap();
            past.values_mut().for_each(|releases| releases.retain(was_there));
            let (cost, older) = solved(&past, &demands, &Lock::default());
            rows[0].push((cost, end_of(&older)));
            let Ok(older) = older else { continue };
            for (row, step) in [(1, 10), (2, 1)] {
                let above_it = |(number, demand): (usize, &Demand)| {
                    let was = older.iter().rfind(|one| one.name == demand.name).unwrap();
                    let requirement = match number % step {
                        0 => format!(">{}", was.version).parse().unwrap(),
                        _ => demand.requirement.clone(),
                    };
                    Demand { requirement, ..demand.clone() }
                };
                let raised: Vec<Demand> = demands.iter().enumerate().map(above_it).collect();
                let (cost, after) = solved(&published, &raised, &lock(&older));
                rows[row].push((cost, end_of(&after)));
            }
        }
        for (question, row) in questions.iter().zip(&mut rows) {
            row.sort_by(|one, other| one.0.total_cmp(&other.0));
            let Some((most, _)) = row.last() else { continue };
            let (median, count) =
                (row[row.len() / 2].0, |end| row.iter().filter(|one| one.1 == end).count());
            let [fitted, not, given_up] = [End::Fitted, End::Not, End::GivenUp].map(count);
            println!(
                "| {pkgs} | {one_in} | {question} | {median:.0} | {most:.0} | {fitted} | {not} | {given_up} |"
            );
        }
    }
}

/// One more package than there are places, each of which needs one: every proof of this is long.
fn pigeons() {
    println!();
    println!("| places | ms | given up |");
    println!("|---:|---:|---|");
    for places in [6, 8, 10, 12] {
        let mut published = HashMap::new();
        let release = |version: String, needs: Vec<Need>| Release {
            version: version.parse().unwrap(),
            needs,
            standing: Standing::Usable,
        };
        for place in 0..places {
            let releases = (0..=places).map(|pkg| release(format!("1.{pkg}.0"), Vec::new()));
            published.insert(name(1000 + place), releases.collect());
        }
        for pkg in 0..=places {
            let need = |place: usize| Need {
                name: name(1000 + place),
                requirement: format!("=1.{pkg}.0").parse().unwrap(),
            };
            let releases =
                (0..places).map(|place| release(format!("1.{place}.0"), vec![need(place)]));
            published.insert(name(pkg), releases.collect());
        }
        let all = (0..=places).map(|pkg| Demand {
            by: "//app".to_owned(),
            at: None,
            name: name(pkg),
            requirement: "^1".parse().unwrap(),
        });
        let (cost, answer) = solved(&published, &all.collect::<Vec<_>>(), &Lock::default());
        println!("| {places} | {cost:.0} | {} |", end_of(&answer) == End::GivenUp);
    }
}

/// The kind of result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Fitted,
    Not,
    GivenUp,
}

fn end_of(answer: &Answer) -> End {
    match answer {
        Ok(_) => End::Fitted,
        Err(Unsolved::Faults(faults))
            if faults[0].message.starts_with("no versions that fit together were found") =>
        {
            End::GivenUp
        }
        Err(_) => End::Not,
    }
}

/// The existing releases. Each answer is given once, so that the cost of a copy is not measured.
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

type Answer = Result<Vec<Chosen>, Unsolved<Infallible>>;

/// Returns the milliseconds of processor time, and the answer.
fn solved(
    published: &HashMap<PkgName, Vec<Release>>,
    demands: &[Demand],
    lock: &Lock,
) -> (f64, Answer) {
    let published = Published(RefCell::new(published.clone()));
    let task = Task { demands, lock, update: Update::Nothing, exact: &[], steps: MOST_STEPS };
    let start = processor_ms();
    let answer = solve(&task, &published);
    (processor_ms() - start, answer)
}

fn processor_ms() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

fn name(number: usize) -> PkgName {
    format!("acme/p{number}").parse().unwrap()
}

/// Creates packages that each need up to five of the following hundred, as those were when the version was published
/// or a little earlier; one in `one_in` needs allows only one minor version.
fn published(pkgs: usize, seed: u64, one_in: usize) -> HashMap<PkgName, Vec<Release>> {
    let mut random = seed;
    let mut below = |end: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (random >> 33) as usize % end
    };
    let mut published = HashMap::new();
    for number in 0..pkgs {
        let later = pkgs - number - 1;
        let needed = (0..below(6).min(later)).map(|_| number + 1 + below(later.min(100)));
        let needed: BTreeSet<usize> = needed.collect();
        let mut releases = Vec::new();
        for age in 0..MAJORS * MINORS {
            let need = |of: &usize| {
                let then = age - below(3).min(age);
                let (major, minor) = (1 + then / MINORS, then % MINORS);
                let sign = if below(one_in) == 0 { '~' } else { '^' };
                let requirement = format!("{sign}{major}.{minor}").parse().unwrap();
                Need { name: name(*of), requirement }
            };
            let needs = needed.iter().map(need).collect();
            let version = format!("{}.{}.0", 1 + age / MINORS, age % MINORS).parse().unwrap();
            releases.push(Release { version, needs, standing: Standing::Usable });
        }
        published.insert(name(number), releases);
    }
    published
}

/// Creates a workspace that requires every tenth package.
fn demands(pkgs: usize) -> Vec<Demand> {
    let demand = |number| Demand {
        by: format!("//app{number}"),
        at: None,
        name: name(number),
        requirement: ">=1.2".parse().unwrap(),
    };
    (0..pkgs).step_by(10).map(demand).collect()
}

/// Replaces the requirements for one package.
fn with(demands: &[Demand], name: &PkgName, requirements: &[&str]) -> Vec<Demand> {
    let (of, others): (Vec<&Demand>, Vec<&Demand>) =
        demands.iter().partition(|demand| demand.name == *name);
    let instead = requirements.iter().flat_map(|requirement| {
        let requirement = requirement.parse().unwrap();
        of.iter().map(move |demand| Demand {
            requirement: Clone::clone(&requirement),
            ..Demand::clone(demand)
        })
    });
    others.into_iter().cloned().chain(instead).collect()
}

fn lock(chosen: &[Chosen]) -> Lock {
    let mut text = "wake-lock 1\n".to_owned();
    for Chosen { name, version } in chosen {
        let content = BlobDigest::of(format!("{name} {version}").as_bytes());
        text += &format!("{name} {version} acme {content}\n");
    }
    Lock::parse(&text).unwrap()
}
