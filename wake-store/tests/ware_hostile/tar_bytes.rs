//! Writes tar archives that no well-behaved program would write.

use std::io::Write;

/// A ustar header in which every field may be wrong.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a str,
    pub(crate) link: &'a str,
    pub(crate) typeflag: u8,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) device: (u32, u32),
}

impl<'a> Header<'a> {
    pub(crate) fn file(name: &'a str, size: u64) -> Self {
        Self { name, link: "", typeflag: b'0', mode: 0o644, size, device: (0, 0) }
    }

    pub(crate) fn dir(name: &'a str) -> Self {
        Self { typeflag: b'5', mode: 0o755, ..Self::file(name, 0) }
    }

    pub(crate) fn bytes(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put =
            |at: usize, text: String| block[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, self.name.to_owned());
        put(100, format!("{:07o}", self.mode));
        put(108, format!("{:07o}", 1000));
        put(116, format!("{:07o}", 1000));
        put(124, format!("{:011o}", self.size));
        put(136, format!("{:011o}", 1_262_304_000));
        put(157, self.link.to_owned());
        put(257, "ustar\x0000".to_owned());
        put(329, format!("{:07o}", self.device.0));
        put(337, format!("{:07o}", self.device.1));
        block[156] = self.typeflag;
        with_checksum(block)
    }
}

pub(crate) fn with_checksum(mut block: [u8; 512]) -> [u8; 512] {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An archive under construction.
pub(crate) struct TarBytes(Vec<u8>);

impl TarBytes {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn raw(mut self, block: [u8; 512]) -> Self {
        self.0.extend(block);
        self
    }

    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        let header = Header::file(name, content.len() as u64).bytes();
        self.raw(header).padded(content)
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.raw(Header::dir(name).bytes())
    }

    pub(crate) fn link(self, typeflag: u8, name: &str, link: &str) -> Self {
        self.raw(Header { typeflag, link, ..Header::file(name, 0) }.bytes())
    }

    pub(crate) fn pax(self, records: &[u8]) -> Self {
        self.extension(b'x', records)
    }

    pub(crate) fn global(self, records: &[u8]) -> Self {
        self.extension(b'g', records)
    }

    pub(crate) fn long_name(self, name: &str) -> Self {
        self.extension(b'L', format!("{name}\0").as_bytes())
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    fn extension(self, typeflag: u8, value: &[u8]) -> Self {
        let header = Header { typeflag, ..Header::file("extension", value.len() as u64) }.bytes();
        self.raw(header).padded(value)
    }

    fn padded(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }
}

/// `plain` in each compression.
pub(crate) fn compressed(plain: &[u8]) -> Vec<Vec<u8>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(plain).unwrap();
    let zstd = zstd::encode_all(plain, 3).unwrap();
    vec![gzip.finish().unwrap(), bzip2.finish().unwrap(), xz.finish().unwrap(), zstd]
}
