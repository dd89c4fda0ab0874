use std::fmt;

use wake_model::digest::{BlobDigest, Digest};
use wake_model::encode::{Domain, Encoder, Sink, digest_of};

use super::ContextFile;
use crate::script::Backend;

/// Identifies a build by everything that its result depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(pub Digest);

/// What a [`BuildId`] is computed from; `spec/velocity.md` has the encoding.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The image.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `system=`.
    pub system: String,
    /// `backend=`, as named in documents.
    pub backend: String,
    /// `distro=`.
    pub distro: String,
    /// The build tool.
    pub engine: Backend,
    /// The machine's architecture.
    pub arch: String,
    /// Its base.
    pub base: Base,
    /// The builds it needs, in the order of its document.
    pub needs: Vec<BuildId>,
    /// Its own variables, by name.
    pub variables: Vec<(String, String)>,
    /// Additional arguments of the build command.
    pub arguments: Vec<String>,
    /// The text of its template.
    pub template: BlobDigest,
    /// The files of its context, by path.
    pub context: Vec<ContextFile>,
    /// The lines of its prolog.
    pub prolog: Option<Vec<String>>,
}

/// The base of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// The previously built image.
    Build(BuildId),
    /// An external image.
    Image {
        /// Its name in `@from`.
        name: String,
        /// Its current digest, if known.
        digest: Option<String>,
    },
}

impl Identity {
    /// Computes the build id.
    pub fn id(&self) -> BuildId {
        BuildId(digest_of(Domain::ImageBuild, |encoder| self.write(encoder)))
    }

    /// The bytes that are hashed.
    pub fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes));
        bytes
    }

    fn write<S: Sink>(&self, encoder: &mut Encoder<'_, S>) {
        // Destructured without `..`, so a new field does not compile until someone decides whether it is part of the
        // identity.
        let Self {
            name,
            version,
            system,
            backend,
            distro,
            engine,
            arch,
            base,
            needs,
            variables,
            arguments,
            template,
            context,
            prolog,
        } = self;
        encoder.list(14);
        for text in [name, version, system, backend, distro] {
            encoder.text(text);
        }
        encoder.text((*engine).into());
        encoder.text(arch);
        base.write(encoder);
        encoder.list(needs.len());
        needs.iter().for_each(|need| encoder.digest(&need.0));
        encoder.record(variables.len());
        for (name, value) in variables {
            encoder.text(name);
            encoder.text(value);
        }
        texts(encoder, arguments);
        encoder.digest(&template.0);
        encoder.list(context.len());
        for file in context {
            let ContextFile { path, executable, digest, source: _ } = file;
            encoder.list(3);
            encoder.text(path);
            encoder.digest(&digest.0);
            encoder.bool(*executable);
        }
        match prolog {
            None => encoder.none(),
            Some(lines) => texts(encoder, lines),
        }
    }
}

impl Base {
    fn write<S: Sink>(&self, encoder: &mut Encoder<'_, S>) {
        match self {
            Base::Build(id) => {
                encoder.list(2);
                encoder.text("build");
                encoder.digest(&id.0);
            }
            Base::Image { name, digest } => {
                encoder.list(3);
                encoder.text("image");
                encoder.text(name);
                match digest {
                    None => encoder.none(),
                    Some(digest) => encoder.text(digest),
                }
            }
        }
    }
}

fn texts<S: Sink>(encoder: &mut Encoder<'_, S>, texts: &[String]) {
    encoder.list(texts.len());
    texts.iter().for_each(|text| encoder.text(text));
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({:?})", self.0)
    }
}
