// wasi:http from both sides. A server answers POST /echo?q=1 with 201, a header x-answer: yes, what it was sent,
// and a trailer x-sum: 4; and /cut with a body that ends too early.
#include "streams.h"

#define TYPES "wasi:http/types"
#define FIELDS(name) IMPORT(TYPES, "[method]fields." name)
#define REQUEST(name) IMPORT(TYPES, "[method]outgoing-request." name)
#define OPTIONS(name) IMPORT(TYPES, "[method]request-options." name)
#define INCOMING(name) IMPORT(TYPES, "[method]incoming-request." name)

IMPORT(TYPES, "[constructor]fields") handle fields_new(void);
IMPORT(TYPES, "[static]fields.from-list") void fields_from(const void *, size_t, void *);
FIELDS("get") void fields_get(handle, const char *, size_t, void *);
FIELDS("has") int32_t fields_has(handle, const char *, size_t);
FIELDS("set") void fields_set(handle, const char *, size_t, const void *, size_t, void *);
FIELDS("delete") void fields_delete(handle, const char *, size_t, void *);
FIELDS("append") void fields_append(handle, const char *, size_t, const char *, size_t, void *);
FIELDS("entries") void fields_entries(handle, void *);
FIELDS("clone") handle fields_clone(handle);
IMPORT(TYPES, "[resource-drop]fields") void fields_drop(handle);

IMPORT(TYPES, "[constructor]outgoing-request") handle request_new(handle);
REQUEST("body") void request_body(handle, void *);
REQUEST("method") void request_method(handle, void *);
REQUEST("set-method") int32_t request_set_method(handle, int32_t, const char *, size_t);
REQUEST("path-with-query") void request_path(handle, void *);
REQUEST("set-path-with-query") int32_t request_set_path(handle, int32_t, const char *, size_t);
REQUEST("scheme") void request_scheme(handle, void *);
REQUEST("set-scheme") int32_t request_set_scheme(handle, int32_t, int32_t, const char *, size_t);
REQUEST("authority") void request_authority(handle, void *);
REQUEST("set-authority") int32_t request_set_authority(handle, int32_t, const char *, size_t);
REQUEST("headers") handle request_headers(handle);
IMPORT(TYPES, "[resource-drop]outgoing-request") void request_drop(handle);

IMPORT(TYPES, "[constructor]request-options") handle options_new(void);
OPTIONS("connect-timeout") void connect_timeout(handle, void *);
OPTIONS("set-connect-timeout") int32_t set_connect_timeout(handle, int32_t, uint64_t);
OPTIONS("first-byte-timeout") void first_byte_timeout(handle, void *);
OPTIONS("set-first-byte-timeout") int32_t set_first_byte_timeout(handle, int32_t, uint64_t);
OPTIONS("between-bytes-timeout") void between_bytes_timeout(handle, void *);
OPTIONS("set-between-bytes-timeout") int32_t set_between_bytes_timeout(handle, int32_t, uint64_t);
IMPORT(TYPES, "[resource-drop]request-options") void options_drop(handle);

IMPORT("wasi:http/outgoing-handler", "handle") void send(handle, int32_t, handle, void *);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") handle future_subscribe(handle);
IMPORT(TYPES, "[method]future-incoming-response.get") void future_get(handle, void *);
IMPORT(TYPES, "[resource-drop]future-incoming-response") void future_drop(handle);
IMPORT(TYPES, "[method]incoming-response.status") int32_t response_status(handle);
IMPORT(TYPES, "[method]incoming-response.headers") handle response_headers(handle);
IMPORT(TYPES, "[method]incoming-response.consume") void response_consume(handle, void *);
IMPORT(TYPES, "[resource-drop]incoming-response") void response_drop(handle);
IMPORT(TYPES, "[method]incoming-body.stream") void body_stream(handle, void *);
IMPORT(TYPES, "[static]incoming-body.finish") handle body_finish(handle);
IMPORT(TYPES, "[resource-drop]incoming-body") void body_drop(handle);
IMPORT(TYPES, "[method]future-trailers.subscribe") handle trailers_subscribe(handle);
IMPORT(TYPES, "[method]future-trailers.get") void trailers_get(handle, void *);
IMPORT(TYPES, "[resource-drop]future-trailers") void trailers_drop(handle);
IMPORT(TYPES, "http-error-code") void http_error_code(handle, void *);

IMPORT(TYPES, "[method]outgoing-body.write") void outgoing_write(handle, void *);
IMPORT(TYPES, "[static]outgoing-body.finish") void outgoing_finish(handle, int32_t, handle, void *);
IMPORT(TYPES, "[resource-drop]outgoing-body") void outgoing_drop(handle);

INCOMING("method") void incoming_method(handle, void *);
INCOMING("path-with-query") void incoming_path(handle, void *);
INCOMING("scheme") void incoming_scheme(handle, void *);
INCOMING("authority") void incoming_authority(handle, void *);
INCOMING("headers") handle incoming_headers(handle);
INCOMING("consume") void incoming_consume(handle, void *);
IMPORT(TYPES, "[resource-drop]incoming-request") void incoming_drop(handle);
IMPORT(TYPES, "[constructor]outgoing-response") handle answer_new(handle);
IMPORT(TYPES, "[method]outgoing-response.status-code") int32_t answer_status(handle);
IMPORT(TYPES, "[method]outgoing-response.set-status-code") int32_t answer_set_status(handle, int32_t);
IMPORT(TYPES, "[method]outgoing-response.headers") handle answer_headers(handle);
IMPORT(TYPES, "[method]outgoing-response.body") void answer_body(handle, void *);
IMPORT(TYPES, "[resource-drop]outgoing-response") void answer_drop(handle);
IMPORT(TYPES, "[static]response-outparam.set")
void outparam_set(handle, int32_t is_err, int32_t response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);

// The host has its server be there.
#define AUTHORITY "server.example"

#define HTTP(name, well) HOLDS("wasi:http/types " name, well)

typedef struct {
	const char *at;
	size_t length;
} string;

static int fine(void) { return out.b[0] == 0; }

// one says whether a header has one value, which is that.
static int one(handle fields, const char *name, const char *value) {
	fields_get(fields, name, length_of(name), &out);
	const uint32_t *v = (const uint32_t *)(uintptr_t)out.w[0];
	return out.w[1] == 1 && same(heap_text(v[0]), v[1], value, length_of(value));
}

static int count(handle fields) {
	fields_entries(fields, &out);
	return (int)out.w[1];
}

static handle check_fields(void) {
	handle f = fields_new();
	HTTP("[constructor]fields", count(f) == 0);
	fields_append(f, TEXT("x-a"), TEXT("1"), &out);
	int well = fine();
	fields_append(f, TEXT("a b"), TEXT("1"), &out);
	HTTP("[method]fields.append", well && out.b[0] == 1 && one(f, "X-A", "1"));
	fields_append(f, TEXT("x-a"), TEXT("2"), &out);
	HTTP("[method]fields.entries", count(f) == 2);
	fields_get(f, TEXT("x-a"), &out);
	HTTP("[method]fields.get", out.w[1] == 2);
	HTTP("[method]fields.has", fields_has(f, TEXT("X-a")) == 1 && fields_has(f, TEXT("x-b")) == 0);
	const string values[] = {{TEXT("3")}};
	fields_set(f, TEXT("x-a"), values, 1, &out);
	HTTP("[method]fields.set", fine() && one(f, "x-a", "3"));
	handle c = fields_clone(f);
	fields_delete(f, TEXT("x-a"), &out);
	HTTP("[method]fields.delete", fine() && count(f) == 0);
	HTTP("[method]fields.clone", one(c, "x-a", "3"));
	fields_drop(f), fields_drop(c);
	HTTP("fields", fields_new() == c);
	const string entries[] = {{TEXT("content-type")}, {TEXT("text/plain")}, {TEXT("x-b")}, {TEXT("c")}};
	fields_from(entries, 2, &out);
	f = (handle)out.w[1];
	HTTP("[static]fields.from-list", fine() && count(f) == 2 && one(f, "x-b", "c"));
	return f;
}

static void check_options(handle o) {
	connect_timeout(o, &out);
	int none = fine();
	int well = set_connect_timeout(o, 1, 5000000000) == 0;
	connect_timeout(o, &out);
	HTTP("[constructor]request-options", none);
	HTTP("[method]request-options.connect-timeout", out.b[0] == 1 && out.d[1] == 5000000000);
	HTTP("[method]request-options.set-connect-timeout", well);
	well = set_first_byte_timeout(o, 1, 60000000000) == 0;
	first_byte_timeout(o, &out);
	HTTP("[method]request-options.first-byte-timeout", out.b[0] == 1 && out.d[1] == 60000000000);
	HTTP("[method]request-options.set-first-byte-timeout", well);
	well = set_between_bytes_timeout(o, 1, 60000000000) == 0;
	between_bytes_timeout(o, &out);
	HTTP("[method]request-options.between-bytes-timeout", out.b[0] == 1 && out.d[1] == 60000000000);
	HTTP("[method]request-options.set-between-bytes-timeout", well);
}

static handle check_request(handle fields, const char *authority, size_t n) {
	handle r = request_new(fields);
	request_method(r, &out);
	int well = out.b[0] == 0; // GET
	HTTP("[constructor]outgoing-request", well);
	well = request_set_method(r, 9, TEXT("BAD METHOD")) == 1;
	HTTP("[method]outgoing-request.set-method", well && request_set_method(r, 2, TEXT("")) == 0);
	request_method(r, &out);
	HTTP("[method]outgoing-request.method", out.b[0] == 2);
	HTTP("[method]outgoing-request.set-path-with-query", request_set_path(r, 1, TEXT("/echo?q=1")) == 0 && request_set_path(r, 1, TEXT("\n")) == 1);
	request_path(r, &out);
	HTTP("[method]outgoing-request.path-with-query", out.b[0] == 1 && same(heap_text(out.w[1]), out.w[2], TEXT("/echo?q=1")));
	HTTP("[method]outgoing-request.set-scheme", request_set_scheme(r, 1, 0, TEXT("")) == 0);
	request_scheme(r, &out);
	HTTP("[method]outgoing-request.scheme", out.b[0] == 1 && out.b[4] == 0);
	HTTP("[method]outgoing-request.set-authority", request_set_authority(r, 1, authority, n) == 0 && request_set_authority(r, 1, TEXT("a b")) == 1);
	request_authority(r, &out);
	HTTP("[method]outgoing-request.authority", out.b[0] == 1 && same(heap_text(out.w[1]), out.w[2], authority, n));
	handle h = request_headers(r);
	fields_append(h, TEXT("x-late"), TEXT("1"), &out);
	well = out.b[0] == 1; // they belong to the request
	HTTP("[method]outgoing-request.headers", well && one(h, "x-b", "c"));
	fields_drop(h);
	return r;
}

static void put(handle body, int report) {
	outgoing_write(body, &out);
	handle s = (handle)out.w[1];
	if (report)
		HTTP("[method]outgoing-body.write", fine());
	output_write_flush(s, TEXT("ping"), &out);
	output_drop(s);
}

static handle answered(handle future) {
	handle ready = future_subscribe(future);
	pollable_block(ready);
	pollable_drop(ready);
	future_get(future, &out);
	return out.b[0] == 1 && out.b[8] == 0 && out.b[16] == 0 ? (handle)out.w[6] : 0;
}

// whole says whether a body is that, and returns its trailers, or 0.
static handle whole(handle body, const char *text, int *well) {
	body_stream(body, &out);
	handle s = (handle)out.w[1];
	*well = fine();
	char all[64];
	size_t n = 0;
	for (;;) {
		input_blocking_read(s, 1, &out);
		if (out.b[0] == 1 || n == sizeof all)
			break;
		if (out.w[2] == 1)
			all[n++] = *heap_text(out.w[1]);
	}
	*well &= out.b[0] == 1 && out.b[4] == 1 && same(all, n, text, length_of(text));
	input_drop(s);
	handle future = body_finish(body), ready = trailers_subscribe(future);
	pollable_block(ready);
	pollable_drop(ready);
	trailers_get(future, &out);
	handle t = out.b[0] == 1 && out.b[8] == 0 && out.b[16] == 0 && out.b[24] == 1 ? (handle)out.w[7] : 0;
	trailers_drop(future);
	return t;
}

static void check_answer(handle response) {
	HTTP("[method]incoming-response.status", response_status(response) == 201);
	handle h = response_headers(response);
	HTTP("[method]incoming-response.headers", one(h, "x-answer", "yes"));
	fields_append(h, TEXT("x"), TEXT("y"), &out);
	HTTP("future-incoming-response", out.b[0] == 1); // headers that came cannot be changed
	fields_drop(h);
	response_consume(response, &out);
	handle body = (handle)out.w[1];
	int well = fine();
	response_consume(response, &out);
	HTTP("[method]incoming-response.consume", well && out.b[0] == 1);
	handle t = whole(body, "ping", &well);
	HTTP("[method]incoming-body.stream", well);
	HTTP("[static]incoming-body.finish", well);
	HTTP("[method]future-trailers.subscribe", t != 0);
	HTTP("[method]future-trailers.get", t != 0 && one(t, "x-sum", "4"));
	HTTP("future-trailers", t != 0);
	if (t)
		fields_drop(t);
	response_drop(response);
	HTTP("incoming-response", 1);
}

void explain(handle error);

// cut asks for a body that ends too early.
static void cut(const char *authority, size_t n) {
	handle r = request_new(fields_new());
	request_set_path(r, 1, TEXT("/cut"));
	request_set_scheme(r, 1, 0, TEXT(""));
	request_set_authority(r, 1, authority, n);
	send(r, 0, 0, &out);
	handle response = answered((handle)out.w[2]);
	response_consume(response, &out);
	handle body = (handle)out.w[1];
	body_stream(body, &out);
	handle s = (handle)out.w[1];
	do
		input_blocking_read(s, 100, &out);
	while (out.b[0] == 0);
	if (out.b[4] == 0) {
		handle error = (handle)out.w[2];
		http_error_code(error, &out);
		HTTP("http-error-code", out.b[0] == 1);
		explain(error);
	}
	input_drop(s);
	body_drop(body);
	HTTP("incoming-body", 1);
}

void check_requests(void) {
	handle options = options_new();
	check_options(options);
	handle r = check_request(check_fields(), TEXT(AUTHORITY));
	request_body(r, &out);
	handle body = (handle)out.w[1];
	int well = fine();
	request_body(r, &out);
	HTTP("[method]outgoing-request.body", well && out.b[0] == 1);
	send(r, 1, options, &out);
	handle future = (handle)out.w[2];
	HOLDS("wasi:http/outgoing-handler handle", fine());
	put(body, 1);
	outgoing_finish(body, 0, 0, &out);
	HTTP("[static]outgoing-body.finish", fine());
	handle ready = future_subscribe(future);
	pollable_block(ready);
	HTTP("[method]future-incoming-response.subscribe", 1);
	pollable_drop(ready);
	handle response = answered(future);
	HTTP("[method]future-incoming-response.get", response != 0);
	check_answer(response);
	future_drop(future);
	cut(TEXT(AUTHORITY));

	options = options_new();
	options_drop(options);
	HTTP("request-options", options_new() == options);
	r = request_new(fields_new());
	request_body(r, &out);
	body = (handle)out.w[1];
	outgoing_drop(body);
	HTTP("outgoing-body", 1);
	request_drop(r);
	HTTP("outgoing-request", request_new(fields_new()) > 0);
	handle answer = answer_new(fields_new());
	answer_drop(answer);
	HTTP("outgoing-response", 1);
}

static void check_incoming(handle request) {
	HOLDS("wasi:http/incoming-handler handle", 1);
	incoming_method(request, &out);
	HTTP("[method]incoming-request.method", out.b[0] == 2);
	incoming_path(request, &out);
	HTTP("[method]incoming-request.path-with-query", out.b[0] == 1 && same(heap_text(out.w[1]), out.w[2], TEXT("/in?q=2")));
	incoming_scheme(request, &out);
	HTTP("[method]incoming-request.scheme", out.b[0] == 1 && out.b[4] == 0);
	incoming_authority(request, &out);
	HTTP("[method]incoming-request.authority", out.b[0] == 1 && same(heap_text(out.w[1]), out.w[2], TEXT("guest.example")));
	handle h = incoming_headers(request);
	HTTP("[method]incoming-request.headers", one(h, "x-asked", "this"));
	fields_drop(h);
	incoming_consume(request, &out);
	handle body = (handle)out.w[1];
	int well = fine();
	incoming_consume(request, &out);
	well &= out.b[0] == 1;
	int all;
	handle t = whole(body, "sent", &all);
	HTTP("[method]incoming-request.consume", well && all);
	if (t)
		fields_drop(t);
	incoming_drop(request);
	HTTP("incoming-request", 1);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle_request(handle request, handle outparam) {
	check_incoming(request);
	handle headers = fields_new();
	fields_append(headers, TEXT("x-guest"), TEXT("here"), &out);
	handle answer = answer_new(headers);
	HTTP("[constructor]outgoing-response", answer_status(answer) == 200);
	int well = answer_set_status(answer, 99) == 1;
	HTTP("[method]outgoing-response.set-status-code", well && answer_set_status(answer, 202) == 0);
	HTTP("[method]outgoing-response.status-code", answer_status(answer) == 202);
	handle h = answer_headers(answer);
	HTTP("[method]outgoing-response.headers", one(h, "x-guest", "here"));
	fields_drop(h);
	answer_body(answer, &out);
	handle body = (handle)out.w[1];
	well = fine();
	answer_body(answer, &out);
	HTTP("[method]outgoing-response.body", well && out.b[0] == 1);
	outparam_set(outparam, 0, answer, 0, 0, 0, 0, 0, 0);
	HTTP("[static]response-outparam.set", 1);
	HTTP("response-outparam", 1);
	outgoing_write(body, &out);
	handle s = (handle)out.w[1];
	show(s);
	output_drop(s);
	outgoing_finish(body, 0, 0, &out);
}
