//! Resolves the genome of an asset: from the registry, or from sequences.

use wake_asset::{AssetError, Genome, GenomeName, NewGenome, RegistryPath};
use wake_steps::diagnostic::Diagnostic;

use super::super::build::GenomeRef;
use super::super::request::UnknownGenome;
use super::Planner;
use crate::content::{check_regular, unreadable};
use crate::error::of_asset;
use crate::given::GivenKind;
use crate::recipe::Recipe;

/// The class whose assets contain the genome's sequences.
const FASTA: &str = "fasta";
/// The number of hexadecimal digits in a genome digest.
const DIGITS: usize = 48;

impl Planner<'_> {
    /// Returns the genome of this name; one that is not in the registry is read from the given sequences.
    pub(super) fn genome(
        &mut self,
        called: &GenomeName,
        path: &RegistryPath,
        recipe: &Recipe,
    ) -> Result<GenomeRef, Diagnostic> {
        let missing = match self.request.catalog.genome(called) {
            Ok(genome) => {
                return Ok(GenomeRef {
                    digest: genome.digest.clone(),
                    called: called.clone(),
                    aliases: genome.aliases.clone(),
                    new: None,
                });
            }
            Err(error) => error,
        };
        let known = self.genomes.iter().find(|(name, _)| name == called);
        let genome = match known {
            Some((_, genome)) => genome.clone(),
            None => {
                let genome = self.new_genome(called, path, recipe, &missing)?;
                self.genomes.push((called.clone(), genome.clone()));
                genome
            }
        };
        let is_digest = genome.digest.as_str() == called.as_str();
        let aliases = if is_digest { Vec::new() } else { vec![called.clone()] };
        let (digest, description) =
            (genome.digest.clone(), self.request.genome_description.clone());
        let new = Some(NewGenome { genome, aliases: aliases.clone(), description });
        Ok(GenomeRef { digest, called: called.clone(), aliases, new })
    }

    fn new_genome(
        &mut self,
        called: &GenomeName,
        path: &RegistryPath,
        recipe: &Recipe,
        missing: &AssetError,
    ) -> Result<Genome, Diagnostic> {
        let asset = match recipe.class_name() {
            FASTA => path.asset.clone(),
            _ => FASTA.parse().map_err(|_| of_asset(missing))?,
        };
        let given = self.request.given.find(GivenKind::File, &[called.as_str()], &asset, &[FASTA]);
        let Some((_, file)) = given else {
            if self.request.unknown_genome == UnknownGenome::Name
                && let Ok(digest) = "0".repeat(DIGITS).parse()
            {
                return Ok(Genome { digest, sequences: Vec::new() });
            }
            return Err(of_asset(missing).help("or build its `fasta` asset: `--files fasta=FILE`"));
        };
        let file = self.request.cwd.join(file);
        if let Err(error) = check_regular(&file) {
            return Err(unreadable(&format!("file `{FASTA}`"), &file, &error));
        }
        Genome::of_fasta(&file).map_err(|error| of_asset(&error))
    }
}
