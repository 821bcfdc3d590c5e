// wasi:io, wasi:clocks, wasi:random, and what wasi:cli has beside its exits. The input is "0123456789" and
// ends there; the environment is A=1 and B=two words.
#include "streams.h"

#define MONOTONIC "wasi:clocks/monotonic-clock"

IMPORT("wasi:cli/environment", "get-environment") void get_environment(void *);
IMPORT("wasi:cli/environment", "initial-cwd") void initial_cwd(void *);
IMPORT("wasi:cli/stdin", "get-stdin") handle get_stdin(void);
IMPORT("wasi:cli/stdout", "get-stdout") handle get_stdout(void);
IMPORT("wasi:cli/stderr", "get-stderr") handle get_stderr(void);
IMPORT("wasi:cli/terminal-stdin", "get-terminal-stdin") void terminal_stdin(void *);
IMPORT("wasi:cli/terminal-stdout", "get-terminal-stdout") void terminal_stdout(void *);
IMPORT("wasi:cli/terminal-stderr", "get-terminal-stderr") void terminal_stderr(void *);

IMPORT(MONOTONIC, "now") uint64_t monotonic_now(void);
IMPORT(MONOTONIC, "resolution") uint64_t monotonic_resolution(void);
IMPORT(MONOTONIC, "subscribe-instant") handle subscribe_instant(uint64_t);
IMPORT(MONOTONIC, "subscribe-duration") handle subscribe_duration(uint64_t);
IMPORT("wasi:clocks/wall-clock", "now") void wall_now(void *);
IMPORT("wasi:clocks/wall-clock", "resolution") void wall_resolution(void *);

IMPORT("wasi:random/random", "get-random-bytes") void random_bytes(uint64_t, void *);
IMPORT("wasi:random/random", "get-random-u64") uint64_t random_u64(void);
IMPORT("wasi:random/insecure", "get-insecure-random-bytes") void insecure_bytes(uint64_t, void *);
IMPORT("wasi:random/insecure", "get-insecure-random-u64") uint64_t insecure_u64(void);
IMPORT("wasi:random/insecure-seed", "insecure-seed") void insecure_seed(void *);

IMPORT(POLL, "[method]pollable.ready") int32_t pollable_ready(handle);
IMPORT(POLL, "poll") void poll(const handle *, size_t, void *);
IMPORT("wasi:io/error", "[method]error.to-debug-string") void debug_string(handle, void *);
IMPORT(STREAMS, "[method]input-stream.read") void input_read(handle, uint64_t, void *);
IMPORT(STREAMS, "[method]input-stream.skip") void input_skip(handle, uint64_t, void *);
IMPORT(STREAMS, "[method]input-stream.blocking-skip") void input_blocking_skip(handle, uint64_t, void *);
IMPORT(STREAMS, "[method]input-stream.subscribe") handle input_subscribe(handle);
IMPORT(STREAMS, "[method]output-stream.check-write") void output_check(handle, void *);
IMPORT(STREAMS, "[method]output-stream.write") void output_write(handle, const char *, size_t, void *);
IMPORT(STREAMS, "[method]output-stream.write-zeroes") void output_zeroes(handle, uint64_t, void *);
IMPORT(STREAMS, "[method]output-stream.flush") void output_flush(handle, void *);
IMPORT(STREAMS, "[method]output-stream.blocking-flush") void output_blocking_flush(handle, void *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-zeroes-and-flush") void output_zeroes_flush(handle, uint64_t, void *);
IMPORT(STREAMS, "[method]output-stream.splice") void output_splice(handle, handle, uint64_t, void *);
IMPORT(STREAMS, "[method]output-stream.blocking-splice") void output_blocking_splice(handle, handle, uint64_t, void *);
IMPORT(STREAMS, "[method]output-stream.subscribe") handle output_subscribe(handle);

static void environment(void) {
	get_environment(&out);
	const uint32_t *e = (const uint32_t *)(uintptr_t)out.w[0];
	HOLDS("wasi:cli/environment get-environment", out.w[1] == 2 && same(heap_text(e[0]), e[1], TEXT("A")) && same(heap_text(e[2]), e[3], TEXT("1")) &&
		same(heap_text(e[4]), e[5], TEXT("B")) && same(heap_text(e[6]), e[7], TEXT("two words")));
	initial_cwd(&out);
	HOLDS("wasi:cli/environment initial-cwd", out.b[0] == 0 || (out.w[2] > 0 && *heap_text(out.w[1]) == '/'));
	terminal_stdin(&out);
	HOLDS("wasi:cli/terminal-stdin get-terminal-stdin", out.b[0] == 0);
	terminal_stdout(&out);
	HOLDS("wasi:cli/terminal-stdout get-terminal-stdout", out.b[0] == 0);
	terminal_stderr(&out);
	HOLDS("wasi:cli/terminal-stderr get-terminal-stderr", out.b[0] == 0);
}

static void clocks(void) {
	uint64_t begun = monotonic_now();
	handle soon = subscribe_duration(2000000);
	pollable_block(soon);
	uint64_t then = monotonic_now();
	HOLDS("wasi:clocks/monotonic-clock now", then >= begun);
	HOLDS("wasi:clocks/monotonic-clock subscribe-duration", then - begun >= 2000000);
	HOLDS("wasi:io/poll [method]pollable.block", pollable_ready(soon));
	HOLDS("wasi:clocks/monotonic-clock resolution", monotonic_resolution() > 0);
	handle past = subscribe_instant(begun), late = subscribe_duration(3600000000000);
	HOLDS("wasi:clocks/monotonic-clock subscribe-instant", pollable_ready(past));
	HOLDS("wasi:io/poll [method]pollable.ready", pollable_ready(soon) == 1 && pollable_ready(late) == 0);
	handle both[] = {late, soon, past};
	poll(both, 3, &out);
	const uint32_t *ready = (const uint32_t *)(uintptr_t)out.w[0];
	HOLDS("wasi:io/poll poll", out.w[1] == 2 && ready[0] == 1 && ready[1] == 2);
	pollable_drop(soon), pollable_drop(past), pollable_drop(late);
	HOLDS("wasi:io/poll pollable", subscribe_duration(0) == late); // the index is free again
	wall_now(&out);
	HOLDS("wasi:clocks/wall-clock now", out.d[0] > 1600000000 && out.w[2] < 1000000000);
	wall_resolution(&out);
	HOLDS("wasi:clocks/wall-clock resolution", out.d[0] > 0 || out.w[2] > 0);
}

static int vary(void) {
	const uint8_t *b = (const uint8_t *)(uintptr_t)out.w[0];
	for (size_t i = 1; i < out.w[1]; i++)
		if (b[i] != b[0])
			return 1;
	return 0;
}

static void randoms(void) {
	random_bytes(100, &out);
	HOLDS("wasi:random/random get-random-bytes", out.w[1] == 100 && vary());
	HOLDS("wasi:random/random get-random-u64", random_u64() != random_u64());
	insecure_bytes(100, &out);
	HOLDS("wasi:random/insecure get-insecure-random-bytes", out.w[1] == 100 && vary());
	HOLDS("wasi:random/insecure get-insecure-random-u64", insecure_u64() != insecure_u64());
	insecure_seed(&out);
	HOLDS("wasi:random/insecure-seed insecure-seed", out.d[0] != out.d[1]);
}

// read says whether the result is those bytes.
static int bytes(const char *text, size_t n) { return out.b[0] == 0 && same(heap_text(out.w[1]), out.w[2], text, n); }

static void input(void) {
	handle in = get_stdin(), ready = input_subscribe(in);
	HOLDS("wasi:cli/stdin get-stdin", in > 0);
	pollable_block(ready);
	HOLDS("wasi:io/streams [method]input-stream.subscribe", pollable_ready(ready));
	pollable_drop(ready);
	input_read(in, 2, &out);
	HOLDS("wasi:io/streams [method]input-stream.read", bytes(TEXT("01")));
	input_skip(in, 1, &out);
	HOLDS("wasi:io/streams [method]input-stream.skip", out.b[0] == 0 && out.d[1] == 1);
	input_blocking_read(in, 2, &out);
	HOLDS("wasi:io/streams [method]input-stream.blocking-read", bytes(TEXT("34")));
	input_blocking_skip(in, 1, &out);
	HOLDS("wasi:io/streams [method]input-stream.blocking-skip", out.b[0] == 0 && out.d[1] == 1);
	handle error = get_stderr();
	output_splice(error, in, 2, &out);
	HOLDS("wasi:io/streams [method]output-stream.splice", out.b[0] == 0 && out.d[1] == 2);
	output_blocking_splice(error, in, 9, &out);
	HOLDS("wasi:io/streams [method]output-stream.blocking-splice", out.b[0] == 0 && out.d[1] == 2);
	input_blocking_read(in, 1, &out);
	HOLDS("wasi:io/streams input-stream", out.b[0] == 1 && out.b[4] == 1);
	input_drop(in);
	output_drop(error);
}

// output writes "6789" by input above, then "ab", two zeroes, "c", a zero.
static void output(void) {
	handle error = get_stderr(), ready = output_subscribe(error);
	HOLDS("wasi:cli/stderr get-stderr", error > 0);
	HOLDS("wasi:cli/stdout get-stdout", get_stdout() > 0);
	pollable_block(ready);
	HOLDS("wasi:io/streams [method]output-stream.subscribe", pollable_ready(ready));
	pollable_drop(ready);
	output_check(error, &out);
	HOLDS("wasi:io/streams [method]output-stream.check-write", out.b[0] == 0 && out.d[1] > 16);
	output_write(error, TEXT("ab"), &out);
	HOLDS("wasi:io/streams [method]output-stream.write", out.b[0] == 0);
	output_check(error, &out);
	output_zeroes(error, 2, &out);
	HOLDS("wasi:io/streams [method]output-stream.write-zeroes", out.b[0] == 0);
	output_flush(error, &out);
	HOLDS("wasi:io/streams [method]output-stream.flush", out.b[0] == 0);
	output_blocking_flush(error, &out);
	HOLDS("wasi:io/streams [method]output-stream.blocking-flush", out.b[0] == 0);
	output_write_flush(error, TEXT("c"), &out);
	HOLDS("wasi:io/streams [method]output-stream.blocking-write-and-flush", out.b[0] == 0);
	output_zeroes_flush(error, 1, &out);
	HOLDS("wasi:io/streams [method]output-stream.blocking-write-zeroes-and-flush", out.b[0] == 0);
	output_drop(error);
	HOLDS("wasi:io/streams output-stream", 1);
}

// to_debug_string is called where an error is: see files.c.
void explain(handle error) {
	debug_string(error, &out);
	HOLDS("wasi:io/error [method]error.to-debug-string", out.w[1] > 0);
	error_drop(error);
	HOLDS("wasi:io/error error", 1);
}

void check_basics(void) {
	environment();
	clocks();
	randoms();
	input();
	output();
}
