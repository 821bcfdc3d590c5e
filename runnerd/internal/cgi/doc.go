// Package cgi answers HTTP requests with programs that speak CGI (RFC 3875): one
// fresh instance per request, the request in its environment and standard input,
// the answer on its standard output. An unmodified Go http.Handler under
// net/http/cgi is such a program.
//
// A component is mounted at /NAME of the outside and does not know it from its
// own paths: SCRIPT_NAME is /NAME, PATH_INFO what follows it, and REQUEST_URI
// (which RFC 3875 leaves open, and which Go's handlers see as the URL) is path and
// query below the mount. A Location that begins with a slash is a path of the
// program in the same way: it is sent as /NAME/…, unless it begins so already. It
// is always answered as a redirection of the client (302 unless the program gives
// a status); a "local redirect" is not carried out inside the server.
//
// Bodies flow both ways at once. A body whose length is not known in advance has
// none that CGI could tell, so up to [exchange.MaxUnknownBody] bytes are read before the
// program begins. Once a program has sent its header, failing can only mean that
// the connection breaks off.
package cgi
