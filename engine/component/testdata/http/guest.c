#include "guest.h"

enum { PIECE = 4096 };

static uint8_t heap[4 << 20];
static size_t used;

size_t mark(void) { return used; }
void release(size_t at) { used = at; }

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
	(void)old, (void)old_size;
	size_t start = (used + align - 1) & ~(align - 1);
	if (start > sizeof heap || size > sizeof heap - start)
		__builtin_trap();
	used = start + size;
	return heap + start;
}

int after(string s, string prefix, string *rest) {
	if (s.len < prefix.len)
		return 0;
	for (size_t i = 0; i < prefix.len; i++)
		if (s.at[i] != prefix.at[i])
			return 0;
	*rest = (string){s.at + prefix.len, s.len - prefix.len};
	return 1;
}

uint64_t number(string *s) {
	uint64_t n = 0;
	while (s->len > 0 && *s->at >= '0' && *s->at <= '9')
		n = n * 10 + (uint64_t)(*s->at - '0'), s->at++, s->len--;
	if (s->len > 0 && *s->at == '/')
		s->at++, s->len--;
	return n;
}

void header(handle fields, string name, string value) {
	header_result result;
	fields_append(fields, name.at, name.len, value.at, value.len, &result);
}

static string decimal(char room[20], uint64_t n) {
	size_t at = 20;
	do
		room[--at] = (char)('0' + n % 10);
	while (n /= 10);
	return (string){room + at, 20 - at};
}

void header_number(handle fields, string name, uint64_t value) {
	char room[20];
	header(fields, name, decimal(room, value));
}

handle plain(void) {
	handle headers = fields_new();
	header(headers, TEXT("content-type"), TEXT("text/plain"));
	return headers;
}

void begin(exchange *x, int status, handle headers) {
	handle response = response_new(headers);
	if (response_set_status(response, status))
		__builtin_trap();
	made body, stream;
	response_body(response, &body);
	body_write(body.ok, &stream);
	outparam_set(x->out, 0, response, 0, 0, 0, 0, 0, 0);
	x->body = body.ok, x->stream = stream.ok;
}

int put(exchange *x, string s) {
	while (s.len > 0) {
		size_t n = s.len < PIECE ? s.len : PIECE;
		stream_result result;
		output_write_flush(x->stream, s.at, n, &result);
		if (result.is_err) {
			if (result.error.which == 0)
				error_drop(result.error.error);
			return 0;
		}
		s.at += n, s.len -= n;
	}
	return 1;
}

int put_number(exchange *x, uint64_t n) {
	char room[20];
	return put(x, decimal(room, n));
}

void end(exchange *x, handle trailers) {
	finish_result result;
	output_drop(x->stream);
	body_finish(x->body, trailers != 0, trailers, &result);
}

static handle wait_trailers(handle future) {
	handle ready = trailers_subscribe(future);
	pollable_block(ready);
	pollable_drop(ready);
	future_trailers got;
	trailers_get(future, &got);
	trailers_drop(future);
	if (!got.is_some || got.is_taken || got.is_err || !got.trailers.is_some)
		return 0;
	return got.trailers.fields;
}

handle copy(exchange *x, handle body, uint64_t *count) {
	made stream;
	incoming_body_stream(body, &stream);
	for (size_t before = mark();; release(before)) {
		read_result got;
		input_read(stream.ok, 64 << 10, &got);
		if (got.is_err) {
			if (got.error.which == 0)
				error_drop(got.error.error);
			break;
		}
		if (count)
			*count += got.bytes.len;
		else if (!put(x, got.bytes))
			break;
	}
	input_drop(stream.ok);
	return wait_trailers(incoming_body_finish(body));
}
