// The complete program of README.md. readme.sh compares what it prints.
#include "readme/a_complete_program.inc"
