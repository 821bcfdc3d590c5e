// Package trace follows requests through the daemons of a realm, as OpenTelemetry has it:
// spans that name each other by the header traceparent (W3C Trace Context), sent to
// a collector by OTLP over HTTP.
//
// Where a node has no collector set there is no [Tracer], nil, and all that is here costs
// nothing: headers pass as they come, from the client to the guest.
//
// A request that comes from outside begins a trace, or goes on with that of its client, whose
// word on whether it is recorded counts ([Tracer.Serve]). Inside a realm, daemons join
// what the gateway has begun, and begin none ([Tracer.Join]).
package trace
