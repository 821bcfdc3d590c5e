// What the routes of the guest share: memory, numbers and texts, and answers.
#ifndef GUEST_H
#define GUEST_H

#include "wasi.h"

// A request on its way to its answer.
typedef struct {
	handle request, out;
	string path, query; // the path, and what follows its '?'
	handle body, stream; // of the answer, once it has begun
} exchange;

// mark and release bound what a loop takes of the memory that the host fills.
size_t mark(void);
void release(size_t at);

// after says whether s begins with prefix, and sets *rest to what follows.
int after(string s, string prefix, string *rest);

// number reads a decimal number from the front of *s, and a '/' behind it.
uint64_t number(string *s);

// begin sends the head of the answer, with the headers, which it takes.
void begin(exchange *x, int status, handle headers);
handle plain(void);
void header(handle fields, string name, string value);
void header_number(handle fields, string name, uint64_t value);

// put writes a piece of the answer, and says whether somebody still reads it.
int put(exchange *x, string s);
int put_number(exchange *x, uint64_t n);

// end ends the answer whole; trailers may be 0.
void end(exchange *x, handle trailers);

// copy writes what comes from a body to the answer, and returns its trailers, or 0.
// It takes the body, and counts its bytes if count is not null.
handle copy(exchange *x, handle body, uint64_t *count);

void fetch(exchange *x, string url);

#endif
