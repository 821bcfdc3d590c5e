// Package vigil gives up HTTP requests to somebody who is not there any more.
//
// A program may think for long before its answer begins; who runs it bounds that. But a
// machine that has stopped, a line that was cut, or a process that is frozen closes no
// connection, and a request to it would wait as long. Hence a [Transport] asks, while an
// answer does not begin, whether the other side is there at all, and ends the request when it
// is not. A request that is answered at once costs a timer.
package vigil
