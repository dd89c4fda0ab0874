use crate::spec::Setting;
use crate::spec::second::SecondSpec;
use crate::version::Release;

/// A condition on an image in the grammar of the second generation: a conjunction of parts.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The parts, in order.
    pub parts: Vec<Clause>,
}

/// A part, optionally negated.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Whether it was preceded by `!`.
    pub negated: bool,
    /// The part itself.
    pub part: Part,
}

/// One part of a condition.
#[derive(Clone, Debug)]
pub enum Part {
    /// It is this image, in one of these versions.
    Image(Box<SecondSpec>),
    /// The system is this one.
    System(String),
    /// The backend is this one.
    Backend(String),
    /// The distribution is this one.
    Distro(String),
    /// It has a dependency with exactly this text.
    Needs(String),
    /// Anything else; it never holds.
    Unknown(String),
}

/// An image for which a condition is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a Release,
    /// The texts of its dependencies.
    pub needs: &'a [&'a str],
    /// The setting it is built for.
    pub setting: &'a Setting,
}

impl Condition {
    /// Parses parts separated by white space. A spec with a colon but no version, such as `gcc@:`, is an error, which
    /// contains its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_whitespace().map(|written| {
            let (negated, written) = match written.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, written),
            };
            Ok(Clause { negated, part: Part::parse(written)? })
        });
        Ok(Self { parts: parts.collect::<Result<_, String>>()? })
    }

    /// Evaluates the condition. A part about an image of another name does not hold, negated or not.
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        let Setting { system, backend, distro } = subject.setting;
        self.parts.iter().all(|Clause { negated, part }| {
            let holds = match part {
                Part::Image(spec) if spec.name == subject.name => {
                    spec.range.contains(subject.version)
                }
                Part::Image(_) | Part::Unknown(_) => return false,
                Part::System(name) => name == system,
                Part::Backend(name) => name == backend,
                Part::Distro(name) => name == distro,
                Part::Needs(text) => subject.needs.contains(&text.as_str()),
            };
            holds != *negated
        })
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
        let dashed = |word: &str| {
            word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !word.is_empty()
        };
        if let Some((key, value)) = text.split_once('=').filter(|(_, value)| word(value)) {
            match key {
                "system" => return Ok(Part::System(value.to_owned())),
                "backend" => return Ok(Part::Backend(value.to_owned())),
                "distro" => return Ok(Part::Distro(value.to_owned())),
                _ => {}
            }
        }
        if let Some(name) = text.strip_prefix('^').filter(|name| dashed(name)) {
            return Ok(Part::Needs(name.to_owned()));
        }
        match SecondSpec::in_condition(text) {
            Some(Some(spec)) => Ok(Part::Image(Box::new(spec))),
            Some(None) => Err(text.to_owned()),
            None => Ok(Part::Unknown(text.to_owned())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn holds(condition: &str) -> bool {
        let setting = Setting {
            system: "frontier".to_owned(),
            backend: "apptainer".to_owned(),
            distro: "ubuntu".to_owned(),
        };
        let subject = Subject {
            name: "gcc",
            version: &Release::new("12.3.0"),
            needs: &["ubuntu", "base@1:"],
            setting: &setting,
        };
        Condition::parse(condition).unwrap().holds(&subject)
    }

    #[test]
    fn conditions_that_match_an_image() {
        for condition in [
            "",
            "gcc",
            "gcc@12.3.0",
            "gcc@12.3",
            "gcc@12",
            "gcc@12.3.0:",
            "gcc@:12.3.0",
            "gcc@11.0.0:13.0.0",
            "gcc:13",
            "gcc@:12",
            "gcc gcc@12.3.0",
            "system=frontier",
            "backend=apptainer",
            "distro=ubuntu",
            "^ubuntu",
            "!system=summit !gcc@13:",
        ] {
            assert!(holds(condition), "{condition}");
        }
    }

    #[test]
    fn conditions_that_do_not_match_an_image() {
        for condition in [
            "ubuntu",
            "!ubuntu",
            "gcc@14.0.0",
            "gcc@1",
            "ubuntu@12.3.0",
            "12.3.0",
            "gcc@13.0.0:13.2.0",
            "system=summit",
            "frontier",
            "backend=podman",
            "apptainer",
            "dictro=opensuse",
            "gcc@12.3.0-rc1",
            // Only the whole text of a dependency matches.
            "^base",
            "!^ubuntu",
            "gcc system=summit",
        ] {
            assert!(!holds(condition), "{condition}");
        }
    }

    #[test]
    fn bounds_without_a_version_are_an_error() {
        for text in ["gcc@:", "gcc:"] {
            assert_eq!(Condition::parse(&format!("system=x !{text}")).unwrap_err(), text);
        }
    }
}
