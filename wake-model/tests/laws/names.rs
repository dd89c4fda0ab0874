//! Names, paths and references: what is printed can be parsed again.

use proptest::collection::vec;
use proptest::prelude::*;
use wake_model::{Digest, PkgKey, Reflike, RelPath, Version};

use crate::things::{name, path, version};

proptest! {
    #[test]
    fn a_digest_comes_back(bytes in any::<[u8; 32]>()) {
        let digest = Digest::from_bytes(bytes);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn a_version_comes_back(version in version()) {
        prop_assert_eq!(version.to_string().parse::<Version>(), Ok(version));
    }

    #[test]
    fn a_key_comes_back(namespace in proptest::option::of(name()), name in name(), version in version()) {
        let key = PkgKey::new(namespace.as_ref(), &name, &version);
        prop_assert_eq!(key.to_string().parse::<PkgKey>(), Ok(key));
    }

    #[test]
    fn a_path_comes_back(path in path()) {
        prop_assert_eq!(path.as_str().parse::<RelPath>(), Ok(path.clone()));
        prop_assert_eq!(path.dotted().parse::<RelPath>(), Ok(path));
    }

    #[test]
    fn whatever_parses_is_normal(text in "[ab./]{1,12}") {
        if let Ok(path) = text.parse::<RelPath>() {
            prop_assert!(path.components().all(|part| !["", ".", ".."].contains(&part)), "{path}");
            prop_assert_eq!(path.components().collect::<Vec<_>>().join("/"), path.as_str());
        }
    }

    #[test]
    fn joining_and_stripping_undo_each_other(base in path(), below in path()) {
        let joined = base.join(&below);
        prop_assert!(joined.starts_with(&base));
        prop_assert_eq!(joined.strip(&base), Some(below));
        let parent = joined.parent().unwrap();
        prop_assert_eq!(parent.child(joined.file_name().unwrap()), Ok(joined));
    }

    #[test]
    fn a_reference_comes_back(reflike in reflike()) {
        prop_assert_eq!(reflike.to_string().parse::<Reflike>(), Ok(reflike));
    }
}

/// Returns a reference whose keys contain no dots, so that its text is complete.
fn reflike() -> impl Strategy<Value = Reflike> {
    let key = || "[a-z0-9_-]{1,4}";
    let keys = || vec(key(), 1..4);
    let leaf = prop_oneof![
        path().prop_map(Reflike::File),
        keys().prop_map(Reflike::Input),
        keys().prop_map(Reflike::Output),
        key().prop_map(|key| Reflike::Pkg(key, None)),
        key().prop_map(|key| Reflike::Module(key, None)),
    ];
    leaf.prop_recursive(3, 4, 1, move |onward| {
        prop_oneof![
            (key(), onward.clone()).prop_map(|(key, to)| Reflike::Pkg(key, Some(Box::new(to)))),
            (key(), onward).prop_map(|(key, to)| Reflike::Module(key, Some(Box::new(to)))),
        ]
    })
}
