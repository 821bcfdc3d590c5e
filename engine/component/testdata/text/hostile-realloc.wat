;; Gives the host memory that it does not have.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (alias export $random "get-random-bytes" (func $bytes))
  (core module $stub
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65530)))
  (core instance $s (instantiate $stub))
  (core func $bytes' (canon lower (func $bytes) (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $m
    (import "host" "bytes" (func $bytes (param i64 i32)))
    (func (export "run") (result i32) (call $bytes (i64.const 16) (i32.const 0)) i32.const 0))
  (core instance $i (instantiate $m (with "host" (instance (export "bytes" (func $bytes'))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
