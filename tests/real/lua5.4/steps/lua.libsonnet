local program = import 'program.libsonnet';

function(wake, pkg, config={}) program(wake, pkg, 'lua')
