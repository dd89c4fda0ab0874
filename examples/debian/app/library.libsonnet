// The Debian package with the headers and the library, and what the linker calls that.
{ name: 'zlib1g-dev', version: '^1.2', link: 'z' }
