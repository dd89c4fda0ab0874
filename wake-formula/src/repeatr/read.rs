//! Reads formulas from JSON and refuses what can have no meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use wake_model::MountAccess;
use wake_store::ware::{AbsPath, PackFilters, PackType, Route, WareId, Warehouse};

use super::{Action, Context, Cradle, Document, Formula, Input, Output, Policy, UserInfo};
use crate::json::{Fields, Json, Read, Source};
use crate::mount;

impl Document {
    /// Reads `{"formula": …, "context": …}`; the context may be absent.
    pub(crate) fn read(source: &Source<'_>, root: &Json) -> Read<Self> {
        let mut fields = Fields::of(source, root, "the document")?;
        let formula = formula(source, fields.need("formula")?)?;
        let context = match fields.take("context") {
            Some(json) => context(source, json, &formula)?,
            None => Context::default(),
        };
        fields.finish()?;
        Ok(Self { formula, context })
    }
}

fn formula(source: &Source<'_>, json: &Json) -> Read<Formula> {
    let mut fields = Fields::of(source, json, "the formula")?;
    let inputs = fields.take("inputs").map(|json| inputs(source, json)).transpose()?;
    let action = action(source, fields.need("action")?)?;
    let outputs = fields.take("outputs").map(|json| outputs(source, json)).transpose()?;
    fields.finish()?;
    Ok(Formula { inputs, action, outputs })
}

/// Reads an object whose keys are paths; two spellings of one path are an error.
fn by_path<T>(
    source: &Source<'_>,
    json: &Json,
    what: &str,
    mut read: impl FnMut(&AbsPath, &Json) -> Read<T>,
) -> Read<BTreeMap<AbsPath, T>> {
    let mut map = BTreeMap::new();
    for member in source.object(json, what)? {
        let path: AbsPath = source.parsed_key(member)?;
        let value = read(&path, &member.value)?;
        if map.insert(path.clone(), value).is_some() {
            return Err(source.error(member.key_at, format!("two {what} at one path: `{path}`")));
        }
    }
    Ok(map)
}

fn inputs(source: &Source<'_>, json: &Json) -> Read<BTreeMap<AbsPath, Input>> {
    let inputs = by_path(source, json, "inputs", |path, json| {
        source.parsed(json, &format!("input `{path}`"))
    })?;
    let mounts: Vec<&AbsPath> = inputs
        .iter()
        .filter(|(_, input)| matches!(input, Input::Mount { .. }))
        .map(|(path, _)| path)
        .collect();
    for member in source.object(json, "inputs")? {
        let path: AbsPath = source.parsed_key(member)?;
        if let Some(mount) = mounts.iter().find(|mount| **mount != &path && path.starts_with(mount))
        {
            let message =
                format!("input `{path}` lies below `{mount}`, which is mounted from the host");
            return Err(source.error(member.key_at, message));
        }
    }
    Ok(inputs)
}

fn outputs(source: &Source<'_>, json: &Json) -> Read<BTreeMap<AbsPath, Output>> {
    by_path(source, json, "outputs", |_, json| {
        let mut fields = Fields::of(source, json, "an output")?;
        let packtype = fields.required("packtype", Source::packtype)?;
        let filters = fields.take_either("filters", "filter")?;
        fields.finish()?;
        let filters =
            filters.map(|json| pack_filters(source, json)).transpose()?.unwrap_or_default();
        Ok(Output { packtype, filters })
    })
}

fn pack_filters(source: &Source<'_>, json: &Json) -> Read<PackFilters> {
    let mut filters = PackFilters::UNSET;
    for member in source.object(json, "`filters`")? {
        let value = source.text(&member.value, &format!("filter `{}`", member.key))?;
        let one = PackFilters::from_map([(member.key.as_str(), value)])
            .map_err(|error| source.error(member.key_at, error.to_string()))?;
        filters = filters.apply(one);
    }
    Ok(filters)
}

fn action(source: &Source<'_>, json: &Json) -> Read<Action> {
    let mut fields = Fields::of(source, json, "the action")?;
    let action = Action {
        exec: fields.optional("exec", Source::words)?.unwrap_or_default(),
        noop: fields.optional("noop", Source::bool)?.unwrap_or(false),
        policy: fields.optional("policy", policy)?.flatten(),
        cwd: fields.optional("cwd", Source::parsed)?,
        env: fields.optional("env", env)?.unwrap_or_default(),
        userinfo: fields.optional("userinfo", userinfo)?,
        cradle: fields.optional("cradle", cradle)?.unwrap_or_default(),
        hostname: fields.optional("hostname", hostname)?,
    };
    fields.finish()?;
    Ok(action)
}

/// The most bytes that Linux takes for the name of a host.
const LONGEST_HOSTNAME: usize = 64;

fn hostname(source: &Source<'_>, json: &Json, what: &str) -> Read<String> {
    let name = source.text(json, what)?;
    if name.len() > LONGEST_HOSTNAME || name.contains('\0') {
        let message = format!("{what} takes at most {LONGEST_HOSTNAME} bytes, none of them NUL");
        return Err(source.error(json.at, message));
    }
    Ok(name.to_owned())
}

fn policy(source: &Source<'_>, json: &Json, what: &str) -> Read<Option<Policy>> {
    match source.text(json, what)? {
        "" => Ok(None),
        "routine" => Ok(Some(Policy::Routine)),
        "governor" => Ok(Some(Policy::Governor)),
        "sysad" => Ok(Some(Policy::Sysad)),
        other => Err(source.error(
            json.at,
            format!("{what} cannot be `{other}`: expected `routine`, `governor` or `sysad`"),
        )),
    }
}

fn cradle(source: &Source<'_>, json: &Json, what: &str) -> Read<Cradle> {
    match source.text(json, what)? {
        "" => Ok(Cradle::Default),
        "disable" => Ok(Cradle::Disable),
        other => Err(source
            .error(json.at, format!("{what} cannot be `{other}`: expected `disable` or nothing"))),
    }
}

fn env(source: &Source<'_>, json: &Json, what: &str) -> Read<BTreeMap<String, String>> {
    let mut env = BTreeMap::new();
    for member in source.object(json, what)? {
        let value = source.text(&member.value, &format!("`env.{}`", member.key))?;
        if member.key.is_empty() || member.key.contains(['=', '\0']) || value.contains('\0') {
            let message =
                format!("`{}` cannot be an environment variable", member.key.escape_debug());
            return Err(source.error(member.key_at, message));
        }
        env.insert(member.key.clone(), value.to_owned());
    }
    Ok(env)
}

fn userinfo<'a>(source: &'a Source<'a>, json: &'a Json, what: &str) -> Read<UserInfo> {
    let mut fields = Fields::of(source, json, what)?;
    let userinfo = UserInfo {
        uid: fields.optional("uid", Source::id)?,
        gid: fields.optional("gid", Source::id)?,
        username: fields.optional("username", Source::text)?.map(str::to_owned),
        homedir: fields.optional("homedir", Source::parsed)?,
    };
    fields.finish()?;
    Ok(userinfo)
}

fn context(source: &Source<'_>, json: &Json, formula: &Formula) -> Read<Context> {
    let mut fields = Fields::of(source, json, "the context")?;
    let mut context = Context::default();
    if let Some(json) = fields.take("fetchUrls") {
        context.fetch_urls = by_path(source, json, "`fetchUrls`", |path, json| {
            let urls = source.texts(json, &format!("`fetchUrls` of `{path}`"))?;
            let input = formula.inputs.as_ref().and_then(|inputs| inputs.get(path));
            let Some(input) = input else {
                return Err(
                    source.error(json.at, format!("`fetchUrls` names `{path}`, which is no input"))
                );
            };
            if let Input::Ware(ware) = input {
                urls.iter()
                    .try_for_each(|url| check_address(source, json.at, url, ware.packtype()))?;
            }
            Ok(urls)
        })?;
    }
    if let Some(json) = fields.take("saveUrls") {
        context.save_urls = by_path(source, json, "`saveUrls`", |path, json| {
            let output = formula.outputs.as_ref().and_then(|outputs| outputs.get(path));
            let Some(output) = output else {
                return Err(
                    source.error(json.at, format!("`saveUrls` names `{path}`, which is no output"))
                );
            };
            let url = source.text(json, &format!("`saveUrls` of `{path}`"))?;
            check_address(source, json.at, url, output.packtype)?;
            Ok(url.to_owned())
        })?;
    }
    fields.finish()?;
    Ok(context)
}

fn check_address(source: &Source<'_>, at: usize, url: &str, packtype: PackType) -> Read<()> {
    Warehouse::parse(url, packtype, Path::new("/"), &Route::default())
        .map(|_| ())
        .map_err(|error| source.error(at, error.to_string()))
}

/// Reads a WareID or `mount:ro:/abs`, `mount:rw:/abs`.
impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(mount) = text.strip_prefix("mount:") else {
            return text.parse::<WareId>().map(Input::Ware).map_err(|error| error.to_string());
        };
        let (access, host) = match mount::parse(mount) {
            Some((access, host)) if access != MountAccess::Layered => (access, host),
            _ => {
                return Err(format!(
                    "`{text}` is no mount: expected `mount:ro:/path` or `mount:rw:/path`"
                ));
            }
        };
        host.parse::<AbsPath>().map_err(|error| error.to_string())?;
        Ok(Input::Mount { access, host: host.to_owned() })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Ware(ware) => ware.fmt(f),
            Input::Mount { access, host } => mount::write(f, *access, host),
        }
    }
}
