package wasi

import _ "embed"

// Types is a component that imports every interface of WASI 0.2 with all that is in it,
// for the types: those that [Functions] has, and those that guests export,
// wasi:cli/run and wasi:http/incoming-handler. Do not change it.
//
//go:embed wasi.wasm
var Types []byte

//go:generate node types.mjs
