//! The image itself: its base, layers, variables, labels and entry point.

use std::collections::BTreeMap;

use wake_image::{LayerSource, PackedLayer};
use wake_steps::{Input, Inputs, Step};
use wake_velocity::catalog::Generation;
use wake_velocity::template::Line;

use super::files::{composed, composition};
use super::run::{LAYER, variables};
use super::{Lowering, path};
use crate::site::Lowered;
use crate::values::filled;

impl Lowering<'_, '_> {
    pub(super) fn image(&self) -> Lowered<Step> {
        let build = self.site.build(self.number);
        let template = &build.template;
        // In the first generation these only ever applied to Apptainer.
        let foreign = template.pre.iter().chain(&template.post).next();
        if let Some(line) = foreign.filter(|_| self.site.plan.generation == Generation::Second) {
            let message = "`@pre` and `@post` lines need another build tool";
            let error = self.site.error(message, &line.at);
            return Err(Box::new(error.help("use `--engine NAME`")));
        }
        let images = self.site.images(self.ground);
        let base = self.ground_image(&images)?;
        let mut inputs = Inputs::default();
        let layers = match self.steps.run {
            Some(step) => {
                let layer = Input::Output { step, below: path(LAYER) };
                let placed = inputs.place(path(LAYER), layer);
                placed.map_err(|conflict| {
                    Box::new(self.site.error(conflict.to_string(), &template.from.line.at))
                })?;
                vec![LayerSource::Packed(PackedLayer { tar: LAYER.to_owned() })]
            }
            None if template.copy.is_empty() => Vec::new(),
            None => vec![self.layer_of_files(&mut inputs, &images, base.as_ref())?],
        };
        let mut composition = composition(base.as_ref(), layers);
        let (arguments, _) = super::arguments(self.site, build);
        let mut known = base.as_ref().map(variables).unwrap_or_default();
        known.extend(arguments.clone());
        let argument = |name: &str| arguments.get(name).cloned().unwrap_or_default();
        let text = |line: &Line| filled(&line.with(argument), &known);
        composition.env =
            template.env.iter().map(|env| (text(&env.name), text(&env.value))).collect();
        composition.labels = template
            .label
            .iter()
            .map(|label| (text(&label.name), text(&label.value)))
            .collect::<BTreeMap<_, _>>();
        composition.entrypoint = template
            .entry
            .as_ref()
            .map(|entry| entry.words().iter().map(|word| word.with(argument)).collect());
        Ok(composed(&composition, inputs))
    }
}
