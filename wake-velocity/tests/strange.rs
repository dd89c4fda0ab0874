//! Arbitrary documents, templates and targets yield a result, or an error with a position in them.

#![allow(clippy::unwrap_used)]

mod shared;

mod anything {
    use proptest::prelude::*;
    use wake_velocity::DocumentError;
    use wake_velocity::solve::SolveError;

    use crate::shared::{first, images, plan};

    /// The position of an error is in the document.
    fn check(error: &DocumentError, text: &str) -> Result<(), TestCaseError> {
        if error.place.line > 0 && error.place.file.ends_with("it") {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert!(error.place.line <= lines.len() + 1, "{error}");
            prop_assert!(error.place.column >= 1);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn documents(text in "([a-d:\\[\\]{}&*<>!|'\"\u{e4}#~@^%_=-]|[0-9.]{1,3}|\n|\n  |\n- |: |spec: |when: |versions:|build_specifications:|dependencies:|scope: build){0,24}") {
            for path in ["a/1/specifications.yaml", "a/specs.yaml"] {
                if let Err(SolveError::Document(error)) = plan(&images(&[(path, &text)]), "podman", &["a"]) {
                    check(&error, &text)?;
                }
            }
        }

        #[test]
        fn templates(text in "(@from|@run|@copy|@entry|@arg|@env|\n|\n    |%\\(|\\)|\\{\\{|\\}\\}| x |\u{e4}|\\?|#|>>>|\\?\\?|\\|>|@@|@\\(|\\\\|!envar |a@1|a@:){0,24}") {
            let text = format!("@label\n{text}\n");
            let document = first("podman", &["variables: {x: '%(x)'}"]);
            let second = "versions: [{spec: 1}]\nvariables: [{name: x, value: '{{ x'}]\n";
            for files in [
                [("a/1/specifications.yaml", &*document), ("a/1/templates/ubuntu.vtmp", &*text)],
                [("a/specs.yaml", second), ("a/templates/default.vtmp", &*text)],
            ] {
                if let Err(SolveError::Document(error)) = plan(&images(&files), "podman", &["a"]) {
                    check(&error, &text)?;
                }
            }
        }

        #[test]
        fn targets(target in "[ab@=^_%:0-9.\u{e4} -]{0,8}") {
            let document = first("podman", &[]);
            for files in [("a/1/specifications.yaml", &*document), ("a/specs.yaml", "versions: [{spec: 1}]")] {
                prop_assert!(plan(&images(&[files]), "podman", &[&target]).is_err(), "there is no template");
            }
        }
    }
}
