// hello-http answers HTTP requests. It is a component of the world
// wasi:http/proxy, written by hand, with no library at all: what a compiler of
// components otherwise does for a program can be read here.
//
// A component is a core module, as clang makes it, in an envelope that says
// what its imports and exports mean. The module knows only numbers; how the
// richer values of the interfaces become numbers is the "canonical ABI":
//
//   string, list    two numbers: where it begins in memory, and how long it is
//   a resource      a handle: the host's number for a thing that the host keeps
//   option, result  one number that tells which case it is, then what is in it
//   more than that  in memory, at an address that the caller gives last
//
// In memory, each part stands where C would put it in a struct: structs of C
// are all that is needed to read them.

#include <stddef.h>
#include <stdint.h>

// Names of imports and exports are those of the interfaces, with a version.
// A host that has another 0.2 takes them as well.
#define IMPORT(interface, function) \
	__attribute__((import_module(interface "@0.2.12"), import_name(function)))
#define EXPORT(name) __attribute__((export_name(name)))

#define HTTP "wasi:http/types"
#define STREAMS "wasi:io/streams"

typedef int32_t handle;

typedef struct {
	const char *at;
	size_t len;
} string;

typedef struct {
	uint8_t is_some;
	string value;
} optional_string;

// A method of HTTP: a number for those that everybody knows, and for all others
// the number 9 with its name.
typedef struct {
	uint8_t which;
	string name;
} method;
enum { METHOD_GET = 0, METHOD_HEAD = 1 };

// result<handle>: what most functions return that make a thing out of another.
typedef struct {
	uint8_t is_err;
	handle ok;
} made;

// result<_, header-error> and result<_, stream-error>: of both we want to know only whether all went well.
typedef struct {
	uint8_t is_err;
	_Alignas(4) uint8_t more[8];
} outcome;

typedef struct {
	const string *at;
	size_t len;
} list_of_strings;

// The interfaces of wasi:http and wasi:io, as far as they are used here.

IMPORT(HTTP, "[constructor]fields") handle fields_new(void);
IMPORT(HTTP, "[method]fields.get") void fields_get(handle, const char *, size_t, list_of_strings *);
IMPORT(HTTP, "[method]fields.append") void fields_append(handle, const char *, size_t, const char *, size_t, outcome *);
IMPORT(HTTP, "[resource-drop]fields") void fields_drop(handle);

IMPORT(HTTP, "[method]incoming-request.method") void request_method(handle, method *);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(handle, optional_string *);
IMPORT(HTTP, "[method]incoming-request.headers") handle request_headers(handle);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(handle);

IMPORT(HTTP, "[constructor]outgoing-response") handle response_new(handle headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") int32_t response_set_status(handle, int32_t status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(handle, made *);

IMPORT(HTTP, "[method]outgoing-body.write") void body_write(handle, made *);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(handle, int32_t has_trailers, handle trailers, void *);

// The answer is either a response or one of 39 errors, some of which say more:
// the last six numbers are theirs, and are 0 with a response.
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(handle, int32_t is_err, handle response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);

IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void stream_write(handle, const char *, size_t, outcome *);
IMPORT(STREAMS, "[resource-drop]output-stream") void stream_drop(handle);

// The host asks for memory here, for strings and lists that it hands in. Every
// request has an instance of its own, so nothing is ever given back; and nothing
// here asks for a piece to grow, so the first two parameters can be ignored.
static uint8_t heap[64 << 10];
static size_t used;

EXPORT("cabi_realloc") void *allocate(void *old, size_t old_size, size_t align, size_t size) {
	(void)old, (void)old_size;
	size_t start = (used + align - 1) & ~(align - 1);
	if (start > sizeof heap || size > sizeof heap - start)
		__builtin_trap(); // the request is too long for us: the host answers with an error
	used = start + size;
	return heap + start;
}

// A stream takes at most 4,096 bytes at once, and fails when the client is gone.
enum { PIECE = 4096 };

static int write(handle stream, string text) {
	while (text.len > 0) {
		size_t n = text.len < PIECE ? text.len : PIECE;
		outcome result;
		stream_write(stream, text.at, n, &result);
		if (result.is_err)
			return 0;
		text.at += n, text.len -= n;
	}
	return 1;
}

#define TEXT(literal) ((string){literal, sizeof literal - 1})

static void header(handle fields, string name, string value) {
	outcome result;
	fields_append(fields, name.at, name.len, value.at, value.len, &result);
}

// The body: a greeting, what was asked for, and what the client calls itself.
static void greet(handle stream, handle request) {
	optional_string path;
	request_path(request, &path);

	handle headers = request_headers(request);
	string name = TEXT("user-agent");
	list_of_strings agents;
	fields_get(headers, name.at, name.len, &agents);
	fields_drop(headers);

	write(stream, TEXT("Hello from a component in C.\n\npath: "));
	write(stream, path.is_some ? path.value : TEXT("/"));
	for (size_t i = 0; i < agents.len; i++) {
		write(stream, TEXT("\nuser-agent: "));
		write(stream, agents.at[i]);
	}
	write(stream, TEXT("\n"));
}

// The host calls this once for each request. Both parameters are ours now: the
// request, to be dropped, and the place for the answer, to be filled.
EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle_request(handle request, handle out) {
	method asked;
	request_method(request, &asked);
	int allowed = asked.which == METHOD_GET || asked.which == METHOD_HEAD;

	handle headers = fields_new();
	header(headers, TEXT("content-type"), TEXT("text/plain; charset=utf-8"));
	if (!allowed)
		header(headers, TEXT("allow"), TEXT("GET, HEAD"));
	handle response = response_new(headers); // the headers belong to the response from here on
	response_set_status(response, allowed ? 200 : 405);

	made body, stream;
	response_body(response, &body);
	outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0); // the client has status and headers now
	body_write(body.ok, &stream);
	if (allowed)
		greet(stream.ok, request);
	else
		write(stream.ok, TEXT("Only GET and HEAD are understood here.\n"));

	// First the stream is dropped, then the body that it belongs to is finished: a
	// body that is dropped unfinished tells the client that the answer is not whole.
	stream_drop(stream.ok);
	static _Alignas(8) uint8_t result[64]; // result<_, error-code>, of which we want to know nothing
	body_finish(body.ok, 0, 0, result);
	request_drop(request);
}
