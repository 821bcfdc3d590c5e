;; A command as toolchains make them: a main module that needs functions which need its memory. Those
;; go through a table that a last module fills. What it exports goes through a component of its own.
(component
  (import "wasi:io/streams@0.2.3" (instance $streams
    (export "output-stream" (type $o (sub resource)))
    (type $e' (variant (case "last-operation-failed" string) (case "closed")))
    (export "stream-error" (type $e (eq $e')))
    (export "[method]output-stream.write" (func (param "self" (borrow $o)) (param "contents" (list u8)) (result (result (error $e)))))))
  (alias export $streams "output-stream" (type $o))
  (import "wasi:cli/stdout@0.2.3" (instance $stdout
    (alias outer 1 $o (type $oo))
    (export "output-stream" (type $o (eq $oo)))
    (export "get-stdout" (func (result (own $o))))))

  (core module $Main
    (import "wasi:io/streams@0.2.3" "[method]output-stream.write" (func (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.3" "[resource-drop]output-stream" (func (param i32)))
    (import "wasi:cli/stdout@0.2.3" "get-stdout" (func (result i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "wasi:cli/run@0.2.3#run") (result i32) unreachable))
  (core module $Shim
    (table (export "$imports") 1 1 funcref)
    (type $t (func (param i32 i32 i32 i32)))
    (func (export "0") (param i32 i32 i32 i32)
      (call_indirect (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0))))
  (core module $Fixup
    (import "" "0" (func (param i32 i32 i32 i32)))
    (import "" "$imports" (table 1 1 funcref))
    (elem (i32.const 0) func 0))

  (core instance $shim (instantiate $Shim))
  (alias core export $shim "0" (core func $write-later))
  (alias core export $shim "$imports" (core table $table))
  (core func $drop (canon resource.drop $o))
  (core instance $streams-core (export "[method]output-stream.write" (func $write-later)) (export "[resource-drop]output-stream" (func $drop)))
  (alias export $stdout "get-stdout" (func $get))
  (core func $get (canon lower (func $get)))
  (core instance $stdout-core (export "get-stdout" (func $get)))
  (core instance $main (instantiate $Main
    (with "wasi:io/streams@0.2.3" (instance $streams-core)) (with "wasi:cli/stdout@0.2.3" (instance $stdout-core))))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "cabi_realloc" (core func $realloc))
  (alias export $streams "[method]output-stream.write" (func $write))
  (core func $write (canon lower (func $write) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (core instance $fixes (export "0" (func $write)) (export "$imports" (table $table)))
  (core instance (instantiate $Fixup (with "" (instance $fixes))))

  (func $run (result (result)) (canon lift (core func $main "wasi:cli/run@0.2.3#run")))
  (component $Run
    (import "import-func-run" (func $f (result (result))))
    (export "run" (func $f) (func (result (result)))))
  (instance $run (instantiate $Run (with "import-func-run" (func $run))))
  (export "wasi:cli/run@0.2.3" (instance $run)))
