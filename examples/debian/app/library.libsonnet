// The Debian package with the headers and the library, and the library's name for the linker.
{ name: 'zlib1g-dev', version: '^1.2', link: 'z' }
