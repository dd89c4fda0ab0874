//! Records of runs that belong to no checkout: one small file for each, the newest ones.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::open::Store;
use crate::publish::{Durability, publish_file};
use crate::removal::remove_file;

/// So many are kept.
const KEPT: usize = 1000;

impl Store {
    /// Keeps the text of a record under `name`, which sorts by time; forgets the oldest where there are many.
    pub fn keep_run(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let dir = self.layout().runs();
        fs::create_dir_all(&dir).at(&dir)?;
        let place = place(&dir, name);
        publish_file(&*self.session()?, &place, text.as_bytes(), Durability::Noticed)?;
        let all = children(&dir)?;
        for old in all.iter().take(all.len().saturating_sub(KEPT)) {
            remove_file(old)?;
        }
        Ok(())
    }

    /// The names of the records, oldest first.
    pub fn runs(&self) -> Result<Vec<String>, StoreError> {
        let name = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
            Some(name.to_owned())
        };
        Ok(children(&self.layout().runs())?.iter().filter_map(name).collect())
    }

    /// The text of a record; none if it is not there.
    pub fn run(&self, name: &str) -> Result<Option<String>, StoreError> {
        if name.contains('/') {
            return Ok(None);
        }
        let place = place(&self.layout().runs(), name);
        optional(fs::read_to_string(&place).at(&place))
    }
}

const SUFFIX: &str = ".json";

fn place(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_are_kept_and_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.runs().unwrap(), Vec::<String>::new());
        for number in 0..KEPT + 3 {
            store.keep_run(&format!("{number:08}"), &format!("{{\"n\": {number}}}")).unwrap();
        }
        let runs = store.runs().unwrap();
        assert_eq!((runs.len(), runs[0].as_str()), (KEPT, "00000003"));
        assert_eq!(store.run("00000003").unwrap().unwrap(), "{\"n\": 3}");
        assert_eq!(store.run("00000002").unwrap(), None);
        assert_eq!(store.run("../format").unwrap(), None);
    }
}
