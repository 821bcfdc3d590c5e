// A web program with a route for everything that may differ between hosts.
#include "guest.h"

static int calls; // is 1 at the end of a request, if each has an instance of its own

static void echo(exchange *x, string rest) {
	(void)rest;
	entries all;
	handle headers = request_headers(x->request), answer = fields_new();
	fields_entries(headers, &all);
	for (size_t i = 0; i < all.len; i++) {
		string end;
		if (after(all.at[i].name, TEXT("content-type"), &end) && end.len == 0)
			header(answer, TEXT("content-type"), all.at[i].value);
	}
	fields_drop(headers);
	made body;
	request_consume(x->request, &body);
	begin(x, 200, answer);
	end(x, copy(x, body.ok, 0));
}

static void splice(exchange *x, string rest) {
	(void)rest;
	made body, stream;
	request_consume(x->request, &body);
	incoming_body_stream(body.ok, &stream);
	begin(x, 200, plain());
	count_result moved;
	do
		output_splice(x->stream, stream.ok, 64 << 10, &moved);
	while (!moved.is_err);
	if (moved.error.which == 0)
		error_drop(moved.error.error);
	input_drop(stream.ok);
	incoming_body_drop(body.ok);
	end(x, 0);
}

// Reads all of the body, and then says how long it was.
static void length_of_body(exchange *x, string rest) {
	(void)rest;
	uint64_t count = 0;
	made body;
	request_consume(x->request, &body);
	handle trailers = copy(x, body.ok, &count);
	if (trailers)
		fields_drop(trailers);
	begin(x, 200, plain());
	put_number(x, count);
	end(x, 0);
}

static void show_method(exchange *x, string rest) {
	(void)rest;
	method m;
	request_method(x->request, &m);
	begin(x, 200, plain());
	put_number(x, m.which);
	if (m.which == 9)
		put(x, TEXT(" ")), put(x, m.name);
	end(x, 0);
}

static void show_entries(exchange *x, entries all) {
	begin(x, 200, plain());
	for (size_t i = 0; i < all.len; i++) {
		put(x, all.at[i].name);
		put(x, TEXT(": "));
		put(x, all.at[i].value);
		put(x, TEXT("\n"));
	}
	end(x, 0);
}

static void show_headers(exchange *x, string rest) {
	(void)rest;
	entries all;
	handle headers = request_headers(x->request);
	fields_entries(headers, &all);
	fields_drop(headers);
	show_entries(x, all);
}

// The headers of a request cannot be changed: says which error that is.
static void change_headers(exchange *x, string rest) {
	(void)rest;
	header_result appended, deleted;
	handle headers = request_headers(x->request);
	fields_append(headers, "x-a", 3, "1", 1, &appended);
	fields_delete(headers, "host", 4, &deleted);
	fields_drop(headers);
	begin(x, 200, plain());
	put_number(x, appended.is_err * 10u + appended.which);
	put(x, TEXT(" "));
	put_number(x, deleted.is_err * 10u + deleted.which);
	end(x, 0);
}

// Headers that a guest may not set: shows which error each gives.
static void bad_headers(exchange *x, string rest) {
	(void)rest;
	static const entry bad[] = {
		{{"connection", 10}, {"close", 5}}, {{"keep-alive", 10}, {"1", 1}}, {{"transfer-encoding", 17}, {"chunked", 7}},
		{{"upgrade", 7}, {"h2c", 3}}, {{"host", 4}, {"a", 1}}, {{"", 0}, {"a", 1}}, {{"a b", 3}, {"c", 1}},
		{{"x-a", 3}, {"b\r\nc: d", 7}}, {{"X-Good", 6}, {"fine", 4}},
	};
	handle fields = fields_new();
	begin(x, 200, plain());
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		header_result result = {0, 0};
		fields_append(fields, bad[i].name.at, bad[i].name.len, bad[i].value.at, bad[i].value.len, &result);
		put(x, bad[i].name);
		put(x, result.is_err ? TEXT(" err ") : TEXT(" ok "));
		put_number(x, result.is_err ? result.which : 0);
		put(x, TEXT("\n"));
	}
	fields_drop(fields);
	end(x, 0);
}

static void repeated(exchange *x, string rest) {
	(void)rest;
	handle headers = plain();
	header(headers, TEXT("x-repeated"), TEXT("one"));
	header(headers, TEXT("x-other"), TEXT("between"));
	header(headers, TEXT("x-repeated"), TEXT("two, three"));
	header(headers, TEXT("set-cookie"), TEXT("a=1"));
	header(headers, TEXT("set-cookie"), TEXT("b=2; Path=/"));
	begin(x, 200, headers);
	put(x, TEXT("repeated\n"));
	end(x, 0);
}

static void query(exchange *x, string rest) {
	(void)rest;
	begin(x, 200, plain());
	put(x, x->path);
	put(x, TEXT("\n"));
	put(x, x->query);
	end(x, 0);
}

static void target(exchange *x, string rest) {
	(void)rest;
	uint8_t scheme[16];
	optional_string authority;
	request_scheme(x->request, scheme);
	request_authority(x->request, &authority);
	begin(x, 200, plain());
	put(x, scheme[0] == 0 ? TEXT("none ") : scheme[4] == 0 ? TEXT("http ") : scheme[4] == 1 ? TEXT("https ") : TEXT("other "));
	put(x, authority.is_some ? authority.value : TEXT("none"));
	end(x, 0);
}

static void status(exchange *x, string rest) {
	begin(x, (int)number(&rest), plain());
	end(x, 0);
}

// Says whether a status is one that a response may have.
static void try_status(exchange *x, string rest) {
	handle response = response_new(fields_new());
	int refused = response_set_status(response, (int)number(&rest));
	begin(x, 200, plain());
	put_number(x, (uint64_t)refused);
	end(x, 0);
}

static void chunks(exchange *x, string rest) {
	uint64_t n = number(&rest), size = number(&rest);
	static char piece[4096];
	for (size_t i = 0; i < sizeof piece; i++)
		piece[i] = (char)('a' + i % 26);
	begin(x, 200, plain());
	while (n-- > 0 && put(x, (string){piece, size < sizeof piece ? size : sizeof piece}))
		;
	end(x, 0);
}

// Writes as much as the stream takes, and waits until it takes more.
static void fill(exchange *x, uint64_t n) {
	static char piece[251 * 261]; // the n-th byte of the whole is n % 251
	for (size_t i = 0; i < sizeof piece; i++)
		piece[i] = (char)(i % 251);
	stream_result result;
	uint64_t at = 0;
	while (at < n) {
		handle ready = output_subscribe(x->stream);
		pollable_block(ready);
		pollable_drop(ready);
		count_result room;
		output_check(x->stream, &room);
		if (room.is_err)
			return;
		size_t begin = at % 251, len = sizeof piece - begin;
		if (len > room.count)
			len = room.count;
		if (len > n - at)
			len = n - at;
		if (len == 0)
			continue;
		output_write(x->stream, piece + begin, len, &result);
		if (result.is_err)
			return;
		at += len;
	}
	output_flush(x->stream, &result);
}

static void big(exchange *x, string rest) {
	handle headers = fields_new();
	header(headers, TEXT("content-type"), TEXT("application/octet-stream"));
	begin(x, 200, headers);
	fill(x, number(&rest));
	end(x, 0);
}

static void zeroes(exchange *x, string rest) {
	begin(x, 200, plain());
	stream_result result;
	output_zeroes(x->stream, number(&rest), &result);
	end(x, 0);
}

// Announces the first number of bytes, and sends the second.
static void announce(exchange *x, string rest) {
	uint64_t announced = number(&rest), written = number(&rest);
	handle headers = plain();
	header_number(headers, TEXT("content-length"), announced);
	begin(x, 200, headers);
	fill(x, written);
	end(x, 0);
}

static void trailers(exchange *x, string rest) {
	(void)rest;
	handle headers = plain(), after = fields_new();
	header(headers, TEXT("trailer"), TEXT("x-sum, x-more"));
	header(after, TEXT("x-sum"), TEXT("1234"));
	header(after, TEXT("x-more"), TEXT("a"));
	begin(x, 200, headers);
	put(x, TEXT("trailers follow\n"));
	end(x, after);
}

static void slow(exchange *x, string rest) {
	uint64_t nanoseconds = number(&rest) * 1000000;
	begin(x, 200, plain());
	for (int i = 0; i < 3; i++) {
		handle later = monotonic_after(nanoseconds);
		pollable_block(later);
		pollable_drop(later);
		put(x, TEXT("tick\n"));
	}
	end(x, 0);
}

static void early(exchange *x, string rest) {
	(void)rest;
	begin(x, 403, plain());
	put(x, TEXT("not read\n"));
	end(x, 0);
}

// Goes on after the answer has ended.
static void longer(exchange *x, string rest) {
	begin(x, 200, plain());
	put(x, TEXT("ended\n"));
	end(x, 0);
	handle later = monotonic_after(number(&rest) * 1000000);
	pollable_block(later);
	pollable_drop(later);
}

static void no_response(exchange *x, string rest) { (void)x, (void)rest; }
static void trap(exchange *x, string rest) { (void)x, (void)rest, __builtin_trap(); }

static void trap_after(exchange *x, string rest) {
	(void)rest;
	begin(x, 200, plain());
	put(x, TEXT("some of it\n"));
	__builtin_trap();
}

// Traps when the answer is whole: the client has lost nothing.
static void trap_late(exchange *x, string rest) {
	(void)rest;
	begin(x, 200, plain());
	put(x, TEXT("all of it\n"));
	end(x, 0);
	__builtin_trap();
}

// Drops the body of the answer without ending it.
static void unfinished(exchange *x, string rest) {
	(void)rest;
	begin(x, 200, plain());
	put(x, TEXT("not all\n"));
	output_drop(x->stream);
	body_drop(x->body);
}

static void set_twice(exchange *x, string rest) {
	early(x, rest);
	outparam_set(x->out, 1, 38, 0, 0, 0, 0, 0, 0);
}

static void error(exchange *x, string rest) {
	if (rest.len > 0)
		return outparam_set(x->out, 1, (int)number(&rest), 0, 0, 0, 0, 0, 0);
	string text = TEXT("said by the guest");
	outparam_set(x->out, 1, 38, 1, (int64_t)(size_t)text.at, (int32_t)text.len, 0, 0, 0);
}

static void loop(exchange *x, string rest) {
	(void)x, (void)rest;
	for (volatile int i = 0;; i++)
		;
}

// Takes a number of pages more, and says whether it had them.
static void memory(exchange *x, string rest) {
	size_t before = __builtin_wasm_memory_grow(0, (size_t)number(&rest));
	begin(x, 200, plain());
	put(x, before == (size_t)-1 ? TEXT("no") : TEXT("yes"));
	end(x, 0);
}

static void count(exchange *x, string rest) {
	(void)rest;
	begin(x, 200, plain());
	put_number(x, (uint64_t)++calls);
	end(x, 0);
}

static void show_environment(exchange *x, string rest) {
	(void)rest;
	entries all;
	environment(&all);
	show_entries(x, all);
}

// Says how many bits of two random numbers differ: few would be strange.
static void randomness(exchange *x, string rest) {
	(void)rest;
	int bits = __builtin_popcountll(random_u64() ^ random_u64());
	begin(x, 200, plain());
	put(x, bits > 5 && bits < 59 ? TEXT("random") : TEXT("strange"));
	end(x, 0);
}

static void clock(exchange *x, string rest) {
	(void)rest;
	datetime wall;
	wall_now(&wall);
	uint64_t a = monotonic_now(), b = monotonic_now();
	begin(x, 200, plain());
	put(x, b >= a ? TEXT("forward ") : TEXT("backward "));
	put(x, wall.seconds > 1700000000 && wall.nanoseconds < 1000000000 ? TEXT("today") : TEXT("long ago"));
	end(x, 0);
}

static void fetch_query(exchange *x, string rest) { (void)rest, fetch(x, x->query); }

#define ROUTE(path, serve) {{path, sizeof path - 1}, serve}

static const struct {
	string path;
	void (*serve)(exchange *, string rest);
} routes[] = {
	ROUTE("/echo", echo), ROUTE("/splice", splice), ROUTE("/length-of-body", length_of_body),
	ROUTE("/method", show_method), ROUTE("/headers", show_headers), ROUTE("/change-headers", change_headers),
	ROUTE("/bad-headers", bad_headers), ROUTE("/repeated", repeated), ROUTE("/query", query), ROUTE("/target", target),
	ROUTE("/status/", status), ROUTE("/try-status/", try_status), ROUTE("/chunks/", chunks), ROUTE("/big/", big),
	ROUTE("/zeroes/", zeroes), ROUTE("/announce/", announce), ROUTE("/trailers", trailers), ROUTE("/slow/", slow),
	ROUTE("/early", early), ROUTE("/longer/", longer), ROUTE("/no-response", no_response),
	ROUTE("/trap-after", trap_after), ROUTE("/trap-late", trap_late), ROUTE("/trap", trap),
	ROUTE("/unfinished", unfinished), ROUTE("/set-twice", set_twice), ROUTE("/error/", error), ROUTE("/error", error),
	ROUTE("/loop", loop), ROUTE("/memory/", memory), ROUTE("/count", count), ROUTE("/env", show_environment),
	ROUTE("/random", randomness), ROUTE("/clock", clock), ROUTE("/fetch", fetch_query),
};

static void serve(exchange *x) {
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		string rest;
		if (after(x->path, routes[i].path, &rest))
			return routes[i].serve(x, rest);
	}
	begin(x, 404, plain());
	put(x, TEXT("no such route\n"));
	end(x, 0);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle_request(handle request, handle out) {
	exchange x = {.request = request, .out = out};
	optional_string path;
	request_path(request, &path);
	x.path = path.is_some ? path.value : TEXT("/");
	for (size_t i = 0; i < x.path.len; i++) {
		if (x.path.at[i] == '?') {
			x.query = (string){x.path.at + i + 1, x.path.len - i - 1};
			x.path.len = i;
			break;
		}
	}
	serve(&x);
	request_drop(request);
}
