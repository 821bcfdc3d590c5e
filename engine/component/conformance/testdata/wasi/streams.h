// Functions that several files need.
#ifndef STREAMS_H
#define STREAMS_H

#include "guest.h"

#define STREAMS "wasi:io/streams"
#define POLL "wasi:io/poll"

IMPORT(STREAMS, "[method]input-stream.blocking-read") void input_blocking_read(handle, uint64_t, void *);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_drop(handle);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void output_write_flush(handle, const char *, size_t, void *);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_drop(handle);
IMPORT(POLL, "[method]pollable.block") void pollable_block(handle);
IMPORT(POLL, "[resource-drop]pollable") void pollable_drop(handle);
IMPORT("wasi:io/error", "[resource-drop]error") void error_drop(handle);

#endif
