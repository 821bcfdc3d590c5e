// What guests in C import of WASI 0.2, by the canonical ABI, and the structs in
// which results lie in memory. Versions differ by patch on purpose: real
// components mix them, and a host has to take any 0.2.
#ifndef WASI_H
#define WASI_H

#include <stddef.h>
#include <stdint.h>

#define IMPORT(interface, function) __attribute__((import_module(interface "@0.2.12"), import_name(function)))
#define EXPORT(name) __attribute__((export_name(name)))

#define TYPES "wasi:http/types"
#define STREAMS "wasi:io/streams"

typedef int32_t handle;

typedef struct {
	const char *at;
	size_t len;
} string;

#define TEXT(literal) ((string){literal, sizeof literal - 1})

typedef struct {
	uint8_t is_some;
	string value;
} optional_string;

typedef struct {
	uint8_t which;
	string name;
} method;

typedef struct {
	string name, value;
} entry;

typedef struct {
	const entry *at;
	size_t len;
} entries;

// result<handle>
typedef struct {
	uint8_t is_err;
	handle ok;
} made;

// result<_, header-error>
typedef struct {
	uint8_t is_err, which;
} header_result;

// A stream fails with the handle of an error (0), or because it has ended (1).
typedef struct {
	uint8_t which;
	handle error;
} stream_error;

typedef struct {
	uint8_t is_err;
	stream_error error;
} stream_result;

typedef struct {
	uint8_t is_err;
	union {
		string bytes;
		stream_error error;
	};
} read_result;

typedef struct {
	uint8_t is_err;
	union {
		uint64_t count;
		stream_error error;
	};
} count_result;

// An error-code of wasi:http: which of them, and room for what it says.
typedef struct {
	_Alignas(8) uint8_t which;
	_Alignas(8) uint8_t more[24];
} error_code;

// result<_, error-code>
typedef struct {
	uint8_t is_err;
	error_code error;
} finish_result;

// result<handle, error-code>
typedef struct {
	uint8_t is_err;
	union {
		handle ok;
		error_code error;
	};
} sent;

// option<result<result<incoming-response, error-code>>>
typedef struct {
	uint8_t is_some;
	_Alignas(8) uint8_t is_taken;
	_Alignas(8) sent response;
} future_response;

// option<result<result<option<trailers>, error-code>>>
typedef struct {
	uint8_t is_some;
	_Alignas(8) uint8_t is_taken;
	_Alignas(8) uint8_t is_err;
	union {
		struct {
			_Alignas(8) uint8_t is_some;
			handle fields;
		} trailers;
		error_code error;
	};
} future_trailers;

IMPORT(TYPES, "[constructor]fields") handle fields_new(void);
IMPORT(TYPES, "[method]fields.entries") void fields_entries(handle, entries *);
IMPORT(TYPES, "[method]fields.append") void fields_append(handle, const char *, size_t, const char *, size_t, header_result *);
IMPORT(TYPES, "[method]fields.delete") void fields_delete(handle, const char *, size_t, header_result *);
IMPORT(TYPES, "[resource-drop]fields") void fields_drop(handle);

IMPORT(TYPES, "[method]incoming-request.method") void request_method(handle, method *);
IMPORT(TYPES, "[method]incoming-request.path-with-query") void request_path(handle, optional_string *);
IMPORT(TYPES, "[method]incoming-request.scheme") void request_scheme(handle, uint8_t result[16]);
IMPORT(TYPES, "[method]incoming-request.authority") void request_authority(handle, optional_string *);
IMPORT(TYPES, "[method]incoming-request.headers") handle request_headers(handle);
IMPORT(TYPES, "[method]incoming-request.consume") void request_consume(handle, made *);
IMPORT(TYPES, "[resource-drop]incoming-request") void request_drop(handle);

IMPORT(TYPES, "[method]incoming-body.stream") void incoming_body_stream(handle, made *);
IMPORT(TYPES, "[static]incoming-body.finish") handle incoming_body_finish(handle);
IMPORT(TYPES, "[resource-drop]incoming-body") void incoming_body_drop(handle);
IMPORT(TYPES, "[method]future-trailers.subscribe") handle trailers_subscribe(handle);
IMPORT(TYPES, "[method]future-trailers.get") void trailers_get(handle, future_trailers *);
IMPORT(TYPES, "[resource-drop]future-trailers") void trailers_drop(handle);

IMPORT(TYPES, "[constructor]outgoing-response") handle response_new(handle headers);
IMPORT(TYPES, "[method]outgoing-response.set-status-code") int32_t response_set_status(handle, int32_t);
IMPORT(TYPES, "[method]outgoing-response.body") void response_body(handle, made *);
IMPORT(TYPES, "[method]outgoing-body.write") void body_write(handle, made *);
IMPORT(TYPES, "[static]outgoing-body.finish") void body_finish(handle, int32_t has_trailers, handle trailers, finish_result *);
IMPORT(TYPES, "[resource-drop]outgoing-body") void body_drop(handle);
IMPORT(TYPES, "[static]response-outparam.set")
void outparam_set(handle, int32_t is_err, int32_t response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);

IMPORT(TYPES, "[constructor]outgoing-request") handle outgoing_new(handle headers);
IMPORT(TYPES, "[method]outgoing-request.set-method") int32_t outgoing_set_method(handle, int32_t which, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-scheme") int32_t outgoing_set_scheme(handle, int32_t some, int32_t which, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-authority") int32_t outgoing_set_authority(handle, int32_t some, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query") int32_t outgoing_set_path(handle, int32_t some, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.body") void outgoing_body(handle, made *);
IMPORT("wasi:http/outgoing-handler", "handle") void outgoing_handle(handle request, int32_t has_options, handle options, sent *);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") handle future_subscribe(handle);
IMPORT(TYPES, "[method]future-incoming-response.get") void future_get(handle, future_response *);
IMPORT(TYPES, "[resource-drop]future-incoming-response") void future_drop(handle);
IMPORT(TYPES, "[method]incoming-response.status") int32_t incoming_status(handle);
IMPORT(TYPES, "[method]incoming-response.headers") handle incoming_headers(handle);
IMPORT(TYPES, "[method]incoming-response.consume") void incoming_consume(handle, made *);
IMPORT(TYPES, "[resource-drop]incoming-response") void incoming_drop(handle);

IMPORT(STREAMS, "[method]input-stream.blocking-read") void input_read(handle, uint64_t, read_result *);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_drop(handle);
IMPORT(STREAMS, "[method]output-stream.check-write") void output_check(handle, count_result *);
IMPORT(STREAMS, "[method]output-stream.write") void output_write(handle, const char *, size_t, stream_result *);
IMPORT(STREAMS, "[method]output-stream.blocking-flush") void output_flush(handle, stream_result *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void output_write_flush(handle, const char *, size_t, stream_result *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-zeroes-and-flush") void output_zeroes(handle, uint64_t, stream_result *);
IMPORT(STREAMS, "[method]output-stream.blocking-splice") void output_splice(handle, handle in, uint64_t, count_result *);
IMPORT(STREAMS, "[method]output-stream.subscribe") handle output_subscribe(handle);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_drop(handle);
IMPORT("wasi:io/error", "[resource-drop]error") void error_drop(handle);

IMPORT("wasi:io/poll", "[method]pollable.block") void pollable_block(handle);
IMPORT("wasi:io/poll", "[resource-drop]pollable") void pollable_drop(handle);

typedef struct {
	uint64_t seconds;
	uint32_t nanoseconds;
} datetime;

IMPORT("wasi:clocks/monotonic-clock", "now") uint64_t monotonic_now(void);
IMPORT("wasi:clocks/monotonic-clock", "subscribe-duration") handle monotonic_after(uint64_t nanoseconds);
IMPORT("wasi:clocks/wall-clock", "now") void wall_now(datetime *);
IMPORT("wasi:random/random", "get-random-u64") uint64_t random_u64(void);
IMPORT("wasi:cli/environment", "get-environment") void environment(entries *);

#endif
