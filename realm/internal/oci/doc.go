// Package oci fetches programs, and packages of them, from OCI registries.
//
// A [Ref] names one as oci://HOST/REPO:TAG, or by the digest of its manifest. A tag may
// be another one tomorrow: what it is now is told to people, as a digest that they can
// write down, and nothing is trusted but digests. The manifest says which of its layers
// is the program ([TypeWasm], as wasm tools push it, [TypeWasmOld]) or the package
// ([TypePackage]); where the types say nothing it has one layer alone. An index is read
// if one of its entries is for wasm.
//
// Registries are strangers: manifests, their layers and blobs are capped, bytes are held
// against their digests while they are written, and plain http is for this machine
// itself, wherever a registry leads. Logins are those that docker has, in its config or
// by its helpers; they go to the registry that they are for, and into no text. Where bytes
// come from does not matter after: who has their digest signed is asked elsewhere.
package oci
