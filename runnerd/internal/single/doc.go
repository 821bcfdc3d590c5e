// Package single runs one module in this process and ends with it: no node, no bus, no
// intents. The module runs once, or answers HTTP until it is told to end. It is what "realm run" starts, with the limits and in the sandbox that the
// module meets on a node.
package single
