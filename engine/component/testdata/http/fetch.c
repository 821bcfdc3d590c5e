// The route that asks another server, and passes its answer on.
#include "guest.h"

static handle ask(string url, error_code *error) {
	handle request = outgoing_new(fields_new());
	string rest;
	int secure = after(url, TEXT("https://"), &rest);
	if (!secure && !after(url, TEXT("http://"), &rest))
		rest = url;
	size_t n = 0;
	while (n < rest.len && rest.at[n] != '/')
		n++;
	outgoing_set_scheme(request, 1, secure, 0, 0);
	outgoing_set_authority(request, 1, rest.at, n);
	outgoing_set_path(request, n < rest.len, rest.at + n, rest.len - n);

	// An outgoing request has a body that must be finished, even an empty one.
	made body;
	outgoing_body(request, &body);
	sent future;
	outgoing_handle(request, 0, 0, &future);
	if (future.is_err) {
		*error = future.error;
		return 0;
	}
	finish_result finished;
	body_finish(body.ok, 0, 0, &finished);

	handle ready = future_subscribe(future.ok);
	pollable_block(ready);
	pollable_drop(ready);
	future_response got;
	future_get(future.ok, &got);
	future_drop(future.ok);
	if (!got.response.is_err)
		return got.response.ok;
	*error = got.response.error;
	return 0;
}

void fetch(exchange *x, string url) {
	error_code error;
	handle response = ask(url, &error);
	if (response == 0) {
		begin(x, 502, plain());
		put(x, TEXT("error-code "));
		put_number(x, error.which);
		put(x, TEXT("\n"));
		return end(x, 0);
	}
	handle headers = plain();
	header_number(headers, TEXT("x-status"), (uint64_t)incoming_status(response));
	begin(x, 200, headers);
	made body;
	incoming_consume(response, &body);
	handle trailers = copy(x, body.ok, 0);
	incoming_drop(response);
	end(x, trailers);
}
