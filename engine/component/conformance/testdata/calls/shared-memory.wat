;; core-instances: core modules share a memory
;; returns
(component
  (core module $a (memory (export "m") 1) (func (export "set") (i32.store (i32.const 8) (i32.const 77)))) (core instance $a (instantiate $a))
  (core module $m (import "a" "m" (memory 1)) (import "a" "set" (func $set)) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $set) (call $must (i32.eq (i32.load (i32.const 8)) (i32.const 77)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
