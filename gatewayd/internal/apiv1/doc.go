// Package apiv1 answers what programs ask about a node: JSON below [api.PathAPI], and the
// OpenAPI 3.1 document that describes it.
//
// One table of routes makes both: the pattern, the parameters with their bounds and the
// type of the answer stand there once. The handler checks a request by it, and the document
// is written from it, with schemas that are read off the types of package api. A test asks
// every path of the document and holds the answers against their schemas.
//
// It only reads: from the bus, the table of the gateway, and the sockets of the other
// daemons. Lists come in pages. Whoever can reach loopback may ask, so what is secret is
// left out: bodies of intents about programs and jobs, values of environments, the code by
// which a node is claimed.
package apiv1
