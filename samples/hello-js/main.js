// hello-js answers HTTP requests, in JavaScript as it is written for browsers'
// service workers: one handler of the event "fetch", and standard streams.

const encoder = new TextEncoder();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// count streams an answer: each line is sent when it is written.
function count(to) {
	const body = new ReadableStream({
		async start(stream) {
			for (let i = 1; i <= to; i++) {
				stream.enqueue(encoder.encode(`${i}\n`));
				await pause(100);
			}
			stream.close();
		},
	});
	return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

async function answer(request) {
	const url = new URL(request.url);
	switch (url.pathname) {
	case '/':
		return new Response(`Hello from a component in JavaScript, ${request.headers.get('user-agent') ?? 'stranger'}.\n`);
	case '/count':
		return count(Math.min(Number(url.searchParams.get('to') ?? 5), 100));
	case '/echo':
		return new Response(request.body, { headers: { 'content-type': request.headers.get('content-type') ?? 'text/plain' } });
	case '/json':
		return Response.json({ method: request.method, path: url.pathname, length: (await request.text()).length });
	case '/throw':
		throw new Error('thrown on purpose');
	default:
		return new Response('There is nothing here.\n', { status: 404 });
	}
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));
