;; Its memory is asked for while the host lowers a list, and calls the host again from there.
(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-arguments" (func (result (list string))))))
  (alias export $env "get-arguments" (func $args))
  (core module $stub
    (table (export "table") 1 1 funcref)
    (memory (export "memory") 1)
    (type $t (func (param i32)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (call_indirect (type $t) (i32.const 64) (i32.const 0))
      (i32.const 1024)))
  (core instance $s (instantiate $stub))
  (core func $args' (canon lower (func $args) (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $m
    (import "stub" "table" (table 1 1 funcref))
    (import "host" "args" (func $args (param i32)))
    (elem (i32.const 0) func $args)
    (func (export "run") (result i32) (call $args (i32.const 32)) i32.const 0))
  (core instance $i (instantiate $m (with "stub" (instance $s)) (with "host" (instance (export "args" (func $args'))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
