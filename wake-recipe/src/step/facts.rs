//! Values known once the steps a build needs are done.

use std::fs::File;
use std::io::Read;

use serde_json::Value;
use wake_asset::{AssetDigest, AssetId, SeekEntry, Tag, measure};
use wake_steps::diagnostic::{Class, Diagnostic};

use super::{Builds, Part};
use crate::error::{of_asset, of_document};
use crate::name::InputName;
use crate::plan::{FoundAsset, Origin};
use crate::template::Values;

/// The values known of a build.
pub(super) struct Facts {
    /// The custom properties.
    pub(super) properties: Vec<(InputName, String)>,
    /// The resolved asset inputs.
    pub(super) found: Vec<FoundAsset>,
    /// The tag.
    pub(super) tag: Tag,
}

/// The most bytes in a custom property.
const LONGEST: u64 = 64 << 10;
/// The output file of a property's command.
pub(super) const VALUE: &str = "value";

impl Builds<'_> {
    /// Returns the values known of a build whose needs are done.
    pub(super) fn facts(&self, number: usize) -> Result<Facts, Diagnostic> {
        let build = self.build(number);
        let mut properties = Vec::new();
        for (property, decl) in build.recipe.custom_properties.iter().enumerate() {
            properties.push((decl.name.clone(), self.property(number, property)?));
        }
        let mut found = Vec::new();
        for given in &build.assets {
            let (asset, entries) = match &given.origin {
                Origin::Registered { id, seek_keys, .. } => (id.asset.clone(), seek_keys.clone()),
                Origin::Built(parent) => {
                    (self.build(*parent).asset.clone(), self.seek_entries(*parent)?)
                }
            };
            let value = given.value(&asset, &entries).unwrap_or(Value::Null);
            found.push((given.name.clone(), value, entries));
        }
        let tag = self.tag(number, &properties, &found)?;
        Ok(Facts { properties, found, tag })
    }

    /// Returns the template values for the commands of a build.
    pub(super) fn values(&self, number: usize, facts: &Facts) -> Values {
        self.build(number).values(&facts.properties, &facts.found, Some(&facts.tag))
    }

    /// Returns the rendered seek keys of a build.
    pub(super) fn seek_entries(&self, number: usize) -> Result<Vec<SeekEntry>, Diagnostic> {
        let (build, facts) = (self.build(number), self.facts(number)?);
        let values = build.seek_values(&facts.properties, &facts.found, &facts.tag);
        build.seek_keys.resolve(&values).map_err(|error| of_document(&error))
    }

    /// Returns the asset id of a build.
    pub(super) fn id(&self, number: usize) -> Result<AssetId, Diagnostic> {
        let build = self.build(number);
        let tag = self.facts(number)?.tag;
        Ok(AssetId { genome: build.genome.digest.clone(), asset: build.asset.clone(), tag })
    }

    /// Returns refgenie's digest of a built asset.
    pub(super) fn digest(&self, number: usize) -> Result<Option<AssetDigest>, Diagnostic> {
        let Some(done) =
            self.step_of(number, Part::Commands).and_then(|step| self.results.get(step))
        else {
            return Ok(None);
        };
        let dir = self.store.tree_place(&done.tree).join(crate::plan::ASSET);
        let excluded = self.excluded(number)?;
        measure(&dir, &excluded)
            .map(|measured| Some(measured.digest))
            .map_err(|error| of_asset(&error))
    }

    /// Returns the paths that the digest of an asset leaves out.
    pub(super) fn excluded(&self, number: usize) -> Result<wake_asset::Excluded, Diagnostic> {
        wake_asset::Excluded::new(&self.build(number).recipe.checksum_exclude)
            .map_err(|error| Diagnostic::error(Class::Evaluation, error))
    }

    fn tag(
        &self,
        number: usize,
        properties: &[(InputName, String)],
        found: &[FoundAsset],
    ) -> Result<Tag, Diagnostic> {
        let build = self.build(number);
        if let Some(tag) = &build.tag {
            return Ok(tag.clone());
        }
        let Some(template) = &build.recipe.default_tag else { return Ok(Tag::default()) };
        let values = build.values(properties, found, None);
        let written = template.render(&values).map_err(|error| of_document(&error))?;
        let told = |message: String| {
            of_document(&template.error(message))
                .help(format!("name a tag: `{}:TAG`", build.label()))
        };
        let is_silent = |(name, value): &&(InputName, String)| {
            value.is_empty() && template.source().contains(name.as_str())
        };
        if let Some((name, _)) = properties.iter().find(is_silent) {
            return Err(told(format!(
                "the default tag uses custom property `{name}`, whose command printed nothing"
            )));
        }
        let tag: Tag = written
            .parse()
            .map_err(|error: wake_asset::NameError| told(format!("the default tag: {error}")))?;
        tag.check_new().map_err(|error| told(format!("the default tag: {error}")))?;
        Ok(tag)
    }

    /// Returns the output of a property's command.
    fn property(&self, build: usize, property: usize) -> Result<String, Diagnostic> {
        let name = &self.build(build).recipe.custom_properties[property].name;
        let wrong = |class: Class, problem: String| {
            Diagnostic::error(class, format!("custom property `{name}`: {problem}"))
        };
        let done = self
            .step_of(build, Part::Property(property))
            .and_then(|step| self.results.get(step))
            .ok_or_else(|| wrong(Class::Internal, "not recorded yet".to_owned()))?;
        let path = self.store.tree_place(&done.tree).join(VALUE);
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text))
            .map_err(|error| wrong(Class::Environment, format!("`{}`: {error}", path.display())))?;
        if text.len() as u64 > LONGEST {
            let problem = format!("its command printed more than {} KiB", LONGEST >> 10);
            return Err(wrong(Class::Evaluation, problem));
        }
        let text = String::from_utf8(text).map_err(|_| {
            wrong(Class::Evaluation, "its command printed text that is not UTF-8".to_owned())
        })?;
        Ok(text.trim().to_owned())
    }
}
