package module

// Ceilings of a module. Those with a star are the ones that browsers share
// (WebAssembly JavaScript Interface, "implementation-defined limits"); the others
// keep what is allocated per byte of module, or per instance, in bounds.
const (
	maxTypes      = 1_000_000 // *
	maxParams     = 1_000     // *, of one function; results too
	maxImports    = 100_000   // *
	maxFunctions  = 1_000_000 // *
	maxGlobals    = 1_000_000 // *
	maxExports    = 100_000   // *
	maxTables     = 100
	maxTableSize  = 1 << 20 // entries at the start: 8 MiB an instance
	maxElements   = 1 << 20 // segments
	maxElementRef = 1 << 22 // entries in all segments
	maxData       = 100_000 // *, segments
	maxBody       = 7_654_321
	maxLocals     = 50_000   // *, of one function
	maxAllLocals  = 16 << 20 // of all functions
	maxName       = 100_000  // *, bytes
	maxPages      = 65_536   // of 64 KiB
)

// PageSize is the size in bytes of a page of linear memory.
const PageSize = 64 << 10
