#!/bin/sh
set -eu
bin/count one two | cmp - tests/expected
