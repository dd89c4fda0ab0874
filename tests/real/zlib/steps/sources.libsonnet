// The translation units, as zlib's own Makefile lists them.
{
  library: [
    'adler32',
    'compress',
    'crc32',
    'deflate',
    'gzclose',
    'gzlib',
    'gzread',
    'gzwrite',
    'infback',
    'inffast',
    'inflate',
    'inftrees',
    'trees',
    'uncompr',
    'zutil',
  ],
  programs: ['test/example', 'test/minigzip'],
}
