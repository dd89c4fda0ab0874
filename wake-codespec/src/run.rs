//! Documents of runs: the codespec, its buffers, its time limit.

use std::collections::BTreeMap;
use std::sync::Arc;

use wake_model::nearest::nearest;
use wake_model::{BufferId, Lifetime, Tags};
use wake_yaml::{DocumentError, Fields, Mark, Node, Value, Warning, Yaml, mismatch};

use crate::codespec::{Codespec, Kind};
use crate::draft;
use crate::name::{BufferName, CodespecReference};
use crate::named::Source;
use crate::said::{Ground, Origin};
use crate::scalar::{number, text};
use crate::settle::Settling;

/// The description of a run.
#[derive(Clone, Debug)]
pub struct RunDocument {
    /// The job.
    pub job: RunJob,
    /// The worker that serves it.
    pub worker: Option<RunWorker>,
    /// The cluster to run in, if there are several.
    pub cluster: Option<String>,
    /// The time limit in seconds.
    pub timeout: u64,
    /// Tags of the run.
    pub tags: Tags,
    /// Warnings.
    pub warnings: Vec<Warning>,
    ground: Ground,
}

/// The default time limit in seconds.
pub const USUAL_TIMEOUT: u64 = 43_200;

/// The job of a run.
#[derive(Clone, Debug)]
pub struct RunJob {
    /// Its codespec.
    pub codespec: RunCodespec,
    /// Its buffers, by their names in the codespec; missing ones are created.
    pub buffers: BTreeMap<String, BufferArgument>,
    /// Tags of the buffers that are created.
    pub tags: Tags,
    /// The lifetime of the buffers that are created.
    pub buffer_ttl: Option<Lifetime>,
    /// The node pool to run on.
    pub node_pool: Option<String>,
    /// The number of replicas.
    pub replicas: u32,
    places: BTreeMap<String, Mark>,
    place: Mark,
}

/// The worker of a run.
#[derive(Clone, Debug)]
pub struct RunWorker {
    /// Its codespec.
    pub codespec: RunCodespec,
    /// The node pool to run on.
    pub node_pool: Option<String>,
    /// The number of replicas.
    pub replicas: u32,
}

/// The codespec of a run.
#[derive(Clone, Debug)]
pub enum RunCodespec {
    /// A reference to a named codespec.
    Named(CodespecReference),
    /// A codespec in the document of the run.
    Inline(Box<Codespec>),
}

/// The buffer that a run uses for one name of its codespec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BufferArgument {
    /// A buffer.
    Buffer(BufferId),
    /// `_`: a buffer that is not kept.
    Ephemeral,
}

impl RunDocument {
    /// Reads a document.
    pub fn read(source: Source<'_>) -> Result<Self, DocumentError> {
        let yaml = source.yaml()?;
        let ground = Ground::Document(yaml.source.clone());
        let mut warnings = Vec::new();
        let root = yaml.root.clone();
        let mut fields = Fields::of(&yaml, &root, "the run")?;
        let worker = fields.take("worker");
        let worker =
            worker.map(|node| worker_of(&yaml, node, &ground, &mut warnings)).transpose()?;
        let job = fields.clone().need(&yaml, "job").map_err(|error| {
            error.with_hint(match fields.take("image").or_else(|| fields.take("kind")) {
                None => "a run needs a job: `job: {codespec: NAME}`",
                Some(_) => "this is a codespec: store it with `wake codespec create -f FILE`, then run it with `wake job exec NAME`",
            })
        })?;
        fields.take("job");
        let job = job_of(&yaml, job, &ground, &mut warnings)?;
        let cluster =
            fields.take("cluster").map(|node| text(&yaml, node, "`cluster`")).transpose()?;
        let timeout = match fields.take("timeoutSeconds") {
            None => USUAL_TIMEOUT,
            Some(node) => match number(&yaml, node, "`timeoutSeconds`")?.value {
                0 => {
                    return Err(yaml
                        .source
                        .error(node.at, "`timeoutSeconds` is 0: expected a positive number"));
                }
                seconds => seconds,
            },
        };
        let tags = fields.take("tags").map(|node| tags(&yaml, node, "tags")).transpose()?;
        if let Some(node) = fields.take("bufferAccessTtl") {
            // Only checked: buffers are accessed directly, so there is no access URL that could expire.
            lifetime(&yaml, node, "`bufferAccessTtl`")?;
        }
        // Filled in when a run is shown.
        for key in [
            "id",
            "status",
            "statusReason",
            "runningCount",
            "createdAt",
            "startedAt",
            "finishedAt",
            "eTag",
            "kind",
        ] {
            let _ = fields.take(key);
        }
        fields.finish(&yaml)?;
        let cluster = cluster.map(|cluster| cluster.value);
        let tags = tags.unwrap_or_default();
        Ok(RunDocument { job, worker, cluster, timeout, tags, warnings, ground })
    }

    /// Returns the run of a named codespec with default properties.
    pub fn of(codespec: CodespecReference) -> Self {
        let job = RunJob {
            codespec: RunCodespec::Named(codespec),
            buffers: BTreeMap::new(),
            tags: Tags::default(),
            buffer_ttl: None,
            node_pool: None,
            replicas: 1,
            places: BTreeMap::new(),
            place: Mark { line: 1, column: 1 },
        };
        let (worker, cluster, timeout, tags) = (None, None, USUAL_TIMEOUT, Tags::default());
        RunDocument {
            job,
            worker,
            cluster,
            timeout,
            tags,
            warnings: Vec::new(),
            ground: Ground::Flags,
        }
    }

    /// Returns the given buffers by their names in the codespec; an unknown name is an error.
    pub fn arguments(
        &self,
        codespec: &Codespec,
    ) -> Result<BTreeMap<BufferName, BufferArgument>, DocumentError> {
        let all: Vec<&BufferName> = codespec.inputs().iter().chain(codespec.outputs()).collect();
        let argument = |(name, argument): (&String, &BufferArgument)| {
            if let Some(known) = all.iter().find(|known| known.as_str() == name) {
                return Ok(((*known).clone(), argument.clone()));
            }
            let message = format!(
                "buffer argument `{name}` does not correspond to a buffer parameter on the codespec"
            );
            let error = self.argument_error(name, message);
            Err(match nearest(name, all.iter().map(|name| name.as_str())) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint(match all.as_slice() {
                    [] => "it has no buffers".to_owned(),
                    all => {
                        let names: Vec<_> = all.iter().map(|name| format!("`{name}`")).collect();
                        format!("it has {}", names.join(", "))
                    }
                }),
            })
        };
        let given: BTreeMap<_, _> =
            self.job.buffers.iter().map(argument).collect::<Result<_, _>>()?;
        self.check_once(codespec, &given)?;
        Ok(given)
    }

    /// Checks that an output's buffer is not used twice by the job: reading it as an input would wait for the job's own end.
    fn check_once(
        &self,
        codespec: &Codespec,
        given: &BTreeMap<BufferName, BufferArgument>,
    ) -> Result<(), DocumentError> {
        for output in codespec.outputs() {
            let Some(BufferArgument::Buffer(id)) = given.get(output) else { continue };
            let is_same = |(name, argument): &(&BufferName, &BufferArgument)| {
                *name != output && matches!(argument, BufferArgument::Buffer(other) if other == id)
            };
            if let Some((other, _)) = given.iter().find(is_same) {
                let message = format!(
                    "the buffer `{id}` is used for both `{other}` and `{output}`, which is written"
                );
                let error = self.argument_error(output.as_str(), message);
                return Err(error.with_hint("create another buffer: `wake buffer create`"));
            }
        }
        Ok(())
    }

    fn argument_error(&self, name: &str, message: String) -> DocumentError {
        match self.job.places.get(name) {
            Some(&mark) => self.ground.error(Origin::Document(mark), message),
            None => self.ground.error(Origin::Flag("--buffer"), message),
        }
    }

    /// Sets the buffer for a name of the codespec, replacing any other.
    pub fn set_argument(&mut self, name: &str, argument: BufferArgument) {
        self.job.places.remove(name);
        self.job.buffers.insert(name.to_owned(), argument);
    }

    /// Sets the codespec, replacing any other.
    pub fn set_codespec(&mut self, codespec: CodespecReference) {
        self.job.codespec = RunCodespec::Named(codespec);
    }

    /// Returns an error about the job as a whole.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.ground.error(Origin::Document(self.job.place), message)
    }
}

fn job_of(
    yaml: &Yaml,
    node: &Node,
    ground: &Ground,
    warnings: &mut Vec<Warning>,
) -> Result<RunJob, DocumentError> {
    let mut fields = Fields::of(yaml, node, "`job`")?;
    let codespec = fields.need(yaml, "codespec")?;
    let codespec = codespec_of(yaml, codespec, Kind::Job, ground, warnings)?;
    let mut buffers = BTreeMap::new();
    let mut places = BTreeMap::new();
    if let Some(node) = fields.take("buffers") {
        let Value::Map(entries) = &node.value else {
            return Err(mismatch(yaml, node, "`job.buffers`", "a mapping"));
        };
        for entry in entries {
            let what = format!("`job.buffers.{}`", entry.key);
            let value = text(yaml, &entry.value, &what)?;
            let argument =
                argument(&value.value).map_err(|error| yaml.source.error(entry.value.at, error))?;
            buffers.insert(entry.key.clone(), argument);
            places.insert(entry.key.clone(), entry.at);
        }
    }
    let tags = fields.take("tags").map(|node| tags(yaml, node, "job.tags")).transpose()?;
    let ttl = fields.take("bufferTtl").map(|node| lifetime(yaml, node, "`job.bufferTtl`"));
    let buffer_ttl = ttl.transpose()?;
    let (node_pool, replicas) = pool(yaml, &mut fields, "job")?;
    fields.finish(yaml)?;
    let tags = tags.unwrap_or_default();
    Ok(RunJob { codespec, buffers, tags, buffer_ttl, node_pool, replicas, places, place: node.at })
}

fn worker_of(
    yaml: &Yaml,
    node: &Node,
    ground: &Ground,
    warnings: &mut Vec<Warning>,
) -> Result<RunWorker, DocumentError> {
    let mut fields = Fields::of(yaml, node, "`worker`")?;
    let codespec = fields.need(yaml, "codespec")?;
    let codespec = codespec_of(yaml, codespec, Kind::Worker, ground, warnings)?;
    let (node_pool, replicas) = pool(yaml, &mut fields, "worker")?;
    fields.finish(yaml)?;
    Ok(RunWorker { codespec, node_pool, replicas })
}

fn pool(
    yaml: &Yaml,
    fields: &mut Fields<'_>,
    of: &str,
) -> Result<(Option<String>, u32), DocumentError> {
    let node_pool = fields.take("nodePool");
    let node_pool =
        node_pool.map(|node| text(yaml, node, &format!("`{of}.nodePool`"))).transpose()?;
    let replicas = match fields.take("replicas") {
        None => 1,
        Some(node) => {
            let many = number(yaml, node, &format!("`{of}.replicas`"))?.value;
            let fits = u32::try_from(many).ok().filter(|&many| many > 0);
            fits.ok_or_else(|| {
                let message = format!("`{of}.replicas` is {many}: expected a positive number");
                yaml.source.error(node.at, message)
            })?
        }
    };
    Ok((node_pool.map(|pool| pool.value), replicas))
}

fn codespec_of(
    yaml: &Yaml,
    node: &Arc<Node>,
    kind: Kind,
    ground: &Ground,
    warnings: &mut Vec<Warning>,
) -> Result<RunCodespec, DocumentError> {
    let path = format!("{}.codespec", kind.as_str());
    match &node.value {
        Value::Text { .. } => {
            let reference = text(yaml, node, &format!("`{path}`"))?.value;
            let reference =
                reference.parse().map_err(|error: crate::name::CodespecReferenceError| {
                    yaml.source.error(node.at, error.to_string())
                })?;
            Ok(RunCodespec::Named(reference))
        }
        Value::Map(_) => {
            let path = format!("{path}.");
            let draft = draft::read(yaml, node, &path)?;
            let mut settling = Settling { ground, path: &path, expected: Some(kind), warnings };
            Ok(RunCodespec::Inline(Box::new(settling.codespec(&draft)?)))
        }
        _ => Err(mismatch(yaml, node, &format!("`{path}`"), "a codespec or the name of one")),
    }
}

/// Parses a buffer argument: a buffer id or `_`.
pub fn argument(text: &str) -> Result<BufferArgument, String> {
    match text {
        "_" => Ok(BufferArgument::Ephemeral),
        id => id
            .parse()
            .map(BufferArgument::Buffer)
            .map_err(|error| format!("{error}, or `_` for a buffer that is not kept")),
    }
}

fn tags(yaml: &Yaml, node: &Node, path: &str) -> Result<Tags, DocumentError> {
    let Value::Map(entries) = &node.value else {
        return Err(mismatch(yaml, node, &format!("`{path}`"), "a mapping"));
    };
    let mut tags = Tags::default();
    for entry in entries {
        let value = text(yaml, &entry.value, &format!("`{path}.{}`", entry.key))?.value;
        tags.set(&entry.key, &value)
            .map_err(|error| yaml.source.error(entry.at, error.to_string()))?;
    }
    Ok(tags)
}

fn lifetime(yaml: &Yaml, node: &Node, what: &str) -> Result<Lifetime, DocumentError> {
    let Value::Text { text, .. } = &node.value else {
        return Err(mismatch(yaml, node, what, "a lifetime"));
    };
    let wrong = |error: wake_model::buffer::ParseLifetimeError| {
        yaml.source.error(node.at, format!("{what}: {error}"))
    };
    text.parse().map_err(wrong)
}
