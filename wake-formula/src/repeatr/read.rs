//! Reads formulas from JSON and rejects what has no meaning.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use wake_model::MountAccess;
use wake_store::ware::{AbsPath, PackFilters, PackType, Route, WareId, Warehouse};

use super::{Action, Context, Cradle, Document, Formula, Input, Output, Policy, UserInfo};
use crate::json::{Fields, Json, Read, Source};
use crate::{WrittenPath, mount};

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
    mut read: impl FnMut(&WrittenPath, &Json) -> Read<T>,
) -> Read<BTreeMap<WrittenPath, T>> {
    let (mut map, mut places) = (BTreeMap::new(), HashSet::new());
    for member in source.object(json, what)? {
        let path: WrittenPath = source.parsed_key(member)?;
        let value = read(&path, &member.value)?;
        if !places.insert(path.place().clone()) {
            let message = format!("two {what} at one path: `{}`", path.place());
            return Err(source.error(member.key_at, message));
        }
        map.insert(path, value);
    }
    Ok(map)
}

fn inputs(source: &Source<'_>, json: &Json) -> Read<BTreeMap<WrittenPath, Input>> {
    let inputs = by_path(source, json, "inputs", |path, json| {
        source.parsed(json, &format!("input `{path}`"))
    })?;
    let is_mount = |input: &Input| matches!(input, Input::Mount { .. });
    let placed = inputs.iter().map(|(path, input)| (path.place(), is_mount(input)));
    let Some((path, mount)) = mount::with_input_below(placed) else { return Ok(inputs) };
    let message = format!("input `{path}` is below `{mount}`, which is mounted from the host");
    let is_at = |key: &str| key.parse::<AbsPath>().is_ok_and(|key| key == *path);
    let member = source.object(json, "inputs")?.iter().find(|member| is_at(&member.key));
    Err(source.error(member.map_or(json.at, |member| member.key_at), message))
}

fn outputs(source: &Source<'_>, json: &Json) -> Read<BTreeMap<WrittenPath, Output>> {
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
        cwd: fields.optional("cwd", path_or_nothing)?.flatten(),
        env: fields.optional("env", env)?.unwrap_or_default(),
        userinfo: fields.optional("userinfo", userinfo)?,
        cradle: fields.optional("cradle", cradle)?.unwrap_or_default(),
        hostname: fields.optional("hostname", hostname)?.filter(|name| !name.is_empty()),
    };
    fields.finish()?;
    Ok(action)
}

/// Reads a path; an empty text counts as absent, as everywhere in an action.
fn path_or_nothing(source: &Source<'_>, json: &Json, what: &str) -> Read<Option<WrittenPath>> {
    match source.text(json, what)? {
        "" => Ok(None),
        _ => source.parsed(json, what).map(Some),
    }
}

/// The longest host name that Linux accepts, in bytes.
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
            let message = format!(
                "`{}` is not a valid name for an environment variable",
                member.key.escape_debug()
            );
            return Err(source.error(member.key_at, message));
        }
        env.insert(member.key.clone(), value.to_owned());
    }
    Ok(env)
}

fn username(source: &Source<'_>, json: &Json, what: &str) -> Read<String> {
    let name = source.text(json, what)?;
    source.without_nul(json, name)?;
    Ok(name.to_owned())
}

fn userinfo<'a>(source: &'a Source<'a>, json: &'a Json, what: &str) -> Read<UserInfo> {
    let mut fields = Fields::of(source, json, what)?;
    let userinfo = UserInfo {
        uid: fields.optional("uid", Source::id)?,
        gid: fields.optional("gid", Source::id)?,
        username: fields.optional("username", username)?.filter(|name| !name.is_empty()),
        homedir: fields.optional("homedir", path_or_nothing)?.flatten(),
    };
    fields.finish()?;
    Ok(userinfo)
}

fn context(source: &Source<'_>, json: &Json, formula: &Formula) -> Read<Context> {
    let mut fields = Fields::of(source, json, "the context")?;
    let mut context = Context::default();
    let inputs = formula.inputs.iter().flatten();
    let inputs: BTreeMap<_, _> = inputs.map(|(path, input)| (path.place(), input)).collect();
    let outputs = formula.outputs.iter().flatten();
    let outputs: BTreeMap<_, _> = outputs.map(|(path, output)| (path.place(), output)).collect();
    if let Some(json) = fields.take("fetchUrls") {
        context.fetch_urls = by_path(source, json, "`fetchUrls`", |path, json| {
            let urls = source.texts(json, &format!("`fetchUrls` of `{path}`"))?;
            let Some(input) = inputs.get(path.place()) else {
                return Err(source
                    .error(json.at, format!("`fetchUrls` names `{path}`, which is not an input")));
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
            let Some(output) = outputs.get(path.place()) else {
                return Err(source
                    .error(json.at, format!("`saveUrls` names `{path}`, which is not an output")));
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
                    "`{text}` is not a mount: expected `mount:ro:/path` or `mount:rw:/path`"
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
