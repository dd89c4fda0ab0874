//! Universes, requirements and locks written as lines.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use wake_model::{BlobDigest, Lock, Name, PkgName, Version};
use wake_solve::{
    Chosen, Demand, Exact, Fault, MOST_STEPS, Need, Release, Standing, Task, Universe, Unsolved,
    Update, solve,
};

/// The existing releases. A line is a version with its needs: `acme/http 2.0.0: acme/tls ^1.4; acme/text >=1, <3`.
/// After the version there may be a reason why it may not be used: `acme/http 2.0.0 (yanked) (it leaks)`, `acme/http
/// 2.0.0 (no) (too young)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) pkgs: BTreeMap<PkgName, Vec<Release>>,
    /// The packages requested, in order.
    pub(crate) asked: RefCell<Vec<String>>,
    /// The maximum number of steps.
    pub(crate) steps: Cell<Option<usize>>,
}

/// A workspace in a world.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) world: World,
    pub(crate) demands: Vec<Demand>,
    pub(crate) lock: Lock,
    pub(crate) update: Update,
    pub(crate) exact: Vec<Exact>,
}

impl Universe for World {
    type Error = String;

    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, String> {
        self.asked.borrow_mut().push(name.to_string());
        match name.name.as_str() {
            "down" => Err("the registry is down".to_owned()),
            _ => Ok(self.pkgs.get(name).cloned()),
        }
    }

    fn names(&self, namespace: Option<&Name>) -> Result<Vec<Name>, String> {
        let is_there = |name: &&PkgName| name.namespace.as_ref() == namespace;
        Ok(self.pkgs.keys().filter(is_there).map(|name| name.name.clone()).collect())
    }

    fn go_on(&self) -> Result<(), String> {
        match self.steps.get() {
            Some(0) => Err("interrupted".to_owned()),
            steps => {
                self.steps.set(steps.map(|steps| steps - 1));
                Ok(())
            }
        }
    }
}

/// Creates a world from these lines.
pub(crate) fn world(lines: &str) -> World {
    let mut world = World::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // A reason may contain a colon, but needs contain no brackets.
        let reason = line.rfind(')').unwrap_or_default();
        let colon = line[reason..].find(':').map_or(line.len(), |at| reason + at);
        let (head, needs) = (&line[..colon], line[colon..].trim_start_matches(':'));
        let mut words = head.splitn(3, ' ');
        let name = words.next().unwrap().parse().unwrap();
        let version = words.next().unwrap().parse().unwrap();
        let standing = standing(words.next().unwrap_or_default());
        let needs = needs.split(';').map(str::trim).filter(|need| !need.is_empty());
        let needs = needs.map(need).collect();
        world.pkgs.entry(name).or_default().push(Release { version, needs, standing });
    }
    world
}

fn standing(text: &str) -> Standing {
    let because = |text: &str| text.trim_matches([' ', '(', ')']).to_owned();
    match text.split_once(')') {
        None => Standing::Usable,
        Some(("(yanked", rest)) => {
            Standing::OnlyLocked { because: format!("yanked, because {}", because(rest)) }
        }
        Some((_, rest)) => Standing::Unusable {
            because: because(rest),
            help: Some("allow it in `wake.toml`".to_owned()),
        },
    }
}

fn need(text: &str) -> Need {
    let (name, requirement) = text.split_once(' ').unwrap();
    Need { name: name.parse().unwrap(), requirement: requirement.parse().unwrap() }
}

/// Creates a lock from these lines: `acme/http 2.0.0`.
pub(crate) fn lock(lines: &str) -> Lock {
    let mut text = "wake-lock 1\n".to_owned();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text += &format!("{line} main {}\n", BlobDigest::of(line.as_bytes()));
    }
    Lock::parse(&text).unwrap()
}

/// Writes the chosen versions as lines.
pub(crate) fn lines(chosen: &[Chosen]) -> String {
    let line = |Chosen { name, version }: &Chosen| format!("{name} {version}\n");
    chosen.iter().map(line).collect()
}

/// Creates a workspace with these requirements: `//libs/net acme/http ^2`, each at the place given by its number.
pub(crate) fn workspace(world: &World, demands: &str) -> Workspace {
    let written = demands.lines().map(str::trim).filter(|line| !line.is_empty());
    let demand = |(number, line): (usize, &str)| {
        let (by, rest) = line.split_once(' ').unwrap();
        let Need { name, requirement } = need(rest);
        let dir = by.trim_start_matches('/');
        let at = Some(format!("{dir}/PKG.libsonnet:{}:11", number + 4));
        Demand { by: by.to_owned(), at, name, requirement }
    };
    Workspace {
        world: world.clone(),
        demands: written.enumerate().map(demand).collect(),
        lock: Lock::default(),
        update: Update::Nothing,
        exact: Vec::new(),
    }
}

impl Workspace {
    pub(crate) fn locked(mut self, lines: &str) -> Workspace {
        self.lock = lock(lines);
        self
    }

    pub(crate) fn update(mut self, names: &[&str]) -> Workspace {
        let names: BTreeSet<PkgName> = names.iter().map(|name| name.parse().unwrap()).collect();
        self.update = Update::Only(names);
        self
    }

    pub(crate) fn update_all(mut self) -> Workspace {
        self.update = Update::Everything;
        self
    }

    pub(crate) fn exact(mut self, name: &str, version: &str) -> Workspace {
        let (name, version): (PkgName, Version) = (name.parse().unwrap(), version.parse().unwrap());
        self.exact.push(Exact { name, version });
        self
    }

    pub(crate) fn solve(&self) -> Result<Vec<Chosen>, Unsolved<String>> {
        let Workspace { world, demands, lock, update, exact } = self;
        let (update, steps) = (update.clone(), MOST_STEPS);
        solve(&Task { demands, lock, update, exact, steps }, world)
    }

    /// Returns the chosen versions as lines.
    #[track_caller]
    pub(crate) fn chooses(&self) -> String {
        match self.solve() {
            Ok(chosen) => lines(&chosen),
            Err(unsolved) => panic!("{unsolved:#?}"),
        }
    }

    /// Fails unless exactly these lines are chosen, in whatever order the workspace and the world list their content.
    #[track_caller]
    pub(crate) fn gives(&self, expected: &str) {
        let words: Vec<&str> = expected.split_whitespace().collect();
        let expected: BTreeSet<String> = words.chunks(2).map(|line| line.join(" ")).collect();
        let chosen = |workspace: &Workspace| -> BTreeSet<String> {
            workspace.chooses().lines().map(str::to_owned).collect()
        };
        assert_eq!(chosen(self), expected);
        assert_eq!(chosen(&self.reversed()), expected, "in another order");
    }

    /// Returns the same workspace in another order.
    pub(crate) fn reversed(&self) -> Workspace {
        let mut other = self.clone();
        other.demands.reverse();
        for releases in other.world.pkgs.values_mut() {
            releases.reverse();
            releases.iter_mut().for_each(|release| release.needs.reverse());
        }
        other
    }

    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<Fault> {
        match self.solve() {
            Err(Unsolved::Faults(faults)) => faults,
            other => panic!("{other:#?}"),
        }
    }

    /// Returns the errors as the program shows them.
    #[track_caller]
    pub(crate) fn says(&self) -> String {
        let shown = |fault: &Fault| {
            let mut text = format!("error: {}\n", fault.message);
            let at = fault.demand.and_then(|number| self.demands[number].at.as_ref());
            text.extend(at.map(|at| format!(" --> {at}\n")));
            text.extend(fault.label.iter().map(|label| format!("  | ^ {label}\n")));
            text.extend(fault.notes.iter().map(|note| format!("  = {note}\n")));
            text.extend(fault.help.iter().map(|help| format!("  = help: {help}\n")));
            text
        };
        self.faults().iter().map(shown).collect()
    }
}
