// Package manage is what an operator reads of a node, over HTTP on loopback:
//
//	GET /          these lines
//	GET /metrics   all daemons' series in one page, for Prometheus
//	GET /logs      names; ?component=NAME&tail=200: last lines; NAME __all__: of all;
//	               &since= &grep= filter, &follow=1 goes on as events
//	GET /events    what happens to programs, members and jobs, as events
//	GET /api/v1/…  how the node stands, as JSON for programs: package apiv1
//	GET /healthz   200 when every daemon is ready, else 503 and what is not
//	GET /readyz    likewise, and each answers, and the gateway knows what runs
//
// It only reads. What it reads may be large or come from other members' programs:
// answers of daemons are capped, log files are read from their end in pieces, and
// no path is made of anything but a checked name.
package manage
