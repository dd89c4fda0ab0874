//! The files of a new image.

use crate::catalog::Generation;
use crate::spec::Setting;

/// Returns the files of a new image, by path below the image directory.
pub fn files(
    generation: Generation,
    setting: &Setting,
    name: &str,
    version: &str,
) -> Vec<(String, String)> {
    let Setting { system, backend, distro } = setting;
    match generation {
        Generation::First => {
            let dir = format!("{name}/{version}");
            let document = format!(
                "---\n\nbuild_specifications:\n  {system}:\n    {backend}:\n      {distro}: {{}}\n"
            );
            let template = "\n@from\n    %(__base__)\n\n@label\n    velocity.image.%(__name__)__%(__tag__) %(__hash__)\n";
            vec![
                (format!("{dir}/specifications.yaml"), document),
                (format!("{dir}/templates/{distro}.vtmp"), template.to_owned()),
            ]
        }
        Generation::Second => {
            let document = format!(
                "versions:\n  - spec: \"{version}\"\n    when: system={system} backend={backend} distro={distro}\n"
            );
            let template = "@from\n    {{ __base__ }}\n\n@label\n    velocity.image.{{ __name__ }}__{{ __version__ }} {{ __image_id__ }}\n";
            vec![
                (format!("{name}/specs.yaml"), document),
                (format!("{name}/templates/default.vtmp"), template.to_owned()),
            ]
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_new_image_is_found_for_its_setting() {
        let setting = Setting {
            system: "frontier".to_owned(),
            backend: "podman".to_owned(),
            distro: "ubuntu".to_owned(),
        };
        for generation in [Generation::First, Generation::Second] {
            let files = files(generation, &setting, "x", "1.10").into_iter();
            let files: BTreeMap<String, Vec<u8>> =
                files.map(|(path, text)| (format!("images/{path}"), text.into_bytes())).collect();
            let catalog = Catalog::read(&files, &["images".to_owned()], &setting).unwrap();
            assert_eq!(catalog.generation, generation);
            assert_eq!(catalog.images[0].version, "1.10");
            assert!(catalog.warnings.is_empty());
        }
    }
}
