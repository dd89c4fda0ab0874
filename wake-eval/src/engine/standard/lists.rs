//! Functions of `std` on lists. Elements are computed only when needed.

use jrsonnet_evaluator::function::{FuncVal, NativeFn};
use jrsonnet_evaluator::val::{ArrValue, Thunk as thunk_of};
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::equal::equal;
use super::function::{Arguments, Unary, holds, mapped};
use crate::engine::json::kind;
use crate::engine::note::{Note, refuse};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_contains", &["arr", "elem"], |args| {
        args.list(0)?;
        is_member(args, 0, 1)
    }),
    ("builtin_count", &["arr", "x"], count),
    ("builtin_filter", &["func", "arr"], |args| {
        Ok(Val::Arr(filtered(args.function(0)?, &args.list(1)?)?))
    }),
    ("builtin_filterMap", &["filter_func", "map_func", "arr"], |args| {
        let selected = filtered(args.function(0)?, &args.list(2)?)?;
        Ok(Val::Arr(mapped(selected, args.function(1)?)?))
    }),
    ("builtin_find", &["value", "arr"], find),
    ("builtin_flatMap", &["func", "arr"], flat_map),
    ("builtin_foldl", &["func", "arr", "init"], |args| fold(args, false)),
    ("builtin_foldr", &["func", "arr", "init"], |args| fold(args, true)),
    ("builtin_makeArray", &["sz", "func"], make),
    ("builtin_map", &["func", "arr"], |args| {
        Ok(Val::Arr(mapped(args.elements(1)?, args.function(0)?)?))
    }),
    ("builtin_mapWithIndex", &["func", "arr"], map_with_index),
    ("builtin_member", &["arr", "x"], |args| is_member(args, 0, 1)),
    ("builtin_remove", &["arr", "elem"], remove),
    ("builtin_removeAt", &["arr", "at"], |args| {
        let list = args.list(0)?;
        let at = args.count(1)?;
        without(&list, at).map(Val::Arr)
    }),
];

fn is_member(args: &Arguments<'_>, list: usize, wanted: usize) -> Result<Val> {
    let found = match args.value(list)? {
        Val::Str(text) => match args.value(wanted)? {
            Val::Str(part) => {
                let part = part.into_flat();
                !part.is_empty() && text.into_flat().contains(part.as_str())
            }
            other => return args.expected(wanted, "a string", &other),
        },
        Val::Arr(items) => {
            let wanted = args.value(wanted)?;
            let mut found = false;
            for item in items.iter() {
                found = equal(&item?, &wanted)?;
                if found {
                    break;
                }
            }
            found
        }
        other => return args.expected(list, "a list or a string", &other),
    };
    Ok(Val::Bool(found))
}

fn count(args: &Arguments<'_>) -> Result<Val> {
    let wanted = args.value(1)?;
    let mut count = 0_u32;
    for item in args.list(0)?.iter() {
        count += u32::from(equal(&item?, &wanted)?);
    }
    Ok(Val::num(count))
}

fn find(args: &Arguments<'_>) -> Result<Val> {
    let wanted = args.value(0)?;
    let mut found: Vec<Val> = Vec::new();
    for (index, item) in args.list(1)?.iter().enumerate() {
        if equal(&item?, &wanted)? {
            found.push(Val::num(index as u32));
        }
    }
    Ok(Val::Arr(ArrValue::new(found)))
}

fn filtered(condition: FuncVal, list: &ArrValue) -> Result<ArrValue> {
    let condition = Unary::try_from(condition)?;
    let mut selected: Vec<Thunk<Val>> = Vec::new();
    for item in list.iter_lazy() {
        if holds(condition.call(item.clone())?)? {
            selected.push(item);
        }
    }
    Ok(ArrValue::new(selected))
}

fn flat_map(args: &Arguments<'_>) -> Result<Val> {
    let function = Unary::try_from(args.function(0)?)?;
    match args.value(1)? {
        Val::Str(text) => {
            let mut out = String::new();
            for character in text.into_flat().chars() {
                match function.call(Thunk::evaluated(Val::string(character)))? {
                    Val::Str(part) => out.push_str(&part.into_flat()),
                    other => {
                        let found = kind(&other);
                        let message = format!("the function must return a string, not {found}");
                        refuse!(Note::new(message));
                    }
                }
            }
            Ok(Val::string(out))
        }
        Val::Arr(items) => {
            let mut out: Vec<Thunk<Val>> = Vec::new();
            for item in items.iter_lazy() {
                match function.call(item)? {
                    Val::Arr(part) => out.extend(part.iter_lazy()),
                    other => {
                        let message =
                            format!("the function must return a list, not {}", kind(&other));
                        refuse!(Note::new(message));
                    }
                }
            }
            Ok(Val::Arr(ArrValue::new(out)))
        }
        other => args.expected(1, "a list or a string", &other),
    }
}

fn fold(args: &Arguments<'_>, from_right: bool) -> Result<Val> {
    let function = NativeFn::<(Thunk<Val>, Thunk<Val>, Val)>::try_from(args.function(0)?)?;
    let items = args.elements(1)?;
    let mut folded = args.value(2)?;
    let count = items.len();
    for step in 0..count {
        let index = if from_right { count - 1 - step } else { step };
        let Some(item) = items.get_lazy(index) else { break };
        let so_far = Thunk::evaluated(folded);
        folded =
            if from_right { function.call(item, so_far)? } else { function.call(so_far, item)? };
    }
    Ok(folded)
}

fn make(args: &Arguments<'_>) -> Result<Val> {
    let count = args.count(0)?;
    let function = args.function(1)?;
    let Ok(end) = i32::try_from(count) else {
        refuse!(Note::new("the list would be too long"));
    };
    Ok(Val::Arr(mapped(ArrValue::range_exclusive(0, end), function)?))
}

fn map_with_index(args: &Arguments<'_>) -> Result<Val> {
    let function = NativeFn::<(Thunk<Val>, Thunk<Val>, Val)>::try_from(args.function(0)?)?;
    let items = args.elements(1)?;
    let mapped = items.iter_lazy().enumerate().map(|(index, item)| {
        let function = function.clone();
        thunk_of!(move || function.call(Thunk::evaluated(Val::num(index as u32)), item))
    });
    let mapped: Vec<Thunk<Val>> = mapped.collect();
    Ok(Val::Arr(ArrValue::new(mapped)))
}

fn remove(args: &Arguments<'_>) -> Result<Val> {
    let list = args.list(0)?;
    let unwanted = args.value(1)?;
    for (index, item) in list.iter().enumerate() {
        if equal(&item?, &unwanted)? {
            return without(&list, index as u32).map(Val::Arr);
        }
    }
    Ok(Val::Arr(list))
}

fn without(list: &ArrValue, at: u32) -> Result<ArrValue> {
    let Some(end) = i32::try_from(at).ok().filter(|_| at < list.len()) else {
        return Ok(list.clone());
    };
    let before = list.clone().slice(None, Some(end), None);
    let after = list.clone().slice(Some(end + 1), None, None);
    ArrValue::extended(before, after).ok_or_else(|| Note::new("the list would be too long").into())
}
