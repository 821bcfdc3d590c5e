;; core-instances: core modules share a table
;; returns
(component
  (core module $a (table (export "t") 2 funcref) (func $f (result i32) (i32.const 5)) (elem (i32.const 1) func $f)) (core instance $a (instantiate $a))
  (core module $m (import "a" "t" (table 2 funcref)) (type $f (func (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call_indirect (type $f) (i32.const 1)) (i32.const 5)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
