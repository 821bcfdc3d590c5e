// Package wasihttp answers HTTP requests with components that export
// wasi:http/incoming-handler (WASI 0.2): one fresh instance per request, bodies and
// trailers streamed both ways, what the guest writes sent at once.
//
// A component is mounted at /NAME of the outside and sees the path below it, as programs
// that speak CGI do. A Location that is a path of the program is sent as /NAME/….
//
// The instance ends when the client leaves before it has the response. A guest may go on
// after its response: until its deadline, and as long as few do ([maxLingering]).
//
// A guest that fails before it has answered leaves the answer to its host; what went
// wrong is in its log under an id, which the answer names ([FailedError]). After that the
// connection breaks off.
package wasihttp
