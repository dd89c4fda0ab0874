//! Chooses one candidate for each of several names under clauses: the first choice in the order of names and
//! candidates.
//!
//! Decisions are made in that order only. Each conflict is turned into a clause implied by the given ones, and
//! backjumping goes only as far as that clause requires. A candidate is therefore skipped only if no choice for the
//! remaining names is compatible with it and the earlier choices: the result is the first one of an enumeration,
//! without enumerating.

/// A Boolean variable.
pub(super) type Variable = usize;

/// A variable or its negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal(usize);

impl Literal {
    pub(super) fn yes(variable: Variable) -> Self {
        Self(variable << 1)
    }

    pub(super) fn no(variable: Variable) -> Self {
        Self(variable << 1 | 1)
    }

    pub(super) fn variable(self) -> Variable {
        self.0 >> 1
    }

    fn other(self) -> Self {
        Self(self.0 ^ 1)
    }
}

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The chosen candidate of each name.
    Choice(Vec<Variable>),
    /// No choice satisfies all clauses.
    Nothing,
    /// The search was aborted after the maximum number of conflicts.
    GivenUp,
}

/// An unresolvable conflict.
struct Never;

struct Search<'a> {
    /// The candidates of each name, best first.
    names: &'a [Vec<Variable>],
    clauses: Vec<Vec<Literal>>,
    /// For each literal, the clauses that watch it: those in which it is one of the first two.
    watched: Vec<Vec<usize>>,
    value: Vec<Option<bool>>,
    level: Vec<usize>,
    reason: Vec<Option<usize>>,
    trail: Vec<Literal>,
    levels: Vec<usize>,
    followed: usize,
}

/// Chooses exactly one candidate of each name, such that every clause is satisfied.
pub(super) fn search(
    names: &[Vec<Variable>],
    variables: usize,
    clauses: impl IntoIterator<Item = Vec<Literal>>,
    conflicts: usize,
) -> Found {
    let mut search = Search {
        names,
        clauses: Vec::new(),
        watched: vec![Vec::new(); variables * 2],
        value: vec![None; variables],
        level: vec![0; variables],
        reason: vec![None; variables],
        trail: Vec::new(),
        levels: Vec::new(),
        followed: 0,
    };
    match search.run(clauses, conflicts) {
        Ok(true) => Found::Choice(search.chosen()),
        Ok(false) => Found::GivenUp,
        Err(Never) => Found::Nothing,
    }
}

impl Search<'_> {
    fn run(
        &mut self,
        clauses: impl IntoIterator<Item = Vec<Literal>>,
        mut conflicts: usize,
    ) -> Result<bool, Never> {
        for candidates in self.names {
            self.add(candidates.iter().copied().map(Literal::yes).collect())?;
            for (at, &one) in candidates.iter().enumerate() {
                for &two in &candidates[..at] {
                    self.add(vec![Literal::no(one), Literal::no(two)])?;
                }
            }
        }
        for clause in clauses {
            self.add(clause)?;
        }
        loop {
            if let Some(conflict) = self.follow() {
                if conflicts == 0 {
                    return Ok(false);
                }
                conflicts -= 1;
                self.learn(conflict)?;
            } else if let Some(next) = self.next() {
                self.levels.push(self.trail.len());
                self.set(Literal::yes(next), None);
            } else {
                return Ok(true);
            }
        }
    }

    fn holds(&self, literal: Literal) -> Option<bool> {
        self.value[literal.variable()].map(|value| value == (literal.0 & 1 == 0))
    }

    /// Adds a clause before the first decision.
    fn add(&mut self, clause: Vec<Literal>) -> Result<(), Never> {
        match clause[..] {
            [] => Err(Never),
            [only] => match self.holds(only) {
                Some(true) => Ok(()),
                Some(false) => Err(Never),
                None => {
                    self.set(only, None);
                    Ok(())
                }
            },
            [..] => {
                self.watch(clause);
                Ok(())
            }
        }
    }

    fn watch(&mut self, clause: Vec<Literal>) -> usize {
        let number = self.clauses.len();
        for literal in &clause[..2] {
            self.watched[literal.0].push(number);
        }
        self.clauses.push(clause);
        number
    }

    fn set(&mut self, literal: Literal, reason: Option<usize>) {
        let variable = literal.variable();
        self.value[variable] = Some(literal.0 & 1 == 0);
        self.level[variable] = self.levels.len();
        self.reason[variable] = reason;
        self.trail.push(literal);
    }

    /// The best remaining candidate of the first undecided name.
    fn next(&self) -> Option<Variable> {
        let open = |names: &&Vec<Variable>| names.iter().all(|&one| self.value[one] != Some(true));
        let candidates = self.names.iter().find(open)?;
        candidates.iter().copied().find(|&one| self.value[one].is_none())
    }

    /// Propagates all assignments; returns a clause that is violated, if any.
    fn follow(&mut self) -> Option<usize> {
        while let Some(&set) = self.trail.get(self.followed) {
            self.followed += 1;
            let lost = set.other();
            let mut watching = std::mem::take(&mut self.watched[lost.0]);
            let mut at = 0;
            while at < watching.len() {
                let number = watching[at];
                if self.clauses[number][0] == lost {
                    self.clauses[number].swap(0, 1);
                }
                let first = self.clauses[number][0];
                let replacement = (2..self.clauses[number].len())
                    .find(|&other| self.holds(self.clauses[number][other]) != Some(false));
                match (self.holds(first), replacement) {
                    (Some(true), _) => at += 1,
                    (_, Some(other)) => {
                        self.clauses[number].swap(1, other);
                        let literal = self.clauses[number][1];
                        self.watched[literal.0].push(number);
                        watching.swap_remove(at);
                    }
                    (None, None) => {
                        self.set(first, Some(number));
                        at += 1;
                    }
                    (Some(false), None) => {
                        self.watched[lost.0] = watching;
                        return Some(number);
                    }
                }
            }
            self.watched[lost.0] = watching;
        }
        None
    }

    /// Learns the clause that would have prevented a conflict, and jumps back to the level at which it becomes unit.
    fn learn(&mut self, conflict: usize) -> Result<(), Never> {
        let now = self.levels.len();
        if now == 0 {
            return Err(Never);
        }
        let mut seen = vec![false; self.value.len()];
        let mut learned = Vec::new();
        let mut open = 0;
        let mut clause = conflict;
        let mut at = self.trail.len();
        let asserted = loop {
            for &literal in &self.clauses[clause] {
                let variable = literal.variable();
                if seen[variable] || self.level[variable] == 0 || self.holds(literal) != Some(false)
                {
                    continue;
                }
                seen[variable] = true;
                if self.level[variable] == now {
                    open += 1;
                } else {
                    learned.push(literal);
                }
            }
            let cause = loop {
                at -= 1;
                if seen[self.trail[at].variable()] {
                    break self.trail[at];
                }
            };
            open -= 1;
            match self.reason[cause.variable()] {
                Some(reason) if open > 0 => clause = reason,
                _ => break cause.other(),
            }
        };
        learned.sort_by_key(|literal| std::cmp::Reverse(self.level[literal.variable()]));
        let back = learned.first().map_or(0, |literal| self.level[literal.variable()]);
        learned.insert(0, asserted);
        self.go_back(back);
        let reason = (learned.len() > 1).then(|| self.watch(learned));
        self.set(asserted, reason);
        Ok(())
    }

    fn go_back(&mut self, level: usize) {
        let end = self.levels[level];
        for literal in self.trail.drain(end..) {
            self.value[literal.variable()] = None;
            self.reason[literal.variable()] = None;
        }
        self.levels.truncate(level);
        self.followed = end;
    }

    fn chosen(&self) -> Vec<Variable> {
        let chosen = |names: &Vec<Variable>| {
            names.iter().copied().find(|&one| self.value[one] == Some(true))
        };
        self.names.iter().filter_map(chosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first choice that satisfies the clauses, by enumeration.
    fn first(names: &[Vec<Variable>], clauses: &[Vec<Literal>], variables: usize) -> Found {
        let Some((last, before)) = names.split_last() else { return Found::Nothing };
        let mut at = vec![0; names.len()];
        loop {
            let choice: Vec<Variable> = names.iter().zip(&at).map(|(name, &at)| name[at]).collect();
            let is_open: Vec<bool> =
                (0..variables).map(|one| names.iter().all(|name| !name.contains(&one))).collect();
            let holds = |literal: &Literal| {
                is_open[literal.variable()] && literal.0 & 1 == 1
                    || !is_open[literal.variable()]
                        && choice.contains(&literal.variable()) == (literal.0 & 1 == 0)
            };
            if clauses.iter().all(|clause| clause.iter().any(holds)) {
                return Found::Choice(choice);
            }
            let mut name = before.len();
            loop {
                at[name] += 1;
                if at[name] < names[name].len() {
                    break;
                }
                at[name] = 0;
                if name == 0 {
                    return Found::Nothing;
                }
                name -= 1;
            }
            let _ = last;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn a_search_agrees_with_exhaustive_enumeration(
            sizes in prop::collection::vec(1usize..5, 1..6),
            clauses in prop::collection::vec(prop::collection::vec((0usize..20, any::<bool>()), 1..4), 0..30),
        ) {
            let mut next = 0;
            let names: Vec<Vec<Variable>> = sizes
                .iter()
                .map(|&size| { next += size; (next - size..next).collect() })
                .collect();
            let literal = |(variable, yes): (usize, bool)| {
                let variable = variable % next;
                if yes { Literal::yes(variable) } else { Literal::no(variable) }
            };
            let mut clauses: Vec<Vec<Literal>> = clauses
                .into_iter()
                .map(|clause| clause.into_iter().map(literal).collect())
                .collect();
            // Clauses with duplicate or complementary literals do not occur.
            clauses.retain(|clause| {
                (0..clause.len()).all(|at| clause[..at].iter().all(|one| one.variable() != clause[at].variable()))
            });
            let expected = first(&names, &clauses, next);
            prop_assert_eq!(search(&names, next, clauses, usize::MAX), expected);
        }
    }

    #[test]
    fn a_search_that_takes_too_long_is_abandoned() {
        // Seven names for six places.
        let names: Vec<Vec<Variable>> =
            (0..7).map(|name| (name * 6..name * 6 + 6).collect()).collect();
        let apart = (0..6).flat_map(|place| {
            (0..7).flat_map(move |one| {
                (0..one).map(move |two| {
                    vec![Literal::no(one * 6 + place), Literal::no(two * 6 + place)]
                })
            })
        });
        let clauses: Vec<_> = apart.collect();
        assert_eq!(search(&names, 42, clauses.clone(), 10), Found::GivenUp);
        assert_eq!(search(&names, 42, clauses, 100_000), Found::Nothing);
    }
}
