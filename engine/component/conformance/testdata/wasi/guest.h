// A guest that calls all functions of WASI, and says of each whether it did what it has to.
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

#define IMPORT(interface, function) __attribute__((import_module(interface "@0.2.12"), import_name(function)))
#define EXPORT(name) __attribute__((export_name(name)))
#define TEXT(literal) literal, sizeof literal - 1

typedef int32_t handle;

// Where results lie that are no core values: out is given to functions, and read by bytes, by
// words of 4 and by words of 8. What has no number is at its front.
extern union area {
	uint8_t b[256];
	uint32_t w[64];
	uint64_t d[32];
} out;

// Handles that no guest can have.
enum { NOBODY = 1000 };

// holds notes whether a function, written with its interface, did what it has to.
void holds(const char *function, size_t length, int well);
#define HOLDS(function, well) holds(TEXT(function), well)

// calls notes that a function is about to be called, which must not return.
void calls(const char *function, size_t length);
#define CALLS(function) calls(TEXT(function))

int same(const void *a, size_t n, const char *b, size_t m);
const char *heap_text(uint32_t at);
size_t length_of(const char *text);

// show writes what was noted to a stream of output, and forgets it.
void show(handle stream);

void check_basics(void);   // io, clocks, random, cli
void check_files(void);    // filesystem
void check_requests(void); // http, outgoing
void check_sockets(void);
int absent(uint32_t n); // calls function n of those of resources that nobody can have; 0: there are none left

#endif
