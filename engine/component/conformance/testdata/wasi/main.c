#include "streams.h"

IMPORT("wasi:cli/environment", "get-arguments") void get_arguments(void *);
IMPORT("wasi:cli/stdout", "get-stdout") handle get_stdout(void);
IMPORT("wasi:cli/exit", "exit") void leave(int32_t);
IMPORT("wasi:cli/exit", "exit-with-code") void leave_with(int32_t);

union area out;

static uint8_t heap[2 << 20];
static size_t used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t was, size_t align, size_t size) {
	(void)old, (void)was;
	size_t start = (used + align - 1) & ~(align - 1);
	if (start > sizeof heap || size > sizeof heap - start)
		__builtin_trap();
	used = start + size;
	return heap + start;
}

void *memcpy(void *to, const void *from, size_t n) {
	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}

int same(const void *a, size_t n, const char *b, size_t m) {
	if (n != m)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (((const char *)a)[i] != b[i])
			return 0;
	return 1;
}

const char *heap_text(uint32_t at) { return (const char *)(uintptr_t)at; }

size_t length_of(const char *text) {
	size_t n = 0;
	while (text[n])
		n++;
	return n;
}

static char notes[32 << 10];
static size_t noted;

static void note(const char *text, size_t n) {
	if (n > sizeof notes - noted)
		__builtin_trap();
	memcpy(notes + noted, text, n);
	noted += n;
}

void holds(const char *function, size_t length, int well) {
	note(well ? "well " : "wrong ", well ? 5 : 6);
	note(function, length);
	note("\n", 1);
}

void show(handle stream) {
	static union area away; // out is not touched
	for (size_t at = 0; at < noted;) {
		size_t n = noted - at < 4096 ? noted - at : 4096;
		output_write_flush(stream, notes + at, n, &away);
		at += n;
	}
	noted = 0;
}

void calls(const char *function, size_t length) {
	note("calls ", 6);
	note(function, length);
	note("\n", 1);
	handle stdout = get_stdout();
	show(stdout);
	output_drop(stdout);
}

static uint32_t number(const char *text, size_t n) {
	uint32_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint32_t)(text[i] - '0');
	return v;
}

EXPORT("wasi:cli/run@0.2.12#run") int32_t run(void) {
	get_arguments(&out);
	const uint32_t *args = (const uint32_t *)(uintptr_t)out.w[0];
	if (out.w[1] != 3 || !same(heap_text(args[0]), args[1], TEXT("conformance")))
		return 1;
	HOLDS("wasi:cli/environment get-arguments", 1);
	const char *what = heap_text(args[2]);
	size_t n = args[3];
	uint32_t more = number(heap_text(args[4]), args[5]);
	int32_t result = 0;
	if (same(what, n, TEXT("basics"))) {
		check_basics();
	} else if (same(what, n, TEXT("files"))) {
		check_files();
	} else if (same(what, n, TEXT("requests"))) {
		check_requests();
	} else if (same(what, n, TEXT("sockets"))) {
		check_sockets();
	} else if (same(what, n, TEXT("absent"))) {
		noted = 0;
		result = absent(more) ? 0 : 1;
	} else if (same(what, n, TEXT("exit"))) {
		CALLS("wasi:cli/exit exit");
		leave((int32_t)more);
	} else if (same(what, n, TEXT("exit-with-code"))) {
		CALLS("wasi:cli/exit exit-with-code");
		leave_with((int32_t)more);
	}
	handle stdout = get_stdout();
	show(stdout);
	output_drop(stdout);
	return result;
}
