/* Nothing includes this yet. */
#define VERSION 1
