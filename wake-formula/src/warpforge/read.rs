//! Reads formulas from JSON and rejects what has no meaning.

use std::collections::{BTreeMap, HashSet};

use wake_store::ware::{PackFilters, UnpackFilters, WareId};

use super::{Action, Basis, Document, Formula, Gather, Input, Port};
use crate::json::{Fields, Json, Read, Source, Value};

impl Document {
    /// Reads `{"formula": {"formula.v1": …}, "context": {"context.v1": …}}`, or a `formula.v1` capsule alone.
    pub(crate) fn read(source: &Source<'_>, root: &Json) -> Read<Self> {
        if root.member("formula.v1").is_some() {
            return Ok(Self { formula: capsule(source, root)?, warehouses: BTreeMap::new() });
        }
        let mut fields = Fields::of(source, root, "the document")?;
        let formula = capsule(source, fields.need("formula")?)?;
        let warehouses = match fields.take("context") {
            Some(json) => context(source, json)?,
            None => BTreeMap::new(),
        };
        fields.finish()?;
        Ok(Self { formula, warehouses })
    }
}

fn capsule(source: &Source<'_>, json: &Json) -> Read<Formula> {
    let mut capsule = Fields::of(source, json, "the formula's capsule")?;
    let mut fields = Fields::of(source, capsule.need("formula.v1")?, "the formula")?;
    capsule.finish()?;
    let inputs = fields.required("inputs", ports)?;
    let action = action(source, fields.need("action")?)?;
    let mut outputs = BTreeMap::new();
    for member in fields.required("outputs", Source::object)? {
        outputs.insert(member.key.clone(), gather(source, &member.value)?);
    }
    fields.finish()?;
    Ok(Formula { inputs, action, outputs })
}

fn context(source: &Source<'_>, json: &Json) -> Read<BTreeMap<WareId, String>> {
    let mut capsule = Fields::of(source, json, "the context's capsule")?;
    let mut fields = Fields::of(source, capsule.need("context.v1")?, "the context")?;
    capsule.finish()?;
    let mut warehouses = BTreeMap::new();
    for member in fields.optional("warehouses", Source::object)?.unwrap_or_default() {
        let ware = source.parsed_key(member)?;
        warehouses.insert(ware, source.text(&member.value, "a warehouse")?.to_owned());
    }
    fields.finish()?;
    Ok(warehouses)
}

fn ports(source: &Source<'_>, json: &Json, what: &str) -> Read<BTreeMap<Port, Input>> {
    let (mut inputs, mut places) = (BTreeMap::new(), HashSet::new());
    for member in source.object(json, what)? {
        let port: Port = source.parsed_key(member)?;
        let input = input(source, &member.value, &port)?;
        if let Port::Path(path) = &port
            && !places.insert(path.place().clone())
        {
            let message = format!("two inputs at one path: `{}`", member.key);
            return Err(source.error(member.key_at, message));
        }
        inputs.insert(port, input);
    }
    Ok(inputs)
}

fn input(source: &Source<'_>, json: &Json, port: &Port) -> Read<Input> {
    let what = format!("input `{port}`");
    if matches!(json.value, Value::Text(_)) {
        let basis = basis(source, json, port, &what)?;
        return Ok(Input { basis, filters: None });
    }
    let mut fields = Fields::of(source, json, "an input")?;
    let basis = basis(source, fields.need("basis")?, port, "`basis`")?;
    let filters = fields.optional("filters", |source, json, what| {
        filters(source, json, what, |pair| UnpackFilters::from_map(pair).map(drop))
    })?;
    fields.finish()?;
    Ok(Input { basis, filters: Some(filters.unwrap_or_default()) })
}

/// Reads the content of an input; variables go into the environment, which cannot contain NUL.
fn basis(source: &Source<'_>, json: &Json, port: &Port, what: &str) -> Read<Basis> {
    if matches!(port, Port::Variable(_)) {
        source.without_nul(json, source.text(json, what)?)?;
    }
    source.parsed(json, what)
}

fn action(source: &Source<'_>, json: &Json) -> Read<Action> {
    let mut kinds = Fields::of(source, json, "the action")?;
    let (echo, exec, script) = (kinds.take("echo"), kinds.take("exec"), kinds.take("script"));
    kinds.finish()?;
    match (echo, exec, script) {
        (Some(json), None, None) => {
            Fields::of(source, json, "`echo`")?.finish()?;
            Ok(Action::Echo)
        }
        (None, Some(json), None) => {
            let mut fields = Fields::of(source, json, "`exec`")?;
            let command = fields.required("command", Source::words)?;
            let network = fields.optional("network", Source::bool)?;
            fields.finish()?;
            Ok(Action::Exec { command, network })
        }
        (None, None, Some(json)) => {
            let mut fields = Fields::of(source, json, "`script`")?;
            let json = fields.need("interpreter")?;
            let interpreter = source.text(json, "`interpreter`")?.to_owned();
            source.without_nul(json, &interpreter)?;
            let contents = fields.required("contents", Source::texts)?;
            let network = fields.optional("network", Source::bool)?;
            fields.finish()?;
            Ok(Action::Script { interpreter, contents, network })
        }
        _ => {
            Err(source
                .error(json.at, "the action must be exactly one of `echo`, `exec` and `script`"))
        }
    }
}

fn gather(source: &Source<'_>, json: &Json) -> Read<Gather> {
    let mut fields = Fields::of(source, json, "an output")?;
    let from: Port = fields.required("from", Source::parsed)?;
    let packtype = fields.optional("packtype", Source::packtype)?;
    let filters = fields.optional("filters", |source, json, what| {
        filters(source, json, what, |pair| PackFilters::from_map(pair).map(drop))
    })?;
    fields.finish()?;
    let is_path = matches!(from, Port::Path(_));
    if is_path != packtype.is_some() || (!is_path && filters.is_some()) {
        let message = if is_path {
            format!("output from `{from}` has no `packtype`")
        } else {
            format!("output from `{from}` is a value: it has neither `packtype` nor `filters`")
        };
        return Err(source.error(json.at, message));
    }
    Ok(Gather { from, packtype, filters })
}

/// Reads filters, which are kept as written because they are hashed like that, but must be valid.
fn filters<E: std::fmt::Display>(
    source: &Source<'_>,
    json: &Json,
    what: &str,
    check: impl Fn([(&str, &str); 1]) -> Result<(), E>,
) -> Read<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for member in source.object(json, what)? {
        let value = source.text(&member.value, &format!("filter `{}`", member.key))?;
        check([(member.key.as_str(), value)])
            .map_err(|error| source.error(member.key_at, error.to_string()))?;
        map.insert(member.key.clone(), value.to_owned());
    }
    Ok(map)
}
