// A module is what building a package with a config yields. This one runs one command, `greet.py`,
// passes it the config on standard input, and declares the files that the command will create.
local greetings = {
  de: 'Hallo',
  en: 'Hello',
  es: '¡Hola',
  fr: 'Bonjour',
};

function(wake, pkg, config={})
  local options = { name: 'world', language: 'en' } + config;
  wake.module(
    name='hello',
    outputs=function(wake, pkg) { bin: './bin/hello', text: './greeting.txt' },
    exec=wake.exec(
      './greet.py',
      config={ name: options.name, greeting: greetings[options.language] },
    ),
  )
