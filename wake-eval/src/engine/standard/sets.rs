//! Functions of `std` on sets: sorted lists without duplicates.

use std::cell::OnceCell;
use std::cmp::Ordering;

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::equal::equal;
use super::function::{Arguments, Unary};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_set", &["arr", "keyF?"], |args| {
        let mut items = Keyed::of(args, 0, 1)?;
        items.sort()?;
        items.unique()
    }),
    ("builtin_setDiff", &["a", "b", "keyF?"], |args| merge(args, &[Ordering::Less])),
    ("builtin_setInter", &["a", "b", "keyF?"], |args| merge(args, &[Ordering::Equal])),
    ("builtin_setMember", &["x", "arr", "keyF?"], is_member),
    ("builtin_setUnion", &["a", "b", "keyF?"], |args| {
        args.list(0)?;
        args.list(1)?;
        merge(args, &[Ordering::Less, Ordering::Equal, Ordering::Greater])
    }),
    ("builtin_sort", &["arr", "keyF?"], |args| {
        let mut items = Keyed::of(args, 0, 1)?;
        items.sort()?;
        Ok(items.list())
    }),
    ("builtin_uniq", &["arr", "keyF?"], |args| Keyed::of(args, 0, 1)?.unique()),
];

/// The elements of a list, each with its key.
struct Keyed(Vec<(Thunk<Val>, Val)>);

/// How the keys of elements are computed: the elements themselves, or the results of a function, which is evaluated
/// on the first comparison.
struct Key<'a> {
    args: &'a Arguments<'a>,
    index: usize,
    /// `None` if elements are their own keys.
    function: OnceCell<Option<Unary>>,
}

impl<'a> Key<'a> {
    fn of(args: &'a Arguments<'a>, index: usize) -> Key<'a> {
        Key { args, index, function: OnceCell::new() }
    }

    fn apply(&self, item: Thunk<Val>) -> Result<Val> {
        match self.function()? {
            Some(function) => function.call(item),
            None => item.evaluate(),
        }
    }

    fn function(&self) -> Result<Option<&Unary>> {
        if let Some(function) = self.function.get() {
            return Ok(function.as_ref());
        }
        let function = match self.args.lazy(self.index) {
            None => None,
            Some(_) => Some(self.args.function(self.index)?),
        };
        let function = function.filter(|function| !function.is_identity());
        let function = function.map(Unary::try_from).transpose()?;
        Ok(self.function.get_or_init(|| function).as_ref())
    }
}

impl Keyed {
    fn of(args: &Arguments<'_>, list: usize, key: usize) -> Result<Keyed> {
        Keyed::by(&args.elements(list)?, &Key::of(args, key))
    }

    fn by(list: &ArrValue, key: &Key<'_>) -> Result<Keyed> {
        // A list that needs no ordering is not evaluated.
        let keyed = |item: Thunk<Val>| match list.len() {
            1 => Ok((item, Val::Null)),
            _ => Ok((item.clone(), key.apply(item)?)),
        };
        list.iter_lazy().map(keyed).collect::<Result<_>>().map(Keyed)
    }

    fn sort(&mut self) -> Result<()> {
        let mut failed = None;
        self.0.sort_by(|(_, left), (_, right)| {
            Val::try_cmp(left, right).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ordering::Equal
            })
        });
        failed.map_or(Ok(()), Err)
    }

    fn unique(self) -> Result<Val> {
        let mut unique: Vec<(Thunk<Val>, Val)> = Vec::with_capacity(self.0.len());
        for (item, key) in self.0 {
            let again = match unique.last() {
                Some((_, last)) => equal(last, &key)?,
                None => false,
            };
            if !again {
                unique.push((item, key));
            }
        }
        Ok(Keyed(unique).list())
    }

    fn list(self) -> Val {
        let items: Vec<Thunk<Val>> = self.0.into_iter().map(|(item, _)| item).collect();
        Val::Arr(ArrValue::new(items))
    }
}

fn is_member(args: &Arguments<'_>) -> Result<Val> {
    let key = Key::of(args, 2);
    let list = args.elements(1)?;
    let (mut low, mut high) = (0, list.len());
    let wanted = match args.lazy(0) {
        Some(wanted) if high > 0 => key.apply(wanted.clone())?,
        _ => Val::Null,
    };
    while low < high {
        let middle = u32::midpoint(low, high);
        let Some(item) = list.get_lazy(middle) else { break };
        match order(&key.apply(item)?, &wanted)? {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Ok(Val::Bool(true)),
        }
    }
    Ok(Val::Bool(false))
}

/// Compares two keys; equal keys need not be ordered.
fn order(left: &Val, right: &Val) -> Result<Ordering> {
    match left.value_type() == right.value_type() && equal(left, right)? {
        true => Ok(Ordering::Equal),
        false => Val::try_cmp(left, right),
    }
}

/// An element of a set, and its key once it has been computed.
type Item = (Thunk<Val>, OnceCell<Val>);

/// Merges two sets, keeping what compares as in `kept`: less is only in the first set, greater only in the second.
/// Nothing is evaluated once there is nothing left to compare with.
fn merge(args: &Arguments<'_>, kept: &[Ordering]) -> Result<Val> {
    let key = Key::of(args, 2);
    let (left, right) = (args.elements(0)?, args.elements(1)?);
    let mut lefts = left.iter_lazy().map(|item| (item, OnceCell::new()));
    let mut rights = right.iter_lazy().map(|item| (item, OnceCell::new()));
    let keyed = |(item, known): &Item| match known.get() {
        Some(value) => Ok(value.clone()),
        None => key.apply(item.clone()).map(|value| known.get_or_init(|| value).clone()),
    };
    let (mut first, mut second): (Option<Item>, Option<Item>) = (lefts.next(), rights.next());
    let mut found: Vec<Thunk<Val>> = Vec::new();
    loop {
        let order = match (&first, &second) {
            (Some(left), Some(right)) => order(&keyed(left)?, &keyed(right)?)?,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        if kept.contains(&order) {
            let item = if order == Ordering::Greater { &second } else { &first };
            found.extend(item.iter().map(|(item, _)| item.clone()));
        }
        if order != Ordering::Greater {
            first = lefts.next();
        }
        if order != Ordering::Less {
            second = rights.next();
        }
    }
    Ok(Val::Arr(ArrValue::new(found)))
}
