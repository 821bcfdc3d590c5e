// proxy asks another server what it is asked itself, and passes the answer on
// while it comes: GET /http://example.com/path. It shows requests that a
// component makes, errors, pollables and streams. How values and memory work is
// told in ../hello-http/main.c, which should be read first.

#include <stddef.h>
#include <stdint.h>

#define IMPORT(interface, function) \
	__attribute__((import_module(interface "@0.2.12"), import_name(function)))
#define EXPORT(name) __attribute__((export_name(name)))

#define HTTP "wasi:http/types"
#define STREAMS "wasi:io/streams"
#define POLL "wasi:io/poll"

typedef int32_t handle;

typedef struct {
	const char *at;
	size_t len;
} string;

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
} field;

typedef struct {
	const field *at;
	size_t len;
} fields;

// result<handle>
typedef struct {
	uint8_t is_err;
	handle ok;
} made;

// result<_, header-error>
typedef struct {
	uint8_t is_err, which;
} header_result;

// result<u64, stream-error>
typedef struct {
	uint8_t is_err;
	union {
		uint64_t count;
		struct {
			uint8_t closed; // 0: it has failed, and error says how
			handle error;
		};
	};
} moved;

// result<_, stream-error>
typedef struct {
	uint8_t is_err;
	_Alignas(4) uint8_t closed;
	handle error;
} stream_result;

// One of the 39 errors of wasi:http, and room for what some say. Some hold a
// number of 8 bytes, so all stand at multiples of 8.
typedef struct {
	_Alignas(8) uint8_t which;
	_Alignas(8) uint8_t more[24];
} error_code;

// result<handle, error-code>
typedef struct {
	uint8_t is_err;
	union {
		_Alignas(8) handle ok;
		error_code error;
	};
} sent;

// option<result<result<incoming-response, error-code>>>: nothing is known yet,
// or it was taken before, or this is how it went.
typedef struct {
	uint8_t is_known;
	_Alignas(8) uint8_t was_taken;
	sent response;
} future;

// result<_, error-code>
typedef struct {
	uint8_t is_err;
	error_code error;
} finished;

IMPORT(HTTP, "[constructor]fields") handle fields_new(void);
IMPORT(HTTP, "[method]fields.entries") void fields_entries(handle, fields *);
IMPORT(HTTP, "[method]fields.append") void fields_append(handle, const char *, size_t, const char *, size_t, header_result *);
IMPORT(HTTP, "[resource-drop]fields") void fields_drop(handle);

IMPORT(HTTP, "[method]incoming-request.method") void request_method(handle, method *);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(handle, optional_string *);
IMPORT(HTTP, "[method]incoming-request.headers") handle request_headers(handle);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(handle, made *);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(handle);

IMPORT(HTTP, "[constructor]outgoing-request") handle ask_new(handle headers);
IMPORT(HTTP, "[method]outgoing-request.set-method") int32_t ask_set_method(handle, int32_t which, const char *, size_t);
IMPORT(HTTP, "[method]outgoing-request.set-scheme") int32_t ask_set_scheme(handle, int32_t is_some, int32_t which, const char *, size_t);
IMPORT(HTTP, "[method]outgoing-request.set-authority") int32_t ask_set_authority(handle, int32_t is_some, const char *, size_t);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query") int32_t ask_set_path(handle, int32_t is_some, const char *, size_t);
IMPORT(HTTP, "[method]outgoing-request.body") void ask_body(handle, made *);
IMPORT("wasi:http/outgoing-handler", "handle") void ask(handle request, int32_t has_options, handle options, sent *);

IMPORT(HTTP, "[method]future-incoming-response.subscribe") handle future_subscribe(handle);
IMPORT(HTTP, "[method]future-incoming-response.get") void future_get(handle, future *);
IMPORT(HTTP, "[resource-drop]future-incoming-response") void future_drop(handle);
IMPORT(HTTP, "[method]incoming-response.status") int32_t answer_status(handle);
IMPORT(HTTP, "[method]incoming-response.headers") handle answer_headers(handle);
IMPORT(HTTP, "[method]incoming-response.consume") void answer_consume(handle, made *);
IMPORT(HTTP, "[resource-drop]incoming-response") void answer_drop(handle);
IMPORT(HTTP, "[method]incoming-body.stream") void incoming_stream(handle, made *);
IMPORT(HTTP, "[resource-drop]incoming-body") void incoming_drop(handle);

IMPORT(HTTP, "[constructor]outgoing-response") handle response_new(handle headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") int32_t response_set_status(handle, int32_t status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(handle, made *);
IMPORT(HTTP, "[method]outgoing-body.write") void outgoing_stream(handle, made *);
IMPORT(HTTP, "[static]outgoing-body.finish") void outgoing_finish(handle, int32_t has_trailers, handle trailers, finished *);
IMPORT(HTTP, "[resource-drop]outgoing-body") void outgoing_drop(handle);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(handle, int32_t is_err, int32_t response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);

IMPORT(STREAMS, "[method]output-stream.blocking-splice") void splice(handle to, handle from, uint64_t most, moved *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void stream_write(handle, const char *, size_t, stream_result *);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_drop(handle);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_drop(handle);
IMPORT("wasi:io/error", "[resource-drop]error") void error_drop(handle);
IMPORT(POLL, "[method]pollable.block") void wait(handle);
IMPORT(POLL, "[resource-drop]pollable") void pollable_drop(handle);

// The memory that the host fills: headers and paths, for one request.
static uint8_t heap[256 << 10];
static size_t used;

EXPORT("cabi_realloc") void *allocate(void *old, size_t old_size, size_t align, size_t size) {
	(void)old, (void)old_size;
	size_t start = (used + align - 1) & ~(align - 1);
	if (start > sizeof heap || size > sizeof heap - start)
		__builtin_trap();
	used = start + size;
	return heap + start;
}

#define TEXT(literal) ((string){literal, sizeof literal - 1})

static int begins(string s, string with) {
	if (s.len < with.len)
		return 0;
	for (size_t i = 0; i < with.len; i++)
		if (s.at[i] != with.at[i])
			return 0;
	return 1;
}

static string behind(string s, size_t n) { return (string){s.at + n, s.len - n}; }

// Headers of one connection are not passed on to the next, nor whose host it was.
static int belongs_to_connection(string name) {
	static const string names[] = {
		{"connection", 10}, {"host", 4}, {"keep-alive", 10}, {"proxy-authenticate", 18}, {"proxy-authorization", 19},
		{"proxy-connection", 16}, {"te", 2}, {"trailer", 7}, {"transfer-encoding", 17}, {"upgrade", 7},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (name.len == names[i].len && begins(name, names[i]))
			return 1;
	return 0;
}

// copy returns new headers, with all of these that may be passed on.
static handle copy(handle headers) {
	handle copied = fields_new();
	fields all;
	fields_entries(headers, &all);
	for (size_t i = 0; i < all.len; i++) {
		header_result result; // a header that the host forbids is left out
		if (!belongs_to_connection(all.at[i].name))
			fields_append(copied, all.at[i].name.at, all.at[i].name.len, all.at[i].value.at, all.at[i].value.len, &result);
	}
	fields_drop(headers);
	return copied;
}

// pour moves all of a body to another, as fast as both allow, and ends that one.
// Neither waits in our memory: the host moves the bytes. If the source fails,
// the other body is dropped unfinished, which tells its reader that it is not whole.
static void pour(handle from, handle to) {
	made in, out;
	incoming_stream(from, &in);
	outgoing_stream(to, &out);
	moved result;
	do
		splice(out.ok, in.ok, 64 << 10, &result);
	while (!result.is_err);
	if (!result.closed)
		error_drop(result.error);

	input_drop(in.ok); // streams are dropped before the bodies that they belong to
	incoming_drop(from);
	output_drop(out.ok);
	finished end;
	if (result.closed)
		outgoing_finish(to, 0, 0, &end);
	else
		outgoing_drop(to);
}

// address makes a request to the URL, or returns 0 if it is none.
static handle address(string url, handle headers) {
	int secure = begins(url, TEXT("https://"));
	if (!secure && !begins(url, TEXT("http://"))) {
		fields_drop(headers);
		return 0;
	}
	string authority = behind(url, secure ? 8 : 7);
	size_t n = 0;
	while (n < authority.len && authority.at[n] != '/' && authority.at[n] != '?')
		n++;
	string path = behind(authority, n);
	handle request = ask_new(headers);
	ask_set_scheme(request, 1, secure, 0, 0);
	ask_set_path(request, path.len > 0, path.at, path.len);
	if (ask_set_authority(request, 1, authority.at, n) == 0)
		return request;
	return 0; // the host says that this is no name of a server
}

// forward sends the request on, with its body, and waits for the answer's head.
static void forward(handle incoming, handle request, sent *answer) {
	method m;
	request_method(incoming, &m);
	ask_set_method(request, m.which, m.name.at, m.name.len);

	made from, to;
	ask_body(request, &to); // before it is sent: the request is the host's then
	sent answering;
	ask(request, 0, 0, &answering);
	if (answering.is_err) {
		outgoing_drop(to.ok);
		*answer = answering;
		return;
	}
	request_consume(incoming, &from);
	pour(from.ok, to.ok);

	handle ready = future_subscribe(answering.ok);
	wait(ready);
	pollable_drop(ready);
	future known;
	future_get(answering.ok, &known);
	future_drop(answering.ok);
	*answer = known.response;
}

// begin sends the head of an answer, which takes the headers, and returns its body.
static handle begin(handle out, int status, handle headers) {
	handle response = response_new(headers);
	response_set_status(response, status);
	made body;
	response_body(response, &body);
	outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
	return body.ok;
}

static void explain(handle out) {
	string text = TEXT("Ask for /http://host/path, and you are shown what that server answers.\n");
	made stream;
	stream_result written;
	finished end;
	handle body = begin(out, 400, fields_new());
	outgoing_stream(body, &stream);
	stream_write(stream.ok, text.at, text.len, &written);
	output_drop(stream.ok);
	outgoing_finish(body, 0, 0, &end);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle_request(handle request, handle out) {
	optional_string path;
	request_path(request, &path);
	string url = path.is_some && path.value.len > 0 ? behind(path.value, 1) : TEXT("");

	handle asking = address(url, copy(request_headers(request)));
	if (asking == 0)
		return explain(out);
	sent answer;
	forward(request, asking, &answer);
	if (answer.is_err) // the host makes a page of it; what the error says beyond its name is left out
		return outparam_set(out, 1, answer.error.which, 0, 0, 0, 0, 0, 0);

	made from;
	handle to = begin(out, answer_status(answer.ok), copy(answer_headers(answer.ok)));
	answer_consume(answer.ok, &from);
	pour(from.ok, to);
	answer_drop(answer.ok);
	request_drop(request);
}
